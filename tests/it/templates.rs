//! What users copy is taken by the programs that it is for, and says the same everywhere.

mod balancer;
mod provision;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::action::keys;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// The user that the templates deploy as, which this machine may not have.
const USER: &str = "deploy";

fn template(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join("templates").join(name)).unwrap()
}

/// Writes a template into a folder of its own, with these words replaced. Each must be there.
fn rendered(name: &str, values: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let text = values.iter().fold(template(name), |text, (word, value)| {
        assert!(text.contains(word), "{name} does not say {word}");
        text.replace(word, value)
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    (folder, file)
}

fn run(command: &mut Command) -> Output {
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C");
    command.output().unwrap()
}

/// What a program says that must be content.
fn content(command: &mut Command) -> String {
    let output = run(command);
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = said(&output.stdout) + &said(&output.stderr);
    assert!(output.status.success(), "{command:?} says\n{all}");
    all
}

/// A text with everything that is commented out taken in.
fn all_taken_in(text: &str, begins: &[&str]) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if begins.iter().any(|begin| rest.starts_with(begin)) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn kubernetes_knows_every_word_of_its_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/kubernetes.yaml");
    for version in ["1.25", "1.37"] {
        let mut judge = Command::new(kit::ci_client("kubernetes-validate"));
        let said = content(judge.args(["--strict", "-k", version]).arg(&file));
        for kind in ["deployment/", "serviceaccount/", "role/", "rolebinding/"] {
            let passed = format!("passed for resource {kind}");
            assert!(said.contains(&passed), "{said}");
        }
    }
}

#[test]
fn nginx_takes_its_site() {
    nginx_takes("nginx.conf");
    nginx_takes("nginx-static.conf");
    nginx_takes("nginx-octane.conf");
}

fn nginx_takes(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    nginx_takes_this(folder.path(), &template(name));
}

/// Has nginx test a site, with what belongs to it in this folder.
fn nginx_takes_this(folder: &Path, site: &str) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen {};", free.local_addr().unwrap());
    drop(free);
    assert!(site.contains("listen 80;"), "{site}");
    fs::write(folder.join("site"), site.replace("listen 80;", &listen)).unwrap();
    fs::copy("/etc/nginx/fastcgi_params", folder.join("fastcgi_params")).unwrap();
    let dir = folder.display();
    let main = folder.join("main.conf");
    let text = format!(
        "pid {dir}/pid;\nerror_log {dir}/log;\nevents {{}}\nhttp {{ access_log off; include {dir}/site; }}\n",
    );
    fs::write(&main, text).unwrap();
    let said = content(Command::new("nginx").arg("-t").arg("-c").arg(main));
    assert!(!said.contains("warn"), "{said}");
}

#[test]
fn php_fpm_takes_its_pool() {
    let owner = ["user = deploy", "group = deploy"];
    let values = [
        (owner[0], "user = www-data"),
        (owner[1], "group = www-data"),
        ("/run/php/shop.sock", "/tmp/shop.sock"),
    ];
    let (folder, pool) = rendered("php-fpm-pool.conf", &values);
    let main = folder.path().join("main.conf");
    let log = folder.path().join("log");
    let text = format!(
        "[global]\nerror_log = {}\ninclude = {}\n",
        log.display(),
        pool.display()
    );
    fs::write(&main, text).unwrap();
    let programs = fs::read_dir("/usr/sbin").unwrap();
    let mut programs = programs.filter_map(|entry| Some(entry.ok()?.path()));
    let fpm = programs.find(|path| path.to_string_lossy().contains("/php-fpm"));
    content(Command::new(fpm.unwrap()).arg("-t").arg("-y").arg(main));
}

/// Has supervisor's own reader tell what it understands, process by process.
const UNDERSTOOD: &str = r"
import sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(['-c', sys.argv[1]])
for group in options.process_group_configs:
    for p in group.process_configs:
        print('%s:%s' % (group.name, p.name), p.autorestart.__name__, p.stopsignal, p.stopwaitsecs, p.command)
";

#[test]
fn supervisor_takes_its_workers_and_sudo_knows_them_by_name() {
    let me = content(Command::new("id").arg("-un"));
    let user = format!("user={}", me.trim());
    let values = [
        ("user=deploy", user.as_str()),
        ("/var/log/supervisor/", "/tmp/"),
    ];
    let templates = ["supervisor.conf", "horizon.conf", "supervisor-runtime.conf"];
    let said = templates.map(|name| {
        let (folder, programs) = rendered(name, &values);
        let main = folder.path().join("main.conf");
        let text = format!("[supervisord]\n[include]\nfiles = {}\n", programs.display());
        fs::write(&main, text).unwrap();
        content(Command::new("python3").args(["-c", UNDERSTOOD]).arg(main))
    });
    let said = said.concat();
    let workers: Vec<_> = said
        .lines()
        .filter(|line| line.contains("artisan"))
        .collect();
    insta::assert_snapshot!(workers.join("\n"), @"
    shop-worker:shop-worker_00 RestartUnconditionally 15 70 php /srv/shop/current/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    shop-worker:shop-worker_01 RestartUnconditionally 15 70 php /srv/shop/current/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    horizon:horizon RestartUnconditionally 15 3600 php /srv/shop/current/artisan horizon
    shop-octane:shop-octane_00 RestartUnconditionally 15 70 php /srv/shop/current/artisan octane:start --port=8000
    shop-octane:shop-octane_01 RestartUnconditionally 15 70 php /srv/shop/current/artisan octane:start --port=8001
    ");
}

#[test]
fn visudo_takes_the_rights_also_with_everything_taken_in() {
    let text = template("sudoers");
    for text in [all_taken_in(&text, &["Cmnd_Alias", USER]), text] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sudoers");
        fs::write(&file, text).unwrap();
        let said = content(Command::new("visudo").arg("-cf").arg(&file));
        assert!(
            said.contains("parsed OK") && !said.contains("arning"),
            "{said}"
        );
    }
}

/// Asks the real sudo, in a copy of /etc that only this process sees.
const ASK_SUDO: &str = r#"
copy=$1 rights=$2
mount -t tmpfs tmpfs "$copy"
cp -a /etc "$copy/etc"
mount --bind "$copy/etc" /etc
useradd --no-create-home --home-dir / deploy
install -m 0440 -o root -g root "$rights" /etc/sudoers.d/cutover
# sudo allows only what is there.
mkdir "$copy/sbin"
mount --bind "$copy/sbin" /usr/local/sbin
install -m 0755 /dev/null /usr/local/sbin/cutover-supervisor
as() { setpriv --reuid deploy --regid deploy --clear-groups -- "$@"; }
while read -r line; do
  # Words of the line are the words of the command.
  set -f; set -- $line; set +f
  if as sudo -n -l "$@" >/dev/null 2>&1; then echo "yes $*"; else echo "no  $*"; fi
done
mkdir -m 777 "$copy/evil"
cd "$copy/evil"
printf '[supervisorctl]\nserverurl=unix:///evil.sock\n' >supervisord.conf
as sudo -n supervisorctl status 'shop-worker:*' 2>&1 | sed '/evil/!s/.*/took the settings of the system/'
"#;

const ASKED: &str = "\
supervisorctl status shop-worker:*
supervisorctl start shop-worker:shop-worker_01
supervisorctl restart shop-worker:*
systemctl reload php8.2-fpm
cutover-supervisor list shop-worker
cutover-supervisor add shop-worker 20260101T000000Z-0000000
systemctl --quiet enable --now shop-worker@20260101T000000Z-0000000-1.service shop-worker@20260101T000000Z-0000000-2.service
systemctl --quiet disable --now --no-block shop-worker@r1-1.service shop-worker.service
systemctl start shop-worker@1.service
systemctl restart shop-worker.service
supervisorctl start shop-octane:shop-octane_01
supervisorctl start shop-octane
systemctl start shop-octane@1.service
systemctl start shop-octane.service
supervisorctl start shop-octane all
systemctl start shop-octane@1.service evil.service
cutover-supervisor add shop-worker ../../../etc/passwd
cutover-supervisor add other r1
systemctl --quiet enable --now shop-worker@r1-1.service /tmp/evil.service
systemctl --quiet enable --now shop-worker@../../tmp/evil.service
systemctl --quiet enable --now evil.service
supervisorctl
supervisorctl status
supervisorctl status shop-worker:* all
supervisorctl status shop-worker:x
supervisorctl start shop-worker:shop-worker_000
supervisorctl start shop-worker:shop-worker_0 0
supervisorctl signal TERM shop-worker:shop-worker_00
supervisorctl -c /tmp/x status shop-worker:*
systemctl reload ssh
systemctl restart php8.2-fpm
systemctl start shop-worker@1.service ssh.service
";

/// Needs root and namespaces; elsewhere visudo's word, above, is all there is.
#[test]
fn sudo_allows_what_the_scripts_call_and_nothing_else() {
    use std::io::Write as _;
    if !run(Command::new("unshare").args(["--mount", "true"]))
        .status
        .success()
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("copy")).unwrap();
    let rights = folder.path().join("rights");
    fs::write(
        &rights,
        all_taken_in(&template("sudoers"), &["Cmnd_Alias", USER]),
    )
    .unwrap();
    let mut sudo = Command::new("unshare");
    sudo.args(["--mount", "sh", "-euc", ASK_SUDO, "ask"]);
    sudo.arg(folder.path().join("copy")).arg(rights);
    sudo.env_clear().env("PATH", PATH).env("LC_ALL", "C");
    sudo.stdin(std::process::Stdio::piped());
    sudo.stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = sudo.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(ASKED.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout), @"
    yes supervisorctl status shop-worker:*
    yes supervisorctl start shop-worker:shop-worker_01
    yes supervisorctl restart shop-worker:*
    yes systemctl reload php8.2-fpm
    yes cutover-supervisor list shop-worker
    yes cutover-supervisor add shop-worker 20260101T000000Z-0000000
    yes systemctl --quiet enable --now shop-worker@20260101T000000Z-0000000-1.service shop-worker@20260101T000000Z-0000000-2.service
    yes systemctl --quiet disable --now --no-block shop-worker@r1-1.service shop-worker.service
    yes systemctl start shop-worker@1.service
    yes systemctl restart shop-worker.service
    yes supervisorctl start shop-octane:shop-octane_01
    yes supervisorctl start shop-octane
    yes systemctl start shop-octane@1.service
    yes systemctl start shop-octane.service
    no  supervisorctl start shop-octane all
    no  systemctl start shop-octane@1.service evil.service
    no  cutover-supervisor add shop-worker ../../../etc/passwd
    no  cutover-supervisor add other r1
    no  systemctl --quiet enable --now shop-worker@r1-1.service /tmp/evil.service
    no  systemctl --quiet enable --now shop-worker@../../tmp/evil.service
    no  systemctl --quiet enable --now evil.service
    no  supervisorctl
    no  supervisorctl status
    no  supervisorctl status shop-worker:* all
    no  supervisorctl status shop-worker:x
    no  supervisorctl start shop-worker:shop-worker_000
    no  supervisorctl start shop-worker:shop-worker_0 0
    no  supervisorctl signal TERM shop-worker:shop-worker_00
    no  supervisorctl -c /tmp/x status shop-worker:*
    no  systemctl reload ssh
    no  systemctl restart php8.2-fpm
    no  systemctl start shop-worker@1.service ssh.service
    took the settings of the system
    ");
}

#[test]
fn systemd_takes_the_unit_of_the_service() {
    let program = kit::program("cutover");
    let values = [(
        "/usr/local/bin/cutover serve",
        format!("{} serve", program.display()),
    )];
    let values = values
        .each_ref()
        .map(|(word, value)| (*word, value.as_str()));
    let (_folder, unit) = rendered("cutover.service", &values);
    let said = content(Command::new("systemd-analyze").arg("verify").arg(&unit));
    let about: Vec<_> = said
        .lines()
        .filter(|line| line.contains("cutover.service"))
        .collect();
    assert!(about.is_empty(), "{about:?}");
}

/// The processes of a group that supervisor understands, and shellcheck's word for who makes it.
#[test]
fn supervisor_takes_the_group_of_a_release() {
    let me = content(Command::new("id").arg("-un"));
    let user = format!("user={}", me.trim());
    let values = [
        ("user=deploy", user.as_str()),
        ("/var/log/supervisor/", "/tmp/"),
        ("@release@", "r1"),
        ("@group@", "shop-worker@r1-1"),
    ];
    let (folder, workers) = rendered("supervisor-overlap.conf", &values);
    let main = folder.path().join("main.conf");
    let text = format!("[supervisord]\n[include]\nfiles = {}\n", workers.display());
    fs::write(&main, text).unwrap();
    let said = content(Command::new("python3").args(["-c", UNDERSTOOD]).arg(main));
    let process = "shop-worker@r1-1:shop-worker@r1-1_00 RestartUnconditionally 15 3600 php /srv/shop/releases/r1/artisan";
    assert!(said.contains(process), "{said}");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let program = program.join("templates/cutover-supervisor");
    content(Command::new("shellcheck").args(["-s", "sh"]).arg(program));
}

#[test]
fn systemd_takes_the_units_of_workers_and_runtimes() {
    for (name, called) in [
        ("worker@.service", "shop-worker@.service"),
        ("runtime@.service", "shop-octane@.service"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let text = template(name).replace("User=deploy", "User=root");
        let unit = folder.path().join(called);
        fs::write(&unit, text).unwrap();
        let said = content(Command::new("systemd-analyze").arg("verify").arg(&unit));
        let about: Vec<_> = said.lines().filter(|line| line.contains("shop-")).collect();
        assert!(about.is_empty(), "{about:?}");
    }
}

#[test]
fn systemd_takes_the_units_of_an_app() {
    let folder = tempfile::tempdir().unwrap();
    let units = ["notes.service", "notes.socket"].map(|name| {
        let file = folder.path().join(name);
        fs::write(&file, template(&format!("apps/{name}"))).unwrap();
        file
    });
    // Its program is not on this machine.
    let known = fs::read_to_string(&units[0]).unwrap();
    fs::write(&units[0], known.replace("/usr/bin/python3", "/bin/sh")).unwrap();
    let said = content(Command::new("systemd-analyze").arg("verify").args(&units));
    let about: Vec<_> = said.lines().filter(|line| line.contains("notes")).collect();
    assert!(about.is_empty(), "{about:?}");
}

#[test]
fn every_app_that_is_shown_is_one_that_could_be_deployed() {
    for name in ["static", "php", "systemd"] {
        let file = format!("apps/{name}.toml");
        if let Err(problems) = cutover_deploy::Config::parse(&file, &template(&file)) {
            panic!("{problems}");
        }
    }
}

#[test]
fn the_workflow_gives_only_inputs_and_takes_only_outputs_that_the_action_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let action = fs::read_to_string(root.join("action.yml")).unwrap();
    let workflow = template("workflow.yml");
    let (_, step) = workflow.split_once("      - uses: OWNER/cutover@").unwrap();
    let (_, with) = step.split_once("        with:\n").unwrap();
    let given: BTreeSet<_> = with
        .lines()
        .map_while(|line| line.strip_prefix("          ")?.split_once(':'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert!(given.contains("ssh-key"), "{given:?}");
    assert!(given.is_subset(&keys(&action, "inputs")), "{given:?}");
    let taken: BTreeSet<_> = workflow
        .split("steps.cutover.outputs.")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned()))
        .collect();
    assert!(taken.contains("outcome"), "{taken:?}");
    assert!(taken.is_subset(&keys(&action, "outputs")), "{taken:?}");
}

#[test]
fn every_template_is_rendered_or_checked_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let all = |folder: &str| {
        let mut found = Command::new("find");
        content(found.arg(root.join(folder)).args(["-type", "f"]))
    };
    let tests: String = [
        "tests/it",
        "deploy/tests",
        "deploy/src",
        "tests/kit",
        "service/src",
    ]
    .iter()
    .flat_map(|folder| all(folder).lines().map(PathBuf::from).collect::<Vec<_>>())
    .filter(|file| file.extension().is_some_and(|ending| ending == "rs"))
    .map(|file| fs::read_to_string(file).unwrap())
    .collect();
    let templates = all("templates");
    let unused = templates.lines().filter(|file| {
        let name = file.rsplit('/').next().unwrap();
        !tests.contains(name)
    });
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<&str>::new());
}
