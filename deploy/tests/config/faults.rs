//! What is told about bad files.

use cutover_deploy::Config;
use insta::assert_snapshot;

mod alarms;
mod containers;
mod runtimes;
mod shape;
mod together;
mod words;

/// A good file in few lines; a test breaks it at one place.
const GOOD: &str = r#"app = "shop"
repository = "github:acme/shop"
recipe = "laravel"

[environments.production]
branch = "main"
path = "/srv/shop"
hosts = [{ name = "web1", address = "deploy@web1" }]
"#;

/// A good environment of two hosts, to be put after the three lines on top.
const TWO_HOSTS: &str = r#"
[environments.production]
path = "/srv/shop"
[[environments.production.hosts]]
name = "web1"
address = "deploy@web1"
roles = ["web", "migrate"]
[[environments.production.hosts]]
name = "web2"
address = "deploy@web2"
roles = ["web"]
"#;

/// One fault of nearly every kind.
const MANY: &str = r#"app = "My Shop"
repository = "https://github.com/acme/shop.git"
recipe = "laravell"
sorce = "build"

[build]
timeout = 900
sandbox = "always"
steps = ["composer install", ""]

[shared]
dirs = ["storage", "storage/app", "/var/log"]

[steps]
migrate = "php artisan migrate"

[environments.production]
branch = "refs/heads/main"
pth = "/srv/shop"
keep_releases = 1000
lock_wait = "10"

[[environments.production.hosts]]
name = "web 1"
address = "deploy@web1:0"
roles = ["web", "wrker"]

[[environments.production.hosts]]
name = "web2"

[environments.production.health]
url = "localhost/health"
attempts = "many"

[[environments.production.workers]]
expect = 0
hand_over = "drain"
dran_timeout = "30s"

[environments.production.php_fpm]
service = "php8.2-fpm.service; reboot"
after_swap = "restart"

[environments."staging!"]
"#;

fn told(text: &str) -> String {
    match Config::parse("cutover.toml", text) {
        Ok(config) => panic!("nothing is told about\n{text}\nit reads as\n{config:#?}"),
        Err(problems) => {
            assert!(
                !problems.problems.is_empty(),
                "refused without a word:\n{text}"
            );
            problems.to_string()
        }
    }
}

#[track_caller]
fn broken(good: &str, bad: &str) -> String {
    assert!(GOOD.contains(good), "the good file has no {good:?}");
    told(&GOOD.replacen(good, bad, 1))
}

/// The good file with more lines in its environment.
fn appended(more: &str) -> String {
    told(&format!("{GOOD}{more}"))
}

fn two_hosts(good: &str, bad: &str) -> String {
    assert!(TWO_HOSTS.contains(good), "the two hosts have no {good:?}");
    told(&format!(
        "app = \"shop\"\nrepository = \"github:acme/shop\"\nrecipe = \"laravel\"\n{}",
        TWO_HOSTS.replacen(good, bad, 1)
    ))
}

#[test]
fn the_good_files_are_good() {
    Config::parse("cutover.toml", GOOD).unwrap();
    Config::parse(
        "cutover.toml",
        &format!("app = \"a\"\nrepository = \"github:a/b\"\n{TWO_HOSTS}"),
    )
    .unwrap();
}

#[test]
fn of_very_many_problems_the_first_are_shown() {
    let lines: Vec<String> = (0..500).map(|n| format!("\"a-{n}\" = \"\"")).collect();
    let told = appended(&format!("[build.env]\n{}\n", lines.join("\n")));
    assert_eq!(told.lines().count(), 2 * 50 + 1);
    assert_snapshot!(told.lines().last().unwrap(), @"500 problems in cutover.toml, the first 50 are shown");
}

#[test]
fn many_faults_are_told_at_once() {
    assert_snapshot!(told(MANY), @r#"
    cutover.toml:1:7: app: `My Shop` is not an app name
      help: write 1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit
    cutover.toml:2:14: repository: `https://github.com/acme/shop.git` is an address for git
      help: write `"github:acme/shop"`
    cutover.toml:3:10: recipe: `laravell` is not known
      help: did you mean `"laravel"`? write one of `laravel`, `none`
    cutover.toml:4:1: sorce: unknown key
      help: did you mean `source`?
    cutover.toml:7:11: build.timeout: text in quotes is wanted, a whole number is given
      help: write `timeout = "900s"`
    cutover.toml:8:11: build.sandbox: `always` is not known
      help: write one of `auto`, `require`, `off`
    cutover.toml:9:30: build.steps[1]: the step is empty
      help: write a shell line, or take the entry out
    cutover.toml:12:20: shared.dirs[1]: `storage/app` is inside `storage`, which is shared whole
      help: leave the inner one out
    cutover.toml:12:35: shared.dirs[2]: `/var/log` is absolute
      help: write it from the folder of the release on: `"storage/app"`
    cutover.toml:15:11: steps.migrate: a list is wanted, text is given
      help: write `migrate = ["php artisan migrate"]`
    cutover.toml:18:10: environments.production.branch: `refs/heads/main` is a whole ref
      help: write the bare name: `"main"`
    cutover.toml:19:1: environments.production.pth: unknown key
      help: did you mean `path`?
    cutover.toml:20:17: environments.production.keep_releases: 1000 is too large
      help: write a whole number from 1 to 100
    cutover.toml:21:13: environments.production.lock_wait: `10` is not a length of time
      help: write a whole number and a unit: `500ms`, `30s`, `10m`, `2h`
    cutover.toml:24:8: environments.production.hosts[0].name: `web 1` is not a host name
      help: write 1 to 63 of a-z, A-Z, 0-9, `.`, `-` and `_`, beginning with a letter or digit
    cutover.toml:25:11: environments.production.hosts[0].address: `deploy@web1:0` has no such port
      help: write a port from 1 to 65535
    cutover.toml:26:17: environments.production.hosts[0].roles[1]: `wrker` is not known
      help: did you mean `"worker"`? write one of `web`, `worker`, `migrate`
    cutover.toml:28:1: environments.production.hosts[1].address: a required key is missing
      help: write `address = "deploy@web1.example.com"` under `[[environments.production.hosts]]`
    cutover.toml:28:1: environments.production.hosts[1].roles: one of several hosts must say what it does
      help: write `roles = ["web"]`, with any of `web`, `worker`, `migrate`
    cutover.toml:32:7: environments.production.health.url: `localhost/health` is not a URL of http or https
      help: write a whole address: `"http://127.0.0.1/health"`
    cutover.toml:33:12: environments.production.health.attempts: a whole number is wanted, text is given
      help: write `attempts = 10`
    cutover.toml:35:1: environments.production.workers[0].group: a required key is missing
      help: write `group = "shop-worker"` under `[[environments.production.workers]]`
    cutover.toml:36:10: environments.production.workers[0].expect: 0 is too small
      help: write a whole number from 1 to 1000
    cutover.toml:38:1: environments.production.workers[0].dran_timeout: unknown key
      help: did you mean `drain_timeout`?
    cutover.toml:41:11: environments.production.php_fpm.service: `php8.2-fpm.service; reboot` is not the name of a systemd unit
      help: write the bare name, of letters, digits, `.`, `_`, `-` and `@`: `"php8.2-fpm"`
    cutover.toml:42:14: environments.production.php_fpm.after_swap: `restart` is not known
      help: write one of `auto`, `nothing`, `reset`, `reload`
    cutover.toml:44:1: environments."staging!".path: a required key is missing
      help: write `path = "/srv/shop"` under `[environments."staging!"]`
    cutover.toml:44:1: environments."staging!".hosts: a required key is missing
      help: add a table `[[environments."staging!".hosts]]`
    cutover.toml:44:15: environments."staging!": `staging!` is not an environment name
      help: write 1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit
    29 problems in cutover.toml
    "#);
}
