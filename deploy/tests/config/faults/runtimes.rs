use insta::assert_snapshot;

use super::{GOOD, appended, broken, told};

/// Tables of these lines each.
fn tables(lines: &[&str]) -> String {
    let table = |lines: &&str| format!("[[environments.production.runtimes]]\n{lines}\n");
    lines.iter().map(table).collect()
}

#[test]
fn a_runtime_has_what_its_kind_needs_and_no_more() {
    let told = appended(&tables(&[
        "kind = \"octane\"",
        "kind = \"reverb\"\ngroup = \"a\"\nmanager = \"horizon\"\nstart = \"x\"",
        "kind = \"nginx\"\nexpect = 2",
        "kind = \"command\"\ngroup = \"b\"\nstart = \"x\"",
        "kind = \"pulse\"\ngroup = \"nginx\"",
        "group = \"c\"",
        "kind = \"octan\"\ngroup = \"d:*\"",
    ]));
    assert_snapshot!(told, @r#"
    cutover.toml:9:1: environments.production.runtimes[0].group: nothing says which octane it is
      help: add its name in its manager: `group = "shop-octane"`
    cutover.toml:14:11: environments.production.runtimes[1].manager: horizon lists no reverb
      help: write `manager = "supervisor"`, `"systemd"` or `"systemd_user"`, or `kind = "command"`
    cutover.toml:15:9: environments.production.runtimes[1].start: reverb has no use for it
      help: take it out
    cutover.toml:18:10: environments.production.runtimes[2].expect: nginx has no use for it
      help: take it out
    cutover.toml:19:1: environments.production.runtimes[3].prove: nothing says whether lines of yours had the effect that they are for
      help: add a line that fails until the release answers: `prove = "curl -fsS http://127.0.0.1:8000/health | grep -qF $CUTOVER_RELEASE"`
    cutover.toml:25:9: environments.production.runtimes[4].group: `nginx` is given twice
      help: write one table for each group
    cutover.toml:26:1: environments.production.runtimes[5].kind: a required key is missing
      help: write `kind = "octane"` under `[[environments.production.runtimes]]`
    cutover.toml:29:8: environments.production.runtimes[6].kind: `octan` is not known
      help: did you mean `"octane"`? write one of `octane`, `reverb`, `pulse`, `ssr`, `apache`, `nginx`, `command`
    cutover.toml:30:9: environments.production.runtimes[6].group: `d:*` is not the name of a supervisor group
      help: write the bare name, of letters, digits, `.`, `_`, `-` and `@`: `"shop-octane"`
    9 problems in cutover.toml
    "#);
}

#[test]
fn runtimes_need_a_web_host_and_groups_of_their_own() {
    let table = "[[environments.production.runtimes]]\nkind = \"octane\"\ngroup = \"w\"\n";
    let workers = format!("[[environments.production.workers]]\ngroup = \"w\"\n{table}");
    assert_snapshot!(appended(&workers), @"
    cutover.toml:13:9: environments.production.runtimes[0].group: on web1 production has this group too
      help: give each runtime a group of its own
    1 problem in cutover.toml
    ");
    let before = told(&format!(
        "{GOOD}{table}[environments.staging]\npath = \"/srv/staging\"\nhosts = [{{ name = \"web1\", address = \"web1\" }}]\nworkers = [{{ group = \"w\" }}]\n"
    ));
    assert_snapshot!(before, @"
    cutover.toml:15:22: environments.staging.workers[0].group: on web1 production has this group too
      help: give each runtime a group of its own
    1 problem in cutover.toml
    ");
    let address = "address = \"deploy@web1\" }]";
    let elsewhere =
        "address = \"deploy@web1\", roles = [\"migrate\"] }]\nruntimes = [{ kind = \"nginx\" }]";
    assert_snapshot!(broken(address, elsewhere), @r#"
    cutover.toml:9:12: environments.production.runtimes: runtimes are on hosts with the role `web`, and there is none
      help: add `"web"` to the roles of a host, or take `runtimes` out
    1 problem in cutover.toml
    "#);
}
