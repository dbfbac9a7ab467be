use insta::assert_snapshot;

use super::{appended, two_hosts};

const WATCH: &str = "watch = \"5m\"\n";

#[test]
fn alarms_need_a_time_and_a_place() {
    assert_snapshot!(appended("[environments.production.alarms]\nqueue = { failed = 0 }\nworkers = { restarts = 1 }\n"), @r#"
    cutover.toml:9:1: environments.production.alarms: alarms are looked at while a release is watched, which takes no time
      help: say for how long: `watch = "5m"` in the environment
    cutover.toml:11:11: environments.production.alarms.workers: there are no workers that could be looked at
      help: add a table `workers` to the environment, or take this one out
    2 problems in cutover.toml
    "#);
    let web = "name = \"web2\"\naddress = \"deploy@web2\"\nroles = [\"web\"]\n";
    let alarms = format!("{web}[environments.production.alarms]\nqueue = {{ failed = 0 }}\n");
    assert_snapshot!(two_hosts(web, &alarms), @r#"
    cutover.toml:15:1: environments.production.alarms: alarms are looked at while a release is watched, which takes no time
      help: say for how long: `watch = "5m"` in the environment
    cutover.toml:16:9: environments.production.alarms.queue: it is on hosts with the role `worker`, and there is none
      help: add `"worker"` to the roles of a host, or take `queue` out
    2 problems in cutover.toml
    "#);
}

#[test]
fn every_alarm_says_what_it_looks_at_and_when_it_rings() {
    assert_snapshot!(appended(&format!(
        "{WATCH}[environments.production.alarms]\ninterval = \"1h\"\ntimes = 0\naccess_log = {{ path = \"access.log\", percent = 100, then = \"undo\" }}\nqueue = {{ queues = [\"\"] }}\n\
         [[environments.production.alarms.prometheus]]\nurl = \"https://p.example.com/graph?g0.expr=up\"\nquery = \" \"\nabove = \"0.5\"\n\
         [[environments.production.alarms.commands]]\nname = \"a\\nb\"\nrun = \"\"\n"
    )), @r#"
    cutover.toml:11:12: environments.production.alarms.interval: `1h` is too long
      help: write a length of time from `100ms` to `10m`
    cutover.toml:12:9: environments.production.alarms.times: 0 is too small
      help: write a whole number from 1 to 1000
    cutover.toml:13:23: environments.production.alarms.access_log.path: `access.log` is not absolute
      help: begin with `/`: `"/srv/shop"`
    cutover.toml:13:47: environments.production.alarms.access_log.percent: 100 is too large
      help: write a whole number from 0 to 99
    cutover.toml:13:59: environments.production.alarms.access_log.then: `undo` is not known
      help: write one of `roll_back`, `tell`
    cutover.toml:14:9: environments.production.alarms.queue.failed: a required key is missing
      help: write `failed = 0` under `[environments.production.alarms.queue]`
    cutover.toml:14:21: environments.production.alarms.queue.queues[0]: `""` is not the name of a queue
      help: write the name that workers are given
    cutover.toml:15:1: environments.production.alarms.prometheus[0].name: a required key is missing
      help: write `name = "errors"` under `[[environments.production.alarms.prometheus]]`
    cutover.toml:16:7: environments.production.alarms.prometheus[0].url: the address is that of a query
      help: write it as it is given to Grafana: `"https://prometheus.example.com"`
    cutover.toml:17:9: environments.production.alarms.prometheus[0].query: ` ` is not a query
      help: write what Prometheus takes
    cutover.toml:18:9: environments.production.alarms.prometheus[0].above: a number is wanted
      help: write it without quotes: `0.05`
    cutover.toml:20:8: environments.production.alarms.commands[0].name: `a\nb` is not a name
      help: write at most 60 letters, digits, spaces, `.`, `_` and `-`
    cutover.toml:21:7: environments.production.alarms.commands[0].run: the step is empty
      help: write a shell line, or take the entry out
    13 problems in cutover.toml
    "#);
}

#[test]
fn a_token_goes_nowhere_but_where_it_was_made_for() {
    let prometheus = |name: &str, url: &str, token: &str| {
        format!(
            "[[environments.production.alarms.prometheus]]\nname = \"{name}\"\nurl = \"{url}\"\nquery = \"up\"\nabove = 1\ntoken_env = \"{token}\"\n"
        )
    };
    let all = [
        prometheus("a", "http://127.0.0.1:9090", "PROMETHEUS_TOKEN"),
        prometheus("a", "https://prometheus.example.com", "GITHUB_TOKEN"),
        prometheus("c", "http://127.0.0.1.example.com", "PROMETHEUS_TOKEN"),
        prometheus("d", "http://localhost/p", "prometheus token"),
    ];
    assert_snapshot!(appended(&format!("{WATCH}{}", all.concat())), @"
    cutover.toml:17:8: environments.production.alarms.prometheus[1].name: another alarm is called `a` too
      help: give each a name of its own
    cutover.toml:21:13: environments.production.alarms.prometheus[1].token_env: `GITHUB_TOKEN` may not be sent anywhere
      help: name a variable that begins with `PROMETHEUS_`: `PROMETHEUS_TOKEN`
    cutover.toml:24:7: environments.production.alarms.prometheus[2].url: the token would go to `http://127.0.0.1.example.com` in the clear
      help: write an address of https, or of this machine
    cutover.toml:33:13: environments.production.alarms.prometheus[3].token_env: `prometheus token` is not the name of a variable
      help: write A-Z, a-z, 0-9 and `_`, not beginning with a digit: `APP_ENV`
    4 problems in cutover.toml
    ");
}
