use insta::assert_snapshot;

use super::{GOOD, appended, broken, told, two_hosts};

#[test]
fn several_hosts_must_say_what_they_do() {
    assert_snapshot!(two_hosts("roles = [\"web\"]\n", ""), @r#"
    cutover.toml:11:1: environments.production.hosts[1].roles: one of several hosts must say what it does
      help: write `roles = ["web"]`, with any of `web`, `worker`, `migrate`
    1 problem in cutover.toml
    "#);
}

#[test]
fn hosts_do_not_share_names_or_machines() {
    assert_snapshot!(two_hosts("name = \"web2\"\naddress = \"deploy@web2\"", "name = \"web1\"\naddress = \"root@WEB1:22\""), @r#"
    cutover.toml:12:8: environments.production.hosts[1].name: another host is called `web1` too
      help: give each host a name of its own
    cutover.toml:13:11: environments.production.hosts[1].address: this is the same machine as environments.production.hosts[0]
      help: name each machine once per environment, with all its roles
    2 problems in cutover.toml
    "#);
}

#[test]
fn an_unknown_role_is_told_and_its_absence_not_held_against_it() {
    assert_snapshot!(two_hosts("[\"web\", \"migrate\"]", "[\"web\", \"migrat\", \"web\"]"), @r#"
    cutover.toml:10:17: environments.production.hosts[0].roles[1]: `migrat` is not known
      help: did you mean `"migrate"`? write one of `web`, `worker`, `migrate`
    cutover.toml:10:27: environments.production.hosts[0].roles[2]: "web" is given twice
      help: name each only once
    2 problems in cutover.toml
    "#);
}

#[test]
fn a_host_without_any_role_is_refused() {
    assert_snapshot!(two_hosts("roles = [\"web\"]", "roles = []"), @r#"
    cutover.toml:14:9: environments.production.hosts[1].roles: the list is empty
      help: write `roles = ["web", "worker", "migrate"]`
    1 problem in cutover.toml
    "#);
}

#[test]
fn migrate_steps_need_a_migrate_host() {
    assert_snapshot!(two_hosts("[\"web\", \"migrate\"]", "[\"web\"]"), @r#"
    cutover.toml:7:1: environments.production.hosts: there are migrate steps and no host with the role `migrate`
      help: add `"migrate"` to the roles of a host, or write `migrate = []` under `[steps]`
    1 problem in cutover.toml
    "#);
}

#[test]
fn health_goes_through_a_pool_only_where_there_is_one() {
    let health =
        "[environments.production.health]\nurl = \"http://127.0.0.1/health\"\nthrough = \"fpm\"\n";
    assert_snapshot!(appended(health), @"
    cutover.toml:11:11: environments.production.health.through: there is no pool that could be asked
      help: add `pool` to a table `php_fpm`, or take `through` out
    1 problem in cutover.toml
    ");
    assert_snapshot!(appended(&format!("{health}[environments.production.php_fpm]\nservice = \"php8.2-fpm\"\nafter_swap = \"reload\"\n")), @"
    cutover.toml:11:11: environments.production.health.through: there is no pool that could be asked
      help: add `pool` to a table `php_fpm`, or take `through` out
    1 problem in cutover.toml
    ");
    let pool = "[environments.production.php_fpm]\npool = \"/run/php/php8.2-fpm.sock\"\n";
    let good = cutover_deploy::Config::parse("cutover.toml", &format!("{GOOD}{health}{pool}"));
    assert!(good.is_ok(), "{good:?}");
}

#[test]
fn a_database_is_migrated_by_one_host() {
    assert_snapshot!(two_hosts("[\"web\"]", "[\"web\", \"migrate\"]"), @r#"
    cutover.toml:14:9: environments.production.hosts[1].roles: web1 and web2 would both migrate the database `default`
      help: take `"migrate"` out of the roles of one, or name two databases: `database = "eu"`
    1 problem in cutover.toml
    "#);
    assert_snapshot!(two_hosts("[\"web\"]", "[\"web\"]\ndatabase = \"asia\""), @r#"
    cutover.toml:15:12: environments.production.hosts[1].database: no host migrates the database `asia`
      help: add `"migrate"` to the roles of one of its hosts, or take `database` out
    1 problem in cutover.toml
    "#);
    assert_snapshot!(two_hosts("[\"web\"]", "[\"web\", \"migrate\"]\ndatabase = \"EU 1\""), @"
    cutover.toml:15:12: environments.production.hosts[1].database: `EU 1` is not a name for a database
      help: write 1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit
    1 problem in cutover.toml
    ");
}

#[test]
fn each_of_several_databases_has_a_host_that_migrates_it() {
    let apart = "roles = [\"web\", \"migrate\"]\ndatabase = \"asia\"";
    let text = format!(
        "{GOOD}\n[[environments.staging.hosts]]\nname = \"a\"\naddress = \"a\"\n{apart}\n\
        [[environments.staging.hosts]]\nname = \"b\"\naddress = \"b\"\nroles = [\"web\", \"migrate\"]\n\
        [[environments.staging.hosts]]\nname = \"c\"\naddress = \"c\"\nroles = [\"web\"]\ndatabase = \"asia\"\n\
        [environments.staging]\npath = \"/srv/staging\"\n"
    );
    cutover_deploy::Config::parse("cutover.toml", &text).unwrap();
}

#[test]
fn what_is_to_be_rolled_back_needs_steps_that_do_it() {
    let keys = "steps.migrate_back = []\n\n[environments.production]\nmigrations.on_rollback = \"roll_back\"";
    assert_snapshot!(broken("[environments.production]", keys), @r#"
    cutover.toml:8:26: environments.production.migrations.on_rollback: there are no steps that roll migrations back
      help: write `migrate_back` under `[steps]`, or `on_rollback = "keep"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn workers_need_a_worker_host() {
    assert_snapshot!(two_hosts("path =", "workers = [{ group = \"w\" }]\npath ="), @r#"
    cutover.toml:6:11: environments.production.workers: workers run on hosts with the role `worker`, and there is none
      help: add `"worker"` to the roles of a host, or take `workers` out
    1 problem in cutover.toml
    "#);
}

#[test]
fn php_fpm_and_health_need_a_web_host() {
    assert_snapshot!(broken("address = \"deploy@web1\" }]", "address = \"deploy@web1\", roles = [\"migrate\"] }]\nphp_fpm = { service = \"php8.2-fpm\" }\nhealth = { url = \"http://127.0.0.1/\" }"), @r#"
    cutover.toml:9:11: environments.production.php_fpm: PHP-FPM runs on hosts with the role `web`, and there is none
      help: add `"web"` to the roles of a host, or take `php_fpm` out
    cutover.toml:9:11: environments.production.php_fpm: without `pool` there is nothing that could be done
      help: add `pool`, or say `after_swap = "nothing"`, or take the table out
    cutover.toml:10:10: environments.production.health: health is asked on hosts with the role `web`, and there is none
      help: add `"web"` to the roles of a host, or take `health` out
    3 problems in cutover.toml
    "#);
}

#[test]
fn worker_groups_are_bare_names_given_once() {
    assert_snapshot!(appended("[[environments.production.workers]]\ngroup = \"shop:*\"\n[[environments.production.workers]]\ngroup = \"w\"\n[[environments.production.workers]]\ngroup = \"w\"\n"), @r#"
    cutover.toml:10:9: environments.production.workers[0].group: `shop:*` is not the name of a supervisor group
      help: write the bare name, of letters, digits, `.`, `_`, `-` and `@`: `"shop-worker"`
    cutover.toml:14:9: environments.production.workers[2].group: the group `w` is given twice
      help: write one table for each group
    2 problems in cutover.toml
    "#);
}

#[test]
fn shared_paths_stay_inside_and_apart() {
    assert_snapshot!(appended("[shared]\nfiles = [\"/etc/passwd\", \"../x\", \"a\\nb\", \"storage/key\", \".env\", \"\"]\ndirs = [\"storage\", \".env\", \"REVISION\", \"-rf\"]\n"), @r#"
    cutover.toml:10:10: shared.files[0]: `/etc/passwd` is absolute
      help: write it from the folder of the release on: `"storage/app"`
    cutover.toml:10:25: shared.files[1]: `../x` contains `..`
      help: write the path without going up
    cutover.toml:10:33: shared.files[2]: `a\nb` contains a control character
      help: write a path of printable characters, on one line
    cutover.toml:10:41: shared.files[3]: `storage/key` is inside `storage`, which is shared whole
      help: leave the inner one out
    cutover.toml:10:64: shared.files[5]: the path is empty
      help: write a path below the release: `"storage"`
    cutover.toml:11:20: shared.dirs[1]: `.env` is shared twice
      help: leave one of the two out; a path is a file or a folder
    cutover.toml:11:28: shared.dirs[2]: `REVISION` is cutover's own, in every release
      help: leave it out
    cutover.toml:11:40: shared.dirs[3]: `-rf` begins with a dash, which programs take for an option
      help: rename the file
    8 problems in cutover.toml
    "#);
}

#[test]
fn excluded_paths_are_no_patterns() {
    assert_snapshot!(appended("[build]\nexclude = [\"*.log\", \"/tests\"]\n"), @r#"
    cutover.toml:10:12: build.exclude[0]: `*.log` is a pattern
      help: write names or paths, one by one; patterns are not read here
    cutover.toml:10:21: build.exclude[1]: `/tests` is absolute
      help: write it from the folder of the release on: `"storage/app"`
    2 problems in cutover.toml
    "#);
}

#[test]
fn empty_steps_are_refused() {
    assert_snapshot!(appended("[build]\nsteps = [\"\"]\n[steps]\nafter_swap = [\"  \", \"a\\u0000b\"]\n"), @r#"
    cutover.toml:10:10: build.steps[0]: the step is empty
      help: write a shell line, or take the entry out
    cutover.toml:12:15: steps.after_swap[0]: the step is empty
      help: write a shell line, or take the entry out
    cutover.toml:12:21: steps.after_swap[1]: the step contains the control character `\0`
      help: take it out; lines are ended by a line feed alone
    3 problems in cutover.toml
    "#);
}

#[test]
fn variables_have_names_that_a_shell_can_hold() {
    assert_snapshot!(appended("[build.env]\n\"A-B\" = \"1\"\nCUTOVER_ID = \"2\"\nOK = \"a\\u0000b\"\n"), @r#"
    cutover.toml:10:1: build.env.A-B: `A-B` is not the name of a variable
      help: write A-Z, a-z, 0-9 and `_`, not beginning with a digit: `APP_ENV`
    cutover.toml:11:1: build.env.CUTOVER_ID: names that begin with `CUTOVER_` are cutover's own
      help: choose another name
    cutover.toml:12:6: build.env.OK: the value contains a NUL
      help: take it out; no variable can hold one
    3 problems in cutover.toml
    "#);
}

#[test]
fn two_environments_do_not_fight_over_one_current() {
    assert_snapshot!(appended("[environments.staging]\npath = \"/srv/shop\"\nhosts = [{ name = \"also-web1\", address = \"root@web1:22\" }]\n"), @r#"
    cutover.toml:11:42: environments.staging.hosts[0].address: staging and production would fight over the same `/srv/shop/current`
      help: give each environment a path or a host of its own
    1 problem in cutover.toml
    "#);
}

#[test]
fn two_environments_do_not_share_workers() {
    assert_snapshot!(told(&format!("{GOOD}workers = [{{ group = \"w\" }}]\n[environments.staging]\npath = \"/srv/staging\"\nhosts = [{{ name = \"web1\", address = \"web1\" }}]\nworkers = [{{ group = \"w\" }}]\n")), @r#"
    cutover.toml:13:22: environments.staging.workers[0].group: on web1 these are the workers of production too
      help: give each environment a supervisor group of its own
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_manager_of_workers_knows_what_it_can() {
    let tables = [
        "manager = \"horizon\"\ngroup = \"a\"\nhand_over = \"overlap\"",
        "manager = \"systemd\"\ngroup = \"b@c\"\nhand_over = \"overlap\"\nprocess = \"artisan\"\nend = \"true\"",
        "manager = \"command\"\ngroup = \"d\"\nstart = \"two\\nlines\"",
        "manager = \"command\"\ngroup = \"e\"\nstart = \"bin/start\"",
        "manager = \"pm2\"\ngroup = \"f\"",
    ];
    let text = tables.map(|table| format!("[[environments.production.workers]]\n{table}\n"));
    let text = text.concat();
    assert_snapshot!(appended(&text), @r#"
    cutover.toml:12:13: environments.production.workers[0].hand_over: horizon knows no overlap
      help: write `hand_over = "drain"`
    cutover.toml:15:9: environments.production.workers[1].group: with an overlap `@` stands between a group and a release
      help: take the `@` out
    cutover.toml:17:11: environments.production.workers[1].process: systemd knows its processes by their group
      help: take it out
    cutover.toml:18:7: environments.production.workers[1].end: systemd knows how to end workers
      help: take it out, or write `manager = "command"`
    cutover.toml:22:9: environments.production.workers[2].start: `two\nlines` is no line
      help: write one line, or call a script of yours in it
    cutover.toml:23:1: environments.production.workers[3]: nothing says which processes these workers are
      help: add a text of their command line: `process = "artisan queue:work"`
    cutover.toml:23:1: environments.production.workers[3]: `start` and an overlap belong together
      help: write `hand_over = "overlap"`, or take `start` out
    cutover.toml:28:11: environments.production.workers[4].manager: `pm2` is not known
      help: write one of `supervisor`, `systemd`, `systemd_user`, `horizon`, `queue_restart`, `command`, `docker`, `compose`, `kubernetes`
    8 problems in cutover.toml
    "#);
}
