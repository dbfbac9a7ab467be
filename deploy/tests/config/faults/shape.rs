use insta::assert_snapshot;

use super::{appended, broken, told};

#[test]
fn an_empty_file_is_told_what_must_be_in_it() {
    assert_snapshot!(told(""), @r#"
    cutover.toml:1:1: app: a required key is missing
      help: write `app = "shop"` at the top of the file
    cutover.toml:1:1: repository: a required key is missing
      help: write `repository = "github:acme/shop"` at the top of the file
    cutover.toml:1:1: environments: a required key is missing
      help: add a table `[environments.production]`
    3 problems in cutover.toml
    "#);
}

#[test]
fn broken_toml_is_told_by_line() {
    assert_snapshot!(told("app = \"shop\"\nrepository = \n[environments.production\npath = /srv\n"), @r#"
    cutover.toml:2:14: string values must be quoted, expected literal string
      help: each line is `key = value` or `[table]`, and text stands in quotes: `branch = "main"`
    cutover.toml:3:25: unclosed table, expected `]`
      help: each line is `key = value` or `[table]`, and text stands in quotes: `branch = "main"`
    2 problems in cutover.toml
    "#);
}

#[test]
fn a_key_given_twice_does_not_hide_other_faults() {
    assert_snapshot!(told("app = \"shop\"\napp = \"Shop\"\nrepository = \"acme/shop\"\n[environments]\n"), @r#"
    cutover.toml:2:1: `app` is given twice
      help: keep one of the two; a table may be opened only once
    cutover.toml:3:14: repository: `acme/shop` does not say which forge
      help: write `github:owner/name` or `gitlab:group/name`
    cutover.toml:4:1: environments: there is no environment to deploy to
      help: add a table `[environments.production]` with `path` and hosts
    3 problems in cutover.toml
    "#);
}

#[test]
fn a_table_given_twice_is_told() {
    assert_snapshot!(appended("\n[environments.production]\nurl = \"https://x.example\"\n"), @r#"
    cutover.toml:10:15: `production` is given twice
      help: keep one of the two; a table may be opened only once
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_slip_in_a_key_is_answered_with_the_key() {
    assert_snapshot!(broken("path =", "pth ="), @r#"
    cutover.toml:7:1: environments.production.pth: unknown key
      help: did you mean `path`?
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_key_in_the_wrong_table_is_sent_home() {
    assert_snapshot!(broken("recipe =", "branch = \"main\"\nrecipe ="), @r#"
    cutover.toml:3:1: branch: unknown key
      help: it belongs in `[environments.NAME]`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_key_from_elsewhere_is_answered_with_what_is_known() {
    assert_snapshot!(appended("[environments.production.php_fpm]\nservice = \"php8.2-fpm\"\nsocket = \"/run/x\"\n"), @r#"
    cutover.toml:9:1: environments.production.php_fpm: without `pool` there is nothing that could be done
      help: add `pool`, or say `after_swap = "nothing"`, or take the table out
    cutover.toml:11:1: environments.production.php_fpm.socket: unknown key
      help: known here: `pool`, `script`, `warm`, `service`, `after_swap`, `sudo`
    2 problems in cutover.toml
    "#);
}

#[test]
fn a_hostile_key_is_shown_escaped() {
    assert_snapshot!(broken("recipe =", "\"\\u001b[31m\\n\" = 1\nrecipe ="), @r#"
    cutover.toml:3:1: "\u{1b}[31m\n": unknown key
      help: known here: `app`, `repository`, `source`, `recipe`, `build`, `shared`, `steps`, `environments`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_table_where_a_list_of_tables_is_wanted_is_told_of_the_brackets() {
    assert_snapshot!(broken("hosts = [{ name = \"web1\", address = \"deploy@web1\" }]", "[environments.production.hosts]\nname = \"web1\""), @r#"
    cutover.toml:8:1: environments.production.hosts: a list is wanted, a table is given
      help: write tables `[[environments.production.hosts]]`, with two brackets
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_number_where_a_length_of_time_is_wanted_gets_its_unit() {
    assert_snapshot!(broken("branch =", "lock_wait = 30\nbranch ="), @r#"
    cutover.toml:6:13: environments.production.lock_wait: text in quotes is wanted, a whole number is given
      help: write `lock_wait = "30s"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn one_step_as_text_is_shown_as_a_list() {
    assert_snapshot!(appended("[steps]\nmigrate = \"php artisan migrate\"\n"), @r#"
    cutover.toml:10:11: steps.migrate: a list is wanted, text is given
      help: write `migrate = ["php artisan migrate"]`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_number_among_steps_does_not_hide_an_empty_one() {
    assert_snapshot!(appended("[steps]\nprepare = [1, \"\", \"true\"]\n"), @r#"
    cutover.toml:10:12: steps.prepare[0]: text in quotes is wanted, a whole number is given
      help: write text in quotes
    cutover.toml:10:15: steps.prepare[1]: the step is empty
      help: write a shell line, or take the entry out
    2 problems in cutover.toml
    "#);
}

#[test]
fn yes_is_no_boolean() {
    assert_snapshot!(appended("[[environments.production.workers]]\ngroup = \"w\"\nsudo = \"yes\"\nexpect = \"2\"\n"), @r#"
    cutover.toml:11:8: environments.production.workers[0].sudo: true or false is wanted, text is given
      help: write `sudo = true`
    cutover.toml:12:10: environments.production.workers[0].expect: a whole number is wanted, text is given
      help: write `expect = 2`
    2 problems in cutover.toml
    "#);
}

#[test]
fn an_unknown_recipe_is_answered_with_those_there_are() {
    assert_snapshot!(broken("\"laravel\"", "\"larvel\""), @r#"
    cutover.toml:3:10: recipe: `larvel` is not known
      help: did you mean `"laravel"`? write one of `laravel`, `none`
    1 problem in cutover.toml
    "#);
}

#[test]
fn an_unknown_source_is_answered_with_the_only_one() {
    assert_snapshot!(broken("recipe =", "source = \"git\"\nrecipe ="), @r#"
    cutover.toml:3:10: source: `git` is not known
      help: write `"build"`, the only one there is
    1 problem in cutover.toml
    "#);
}

#[test]
fn an_unknown_sandbox_is_told() {
    assert_snapshot!(appended("[build]\nsandbox = true\n[build.env]\nA = 1\n"), @r#"
    cutover.toml:10:11: build.sandbox: text in quotes is wanted, true or false is given
      help: write `sandbox = "auto"`
    cutover.toml:12:5: build.env.A: text in quotes is wanted, a whole number is given
      help: write `A = "1"`
    2 problems in cutover.toml
    "#);
}

#[test]
fn hand_over_knows_its_words() {
    assert_snapshot!(appended("[[environments.production.workers]]\ngroup = \"w\"\nhand_over = \"drian\"\nafter_drain = \"kill\"\n"), @r#"
    cutover.toml:11:13: environments.production.workers[0].hand_over: `drian` is not known
      help: did you mean `"drain"`? write one of `overlap`, `drain`, `restart`
    cutover.toml:12:15: environments.production.workers[0].after_drain: `kill` is not known
      help: write one of `fail`, `force`, `keep`
    2 problems in cutover.toml
    "#);
}

#[test]
fn numbers_out_of_range_are_told_their_range() {
    assert_snapshot!(broken("branch =", "keep_releases = 0\nkeep_failed = -1\nbranch ="), @r#"
    cutover.toml:6:17: environments.production.keep_releases: 0 is too small
      help: write a whole number from 1 to 100
    cutover.toml:7:15: environments.production.keep_failed: -1 is too small
      help: write a whole number from 0 to 20
    2 problems in cutover.toml
    "#);
}

#[test]
fn a_health_check_without_attempts_is_refused() {
    assert_snapshot!(appended("[environments.production.health]\nurl = \"http://127.0.0.1/\"\nattempts = 0\nstatus = 99\ntimeout = \"0s\"\ninterval = \"11m\"\n"), @r#"
    cutover.toml:11:12: environments.production.health.attempts: 0 is too small
      help: write a whole number from 1 to 1000
    cutover.toml:12:10: environments.production.health.status: 99 is too small
      help: write a whole number from 200 to 599
    cutover.toml:13:11: environments.production.health.timeout: `0s` is too short
      help: write a length of time from `100ms` to `10m`
    cutover.toml:14:12: environments.production.health.interval: `11m` is too long
      help: write a length of time from `100ms` to `10m`
    4 problems in cutover.toml
    "#);
}

#[test]
fn a_health_url_is_one_of_http() {
    assert_snapshot!(appended("[environments.production.health]\nurl = \"127.0.0.1/health\"\nhost_header = \"http://shop\"\ncontains = \"\"\nrelease_field = \"a..b\"\n"), @r#"
    cutover.toml:10:7: environments.production.health.url: `127.0.0.1/health` is not a URL of http or https
      help: write a whole address: `"http://127.0.0.1/health"`
    cutover.toml:11:15: environments.production.health.host_header: `http://shop` is not a host
      help: write the bare name, without `http://` and path: `"shop.example.com"`
    cutover.toml:12:12: environments.production.health.contains: everything contains the empty text
      help: write what only a good answer contains
    cutover.toml:13:17: environments.production.health.release_field: `a..b` is not the path of a JSON field
      help: write the names on the way to the field with dots between: `"database.ok"`
    4 problems in cutover.toml
    "#);
}

#[test]
fn what_is_wanted_of_an_answer_is_told_where_it_makes_no_sense() {
    assert_snapshot!(appended("[environments.production.health]\nurl = \"http://127.0.0.1/health\"\nrelease_header = \"X Release\"\nheaders = { \"\" = \"x\", Server = \"\", \"X-App\" = 1 }\nthrough = \"pool\"\noutside = [\"shop.example.com\", \"https://a:b@shop.example.com/\", \"https://x.example.com\", \"https://x.example.com\"]\n"), @r#"
    cutover.toml:11:18: environments.production.health.release_header: `X Release` is not the name of a header
      help: write the bare name: `X-Release`
    cutover.toml:12:13: environments.production.health.headers."": `""` is not the name of a header
      help: write the bare name: `X-Release`
    cutover.toml:12:32: environments.production.health.headers.Server: everything contains the empty text
      help: write what only a good answer contains
    cutover.toml:12:46: environments.production.health.headers.X-App: text in quotes is wanted, a whole number is given
      help: write `X-App = "1"`
    cutover.toml:13:11: environments.production.health.through: `pool` is not known
      help: write one of `web`, `fpm`
    cutover.toml:14:12: environments.production.health.outside[0]: `shop.example.com` is not a URL of http or https
      help: write a whole address: `"https://shop.example.com/health"`
    cutover.toml:14:32: environments.production.health.outside[1]: the URL carries a user or a password
      help: leave it out: `"https://shop.example.com/health"`
    cutover.toml:14:90: environments.production.health.outside[3]: the address is given twice
      help: name it once
    8 problems in cutover.toml
    "#);
}

#[test]
fn a_health_check_without_a_url_is_refused() {
    assert_snapshot!(appended("[environments.production.health]\nattempts = 3\n"), @r#"
    cutover.toml:9:1: environments.production.health.url: a required key is missing
      help: write `url = "http://127.0.0.1/health"` under `[environments.production.health]`
    1 problem in cutover.toml
    "#);
}

#[test]
fn json_fields_are_values_that_json_has() {
    assert_snapshot!(appended("[environments.production.health]\nurl = \"http://127.0.0.1/\"\njson = { at = 2026-05-20, \"a.b\" = 1, a = { b = 2 }, n = nan, \"\" = 1, c = {} }\n"), @r#"
    cutover.toml:11:15: environments.production.health.json.at: JSON has no dates
      help: write it as text: `"2026-05-20"`
    cutover.toml:11:27: environments.production.health.json."a.b": the field is given twice
      help: keep one of the two
    cutover.toml:11:57: environments.production.health.json.n: JSON has no such number
      help: write a finite number
    cutover.toml:11:62: environments.production.health.json."": `""` is not the path of a JSON field
      help: write the names on the way to the field with dots between: `"database.ok"`
    cutover.toml:11:74: environments.production.health.json.c: no field is named
      help: write a field and its value: `"database.ok" = true`
    5 problems in cutover.toml
    "#);
}

#[test]
fn a_very_long_file_is_refused_unread() {
    assert_snapshot!(told(&"#".repeat(300_000)), @r#"
    cutover.toml:1:1: the file has 300000 bytes, more than the 262144 that are read
      help: move long scripts into the repository and call them from a step
    1 problem in cutover.toml
    "#);
}
