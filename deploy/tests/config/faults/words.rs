use insta::assert_snapshot;

use super::broken;

#[test]
fn a_bad_app_name_is_told_the_rule() {
    assert_snapshot!(broken("\"shop\"", "\"My Shop\""), @r#"
    cutover.toml:1:7: app: `My Shop` is not an app name
      help: write 1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_bad_environment_name_does_not_hide_what_is_in_it() {
    assert_snapshot!(broken("[environments.production]", "[environments.\"Live Site\"]\nkeep_failed = 99"), @r#"
    cutover.toml:5:15: environments."Live Site": `Live Site` is not an environment name
      help: write 1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit
    cutover.toml:6:15: environments."Live Site".keep_failed: 99 is too large
      help: write a whole number from 0 to 20
    2 problems in cutover.toml
    "#);
}

#[test]
fn a_clone_address_is_shortened() {
    assert_snapshot!(broken("\"github:acme/shop\"", "\"git@github.com:acme/shop.git\""), @r#"
    cutover.toml:2:14: repository: `git@github.com:acme/shop.git` is an address for git
      help: write `"github:acme/shop"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_repository_on_an_unknown_forge_is_refused() {
    assert_snapshot!(broken("\"github:acme/shop\"", "\"gitea:acme/shop\""), @r#"
    cutover.toml:2:14: repository: `gitea:acme/shop` is on a forge that is not known
      help: write `github:owner/name` or `gitlab:group/name`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_branch_with_control_characters_is_refused_and_escaped() {
    assert_snapshot!(broken("\"main\"", "\"ma\\u001b[2Jin\""), @r#"
    cutover.toml:6:10: environments.production.branch: `ma\u{1b}[2Jin` is not a name that git allows for a branch
      help: write it as git shows it: `"main"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_whole_ref_is_shortened() {
    assert_snapshot!(broken("\"main\"", "\"refs/heads/main\""), @r#"
    cutover.toml:6:10: environments.production.branch: `refs/heads/main` is a whole ref
      help: write the bare name: `"main"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_path_must_be_absolute() {
    assert_snapshot!(broken("\"/srv/shop\"", "\"srv/shop\""), @r#"
    cutover.toml:7:8: environments.production.path: `srv/shop` is not absolute
      help: begin with `/`: `"/srv/shop"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_path_must_not_go_up() {
    assert_snapshot!(broken("\"/srv/shop\"", "\"/srv/../etc\""), @r#"
    cutover.toml:7:8: environments.production.path: `/srv/../etc` contains `..`
      help: write the path without going up
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_path_ends_without_a_slash() {
    assert_snapshot!(broken("\"/srv/shop\"", "\"/srv/shop/\""), @r#"
    cutover.toml:7:8: environments.production.path: `/srv/shop/` ends with a slash
      help: write `/srv/shop`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_path_is_not_the_root() {
    assert_snapshot!(broken("\"/srv/shop\"", "\"/\""), @r#"
    cutover.toml:7:8: environments.production.path: `/` is the root of the host
      help: give the app a folder of its own: `"/srv/shop"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_length_of_time_needs_a_unit() {
    assert_snapshot!(broken("branch =", "lock_wait = \"ten minutes\"\nstep_timeout = \"0s\"\nbranch ="), @r#"
    cutover.toml:6:13: environments.production.lock_wait: `ten minutes` is not a length of time
      help: write a whole number and a unit: `500ms`, `30s`, `10m`, `2h`
    cutover.toml:7:16: environments.production.step_timeout: `0s` is too short
      help: write a length of time from `1s` to `24h`
    2 problems in cutover.toml
    "#);
}

#[test]
fn an_address_needs_no_scheme() {
    assert_snapshot!(broken("deploy@web1", "ssh://deploy@web1"), @r#"
    cutover.toml:8:37: environments.production.hosts[0].address: `ssh://deploy@web1` is not an address
      help: write `user@host` or `user@host:port`: `"deploy@web1.example.com:22"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn an_ipv6_address_needs_brackets() {
    assert_snapshot!(broken("deploy@web1", "deploy@2001:db8::1"), @r#"
    cutover.toml:8:37: environments.production.hosts[0].address: `deploy@2001:db8::1` is not an address
      help: put an IPv6 address into brackets: `"deploy@[2001:db8::1]:22"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn an_address_is_no_option_for_ssh() {
    assert_snapshot!(broken("deploy@web1", "-oProxyCommand=id"), @r#"
    cutover.toml:8:37: environments.production.hosts[0].address: `-oProxyCommand=id` names no host that could be
      help: write `user@host` or `user@host:port`: `"deploy@web1.example.com:22"`
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_port_out_of_range_is_refused() {
    assert_snapshot!(broken("deploy@web1", "deploy@web1:70000"), @r#"
    cutover.toml:8:37: environments.production.hosts[0].address: `deploy@web1:70000` has no such port
      help: write a port from 1 to 65535
    1 problem in cutover.toml
    "#);
}

#[test]
fn an_environment_needs_hosts() {
    assert_snapshot!(broken("[{ name = \"web1\", address = \"deploy@web1\" }]", "[]"), @r#"
    cutover.toml:8:9: environments.production.hosts: the list is empty
      help: write tables `[[environments.production.hosts]]`, with two brackets
    1 problem in cutover.toml
    "#);
}

#[test]
fn a_host_needs_name_and_address() {
    assert_snapshot!(broken("{ name = \"web1\", address = \"deploy@web1\" }", "{}"), @r#"
    cutover.toml:8:10: environments.production.hosts[0].name: a required key is missing
      help: write `name = "web1"` under `[[environments.production.hosts]]`
    cutover.toml:8:10: environments.production.hosts[0].address: a required key is missing
      help: write `address = "deploy@web1.example.com"` under `[[environments.production.hosts]]`
    2 problems in cutover.toml
    "#);
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    assert_snapshot!(broken("\"github:acme/shop\"", "\"https://me:hunter2@example.com/shop.git\""), @r#"
    cutover.toml:2:14: repository: `https://…@example.com/shop.git` is on a forge that is not known
      help: write `github:owner/name` or `gitlab:group/name`
    1 problem in cutover.toml
    "#);
}
