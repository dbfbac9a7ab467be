//! What `cutover provision --print` writes for runtimes is taken by the programs that it is for.

use std::collections::BTreeMap;

use super::*;

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"
recipe = "laravel"
[environments.production]
path = "/srv/store"
url = "https://store.example.com"
[[environments.production.hosts]]
name = "web1"
address = "carol@web1.example.com"
[[environments.production.runtimes]]
kind = "reverb"
group = "store-reverb"
[[environments.production.runtimes]]
kind = "ssr"
group = "store-pages"
[[environments.production.runtimes]]
kind = "pulse"
manager = "systemd"
group = "store-pulse"
[[environments.production.runtimes]]
kind = "octane"
manager = "systemd"
group = "store-octane"
expect = 2
"#;

/// The files of a printed script, by their name without folders.
fn files(script: &str) -> BTreeMap<String, String> {
    let parts = script.split("\nput ").chain(script.split("\ncat >"));
    let files = parts.filter_map(|part| {
        let (head, rest) = part.split_once(" <<'END_OF_FILE'\n")?;
        let (content, _) = rest.split_once("\nEND_OF_FILE\n")?;
        let path = head.split(' ').next()?.trim_matches('"');
        let name = path.rsplit('/').next()?;
        Some((name.to_owned(), format!("{content}\n")))
    });
    files.collect()
}

#[test]
fn the_programs_take_what_is_printed_for_runtimes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("cutover.toml"), CONFIG).unwrap();
    let mut print = Command::new(kit::program("cutover"));
    print.args(["provision", "production", "--print", "--config"]);
    let script = content(print.arg(at("cutover.toml")));
    let mut files = files(&script);
    let me = content(Command::new("id").arg("-un"));
    let me = me.trim();
    for (name, text) in &mut files {
        *text = text
            .replace("user=carol", &format!("user={me}"))
            .replace("User=carol", "User=root")
            .replace("/var/log/supervisor/", "/tmp/");
        fs::write(at(name), text).unwrap();
    }
    nginx_takes_this(folder.path(), &files["shop@production"]);
    assert!(files["shop@production"].contains("proxy_pass http://shop.production;"));

    let text = format!(
        "[supervisord]\n[include]\nfiles = {}/store-*.conf\n",
        folder.path().display()
    );
    fs::write(at("supervisord.conf"), text).unwrap();
    let mut understood = Command::new("python3");
    let said = content(
        understood
            .args(["-c", UNDERSTOOD])
            .arg(at("supervisord.conf")),
    );
    let programs: Vec<_> = said
        .lines()
        .filter(|line| line.contains("artisan"))
        .collect();
    insta::assert_snapshot!(programs.join("\n"), @"
    store-pages:store-pages_00 RestartUnconditionally 15 70 php /srv/store/current/artisan inertia:start-ssr
    store-reverb:store-reverb_80 RestartUnconditionally 15 70 php /srv/store/current/artisan reverb:start --host=127.0.0.1 --port=8080
    ");

    for unit in ["store-pulse@.service", "store-octane@.service"] {
        let said = content(Command::new("systemd-analyze").arg("verify").arg(at(unit)));
        let about: Vec<_> = said
            .lines()
            .filter(|line| line.contains("store-"))
            .collect();
        assert!(about.is_empty(), "{about:?}");
    }
    let said = content(Command::new("visudo").arg("-cf").arg(at("rights")));
    assert!(
        said.contains("parsed OK") && !said.contains("arning"),
        "{said}"
    );
}
