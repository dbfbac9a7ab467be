//! The printed script, run below a folder, where commands of the system only note that they were called.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{CONFIG, told};

/// Knows what Debian's first site was like when its package wrote it.
const DPKG: &str = r#"#!/bin/sh
printf '\n /etc/default/nginx 0\n %s/etc/nginx/sites-available/default %s\n' "$ROOT" "$(echo 'server_name _;' | md5sum | cut -c-32)"
"#;

/// Notes its call, and fails where a file of the test says so.
const STUB: &str = r#"#!/bin/sh
name=${0##*/}
echo "$name $*" >>"$ROOT/called"
case "$name $*" in
  'id -u') echo 0 ;;
  'id -gn '*) echo staff ;;
  'php -r '*) printf 8.2 ;;
  runuser*) shift 3 && exec "$@" ;;
  getent*) echo "carol:x:1000:1000::$ROOT/home/carol:/bin/sh" ;;
esac
[ ! -e "$ROOT/fails.$name" ] || { echo "$name is not pleased" >&2 && exit 1; }
"#;

const SITE: &str = "etc/nginx/sites-available/shop@production";
const LINK: &str = "etc/nginx/sites-enabled/shop@production";
const POOL: &str = "etc/php/8.2/fpm/pool.d/shop@production.conf";
const MAIL: &str = "etc/supervisor/conf.d/mail.conf";
const ORDERS: &str = "etc/supervisor/cutover/orders.conf";
const RIGHTS: &str = "etc/sudoers.d/cutover-shop@production";

struct Bare(PathBuf);

impl Bare {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("provision-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for folder in [
            "bin",
            "srv",
            "var/lib",
            "usr/local/sbin",
            "etc/nginx/sites-available",
            "etc/nginx/sites-enabled",
            "etc/php/8.2/fpm/pool.d",
            "etc/supervisor/conf.d",
            "etc/systemd/system",
            "etc/sudoers.d",
            "home/carol/.ssh",
            "proc/net",
        ] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let bare = Self(root);
        for name in "apt-get curl getent id nginx php php-fpm8.2 runuser sshd sudo supervisorctl supervisord systemctl \
                     useradd visudo"
            .split(' ')
        {
            bare.program(name, STUB);
        }
        bare.program("dpkg-query", DPKG);
        let settings = "[global]\n;process_control_timeout = 0\n";
        bare.write("etc/php/8.2/fpm/php-fpm.conf", settings);
        bare.write("etc/nginx/sites-available/default", "server_name _;\n");
        let default = "../sites-available/default";
        symlink(default, bare.0.join("etc/nginx/sites-enabled/default")).unwrap();
        bare
    }

    fn program(&self, name: &str, text: &str) {
        let path = format!("bin/{name}");
        self.write(&path, text);
        fs::set_permissions(self.0.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.join(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap()
    }

    fn has(&self, path: &str) -> bool {
        self.0.join(path).symlink_metadata().is_ok()
    }

    /// Runs the script of a configuration: whether it went well, and what it said.
    fn run(&self, config: &str) -> (bool, String) {
        self.sh(&told(config, None).unwrap())
    }

    /// Runs a printed script, by whoever has a narrow umask.
    fn sh(&self, script: &str) -> (bool, String) {
        let root = self.0.to_str().unwrap();
        let mut text = format!("umask 077\n{script}");
        for folder in [
            "/etc/",
            "/var/lib/",
            "/usr/local/sbin/cutover",
            "/srv/",
            "/proc/net/",
        ] {
            text = text.replace(folder, &format!("{root}{folder}"));
        }
        // Where this machine's own nginx is not.
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        assert!(text.contains(&format!("export PATH={path}\n")));
        let text = text.replace(path, &format!("{root}/bin:/usr/bin:/bin"));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&text).env("ROOT", root);
        let output = shell.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).replace(root, "");
        (output.status.success(), said)
    }

    fn well(&self, config: &str) -> String {
        let (well, said) = self.run(config);
        assert!(well, "{said}");
        said
    }

    fn badly(&self, config: &str) -> String {
        let (well, said) = self.run(config);
        assert!(!well, "{said}");
        said
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

#[test]
fn a_second_run_leaves_alone_what_somebody_has_changed() {
    let bare = Bare::new();
    bare.well(CONFIG);
    assert!(!bare.has("etc/nginx/sites-enabled/default"));
    let (site, mail) = (bare.read(SITE), bare.read(MAIL));
    assert!(!bare.well(CONFIG).contains("diff -u"));
    assert_eq!((bare.read(SITE), bare.read(MAIL)), (site, mail));

    let root = bare.0.to_str().unwrap();
    let with_tls = format!("listen 443 ssl; root {root}/srv/store/current/public;\n");
    bare.write(SITE, &with_tls);
    let corrected = format!("command=php {root}/srv/store/current/artisan mail\n");
    bare.write(MAIL, &corrected);
    let settings = "process_control_timeout = 60s\n";
    bare.write("etc/php/8.2/fpm/php-fpm.conf", settings);
    let said = bare.well(
        &CONFIG
            .replace("expect = 3", "expect = 4")
            .replace("group = \"orders\"", "group = \"orders\"\nexpect = 7"),
    );
    let lines = said.lines().filter(|line| line.contains("diff -u"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    /etc/nginx/sites-available/shop@production is not as it was written here, and stays. See: diff -u /etc/nginx/sites-available/shop@production /etc/nginx/sites-available/shop@production.cutover-new
    /etc/supervisor/conf.d/mail.conf is not as it was written here, and stays. See: diff -u /etc/supervisor/conf.d/mail.conf /etc/supervisor/conf.d/mail.conf.cutover-new
    ");
    assert_eq!(bare.read(SITE), with_tls);
    assert_eq!(bare.read(MAIL), corrected);
    assert_eq!(bare.read("etc/php/8.2/fpm/php-fpm.conf"), settings);
    assert!(
        bare.read(&format!("{MAIL}.cutover-new"))
            .contains("numprocs=4")
    );
    // What nobody has changed follows the configuration.
    assert!(bare.read(ORDERS).contains("numprocs=7"));
    assert!(bare.read("called").contains("supervisorctl update mail\n"));
    assert!(!bare.read("called").contains("supervisorctl update\n"));
}

#[test]
fn what_fails_its_test_does_not_stay() {
    let bare = Bare::new();
    bare.write("fails.php-fpm8.2", "");
    let of_pool = bare.badly(CONFIG);
    assert!(!bare.has(POOL));
    fs::remove_file(bare.0.join("fails.php-fpm8.2")).unwrap();
    bare.write("fails.nginx", "");
    let of_site = bare.badly(CONFIG);
    assert!(!bare.has(SITE) && !bare.has(LINK));
    assert!(bare.has("etc/nginx/sites-enabled/default"));
    fs::remove_file(bare.0.join("fails.nginx")).unwrap();
    bare.well(CONFIG);
    let site = bare.read(SITE);
    bare.write("fails.nginx", "");
    let later = bare.badly(&CONFIG.replace("shop.example.com", "other.example.com"));
    assert_eq!(bare.read(SITE), site);
    assert!(bare.has(LINK));
    fs::remove_file(bare.0.join("fails.nginx")).unwrap();
    let rights = bare.read(RIGHTS);
    bare.write("fails.visudo", "");
    let of_sudo = bare.badly(&CONFIG.replace("\"mail\"", "\"post\""));
    assert_eq!(bare.read(RIGHTS), rights);
    let last = |said: &str| said.lines().last().unwrap_or_default().to_owned();
    insta::assert_snapshot!([of_pool, of_site, later, of_sudo].map(|said| last(&said)).join("\n"), @"
    'php-fpm8.2 -t' fails with the new /etc/php/8.2/fpm/pool.d/shop@production.conf, which is as it was before: mend what it says, then run this again
    'nginx -t' fails with the new /etc/nginx/sites-available/shop@production, which is as it was before: mend what it says, then run this again
    'nginx -t' fails with the new /etc/nginx/sites-available/shop@production, which is as it was before: mend what it says, then run this again
    sudo does not take these rights: none were given
    ");
}

#[test]
fn what_is_of_another_app_is_refused_before_anything_is_changed() {
    let refused = |path: &str, text: &str, config: &str| {
        let bare = Bare::new();
        bare.write(path, text);
        let said = bare.badly(config);
        assert_eq!(bare.read("called"), "id -u\n");
        assert_eq!(bare.read(path), text);
        said.trim_end().to_owned()
    };
    let other = "command=php /data/srv/store/current/artisan queue:work\n";
    let bare = CONFIG.replace("url = \"https://shop.example.com\"\n", "");
    let none = CONFIG.replace("\ngroup", "\nsudo = false\ngroup");
    insta::assert_snapshot!([
        refused(MAIL, other, CONFIG),
        refused("etc/systemd/system/search@.service", other, CONFIG),
        refused("etc/nginx/sites-enabled/shop@staging", "  server_name _;\n", &bare),
        refused("etc/nginx/sites-available/default", "server { server_name\nx _ ; }\n", &bare),
        refused("etc/nginx/sites-enabled/shop-production", "server { server_name shop.example.com; }\n", CONFIG),
        refused(SITE, "root /srv/store2/current/public;\n", CONFIG),
        refused(RIGHTS, "# For /srv/other/\ncarol ALL = (root) ALL\n", &none),
    ].join("\n"), @"
    /etc/supervisor/conf.d/mail.conf names no /srv/store/, so it is another app's: give this group or app another name. If it is this app's, move it away, or keep it with a comment that has /srv/store/ in it
    /etc/systemd/system/search@.service names no /srv/store/, so it is another app's: give this group or app another name. If it is this app's, move it away, or keep it with a comment that has /srv/store/ in it
    /etc/nginx/sites-enabled/shop@staging answers to _ already: give production a url, then print and run this again
    /etc/nginx/sites-enabled/default answers to _ already: give production a url, then print and run this again
    /etc/nginx/sites-enabled/shop-production answers to shop.example.com already: take that site away, or give production another url, then print and run this again
    /etc/nginx/sites-available/shop@production names no /srv/store/, so it is another app's: give this group or app another name. If it is this app's, move it away, or keep it with a comment that has /srv/store/ in it
    /etc/sudoers.d/cutover-shop@production names no /srv/store/, so it is another app's: give this group or app another name. If it is this app's, move it away, or keep it with a comment that has /srv/store/ in it
    ");
}

#[test]
fn rights_that_are_needed_no_more_are_taken_back() {
    let bare = Bare::new();
    bare.well(CONFIG);
    assert!(bare.has(RIGHTS));
    bare.write("etc/sudoers.d/cutover", "carol ALL = (root) ALL\n");
    bare.write("etc/sudoers.d/cutover-cart@live", "carola ALL = ALL\n");
    let none = CONFIG.replace("\ngroup", "\nsudo = false\ngroup");
    let said = bare.well(&none);
    assert!(!bare.has(RIGHTS));
    let line = "/etc/sudoers.d/cutover gives carol rights as well: remove it if nothing needs them any more";
    let told: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("rights"))
        .collect();
    assert_eq!(told, [line]);
    // Somebody's own are not the script's to take.
    let root = bare.0.to_str().unwrap();
    let own = format!("# For {root}/srv/store/\ncarol ALL = (root) ALL\n");
    bare.write(RIGHTS, &own);
    let said = bare.well(&none);
    assert_eq!(bare.read(RIGHTS), own);
    assert!(
        said.contains("cutover-shop@production is not as it was written here, and stays"),
        "{said}"
    );
}

#[test]
fn the_first_site_goes_only_where_it_is_as_debian_wrote_it() {
    let default = "etc/nginx/sites-enabled/default";
    let bare = Bare::new();
    bare.write("etc/nginx/sites-available/default", "root /srv/other;\n");
    bare.well(CONFIG);
    assert!(bare.has(default) && bare.has(LINK));
    let bare = Bare::new();
    bare.program("dpkg-query", "#!/bin/sh\nexit 1\n");
    bare.well(CONFIG);
    assert!(bare.has(default));
    let bare = Bare::new();
    bare.well(CONFIG);
    assert!(!bare.has(default));
}

#[test]
fn of_a_script_that_has_not_arrived_whole_nothing_runs() {
    let bare = Bare::new();
    let text = told(CONFIG, None).unwrap();
    let (half, _) = text.split_once("# What the user may do as root").unwrap();
    let (well, said) = bare.sh(half);
    assert!(!well && !bare.has("called"), "{said}");
}

#[test]
fn a_key_begins_a_line_of_its_own() {
    let bare = Bare::new();
    let keys = "home/carol/.ssh/authorized_keys";
    bare.write(keys, "ssh-rsa BBBB of an editor that ends no line");
    let text = told(CONFIG, Some("ssh-ed25519 AAAA carol@laptop")).unwrap();
    for _ in 0..2 {
        let (well, said) = bare.sh(&text);
        assert!(well, "{said}");
    }
    let lines = "ssh-rsa BBBB of an editor that ends no line\nssh-ed25519 AAAA carol@laptop\n";
    assert_eq!(bare.read(keys), lines);
}

#[test]
fn a_narrow_umask_of_roots_closes_nothing() {
    let bare = Bare::new();
    bare.well(CONFIG);
    let mode = |path: &str| bare.0.join(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(
        ["srv/store", "srv/store/releases", SITE, RIGHTS].map(mode),
        [0o755, 0o755, 0o644, 0o440]
    );
}

#[test]
fn a_pool_is_of_the_php_that_has_an_fpm() {
    let bare = Bare::new();
    let with = |version: &str| {
        let pool = "pool = \"/run/php/shop.sock\"";
        CONFIG.replace(pool, &format!("{pool}\nservice = \"php{version}-fpm\""))
    };
    bare.program("php-fpm8.4", STUB);
    let said = bare.badly(&with("8.4"));
    assert_eq!(
        said.trim_end(),
        "there is no PHP-FPM of 8.4: install php8.4-fpm, or name the one that there is in [php_fpm], as its service"
    );
    fs::create_dir_all(bare.0.join("etc/php/8.4/fpm/pool.d")).unwrap();
    bare.write("etc/php/8.4/fpm/php-fpm.conf", "[global]\n");
    bare.well(&with("8.4"));
    assert!(bare.has("etc/php/8.4/fpm/pool.d/shop@production.conf") && !bare.has(POOL));
}

#[test]
fn ports_that_others_have_are_left_to_them() {
    let octane = format!(
        "{CONFIG}[[environments.production.runtimes]]\nkind = \"octane\"\ngroup = \"web\"\nexpect = 2\n"
    );
    let listening = |port: &str| {
        format!("   0: 0100007F:{port} 00000000:0000 0A 0:0 00:0 0 0 0 1145 1 0 100 0 0 10 0\n")
    };
    let bare = Bare::new();
    bare.write("proc/net/tcp", &listening("1F41"));
    let said = bare.badly(&octane);
    let file = "/etc/supervisor/conf.d/web.conf";
    assert!(
        said.contains(&format!("at port 8001 already: write {file} yourself")),
        "{said}"
    );
    assert_eq!(bare.read("called"), "id -u\n");
    // What is there was written by somebody who knows.
    bare.write("proc/net/tcp", &listening("1F42"));
    bare.well(&octane);
    bare.write("proc/net/tcp", &listening("1F41"));
    bare.well(&octane);

    let bare = Bare::new();
    bare.write("proc/net/tcp6", &listening("0050"));
    bare.well(CONFIG);
    fs::remove_file(bare.0.join("bin/nginx")).unwrap();
    let said = bare.badly(CONFIG);
    assert!(said.contains("something serves port 80 already"), "{said}");
}

#[test]
fn the_pool_has_the_group_that_its_user_has() {
    let bare = Bare::new();
    bare.well(CONFIG);
    let pool = bare.read(POOL);
    let groups = pool
        .lines()
        .filter(|line| line.contains("group = ") && !line.starts_with(';'));
    let groups: Vec<&str> = groups.collect();
    assert_eq!(groups, ["group = staff", "listen.group = staff"]);
}

#[test]
fn shellcheck_finds_nothing_in_the_script() {
    let bare = Bare::new();
    let nameless = CONFIG.replace("url = \"https://shop.example.com\"\n", "");
    let key = Some("ssh-ed25519 AAAA carol@laptop");
    let runtimes = format!(
        "{CONFIG}[[environments.production.runtimes]]\nkind = \"octane\"\ngroup = \"web\"\n\
         [[environments.production.runtimes]]\nkind = \"pulse\"\nmanager = \"systemd\"\ngroup = \"pulse\"\n"
    );
    for (config, key) in [
        (CONFIG, key),
        (nameless.as_str(), None),
        (runtimes.as_str(), None),
    ] {
        bare.write("script", &told(config, key).unwrap());
        let mut shellcheck = Command::new("shellcheck");
        let output = shellcheck
            .args(["-s", "sh"])
            .arg(bare.0.join("script"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
}
