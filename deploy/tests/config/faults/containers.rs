//! Containers that run workers.

use insta::assert_snapshot;

use super::appended;

#[test]
fn a_table_goes_with_its_manager() {
    assert_snapshot!(appended(r#"
[[environments.production.workers]]
group = "w1"
docker = { image = "shop:{commit}" }
[[environments.production.workers]]
manager = "docker"
group = "w2"
[[environments.production.workers]]
manager = "compose"
group = "w3"
hand_over = "drain"
compose = { file = "../compose.yaml" }
[[environments.production.workers]]
manager = "kubernetes"
group = "w4"
docker = { image = "shop" }
"#), @r#"
    cutover.toml:12:10: environments.production.workers[0].docker: it is for `manager = "docker"`
      help: take it out, or name that manager
    cutover.toml:13:1: environments.production.workers[1].docker: `image` is missing
      help: write `image = "registry.example.com/shop:{commit}"`
    cutover.toml:20:11: environments.production.workers[2].compose.project: a required key is missing
      help: write `project = "shop"` under `[environments.production.workers.compose]`
    cutover.toml:20:20: environments.production.workers[2].compose.file: `../compose.yaml` contains `..`
      help: write the path without going up
    cutover.toml:21:1: environments.production.workers[3].kubernetes: `namespace` is missing
      help: write `namespace = "shop"`
    cutover.toml:24:10: environments.production.workers[3].docker: it is for `manager = "docker"`
      help: take it out, or name that manager
    6 problems in cutover.toml
    "#);
}

#[test]
fn an_image_is_a_name_with_known_words() {
    assert_snapshot!(appended(r#"
[[environments.production.workers]]
manager = "docker"
group = "w1"
docker = { image = "shop:{sha}", options = ["--name=x", ""], command = ["php\nartisan"] }
[[environments.production.workers]]
manager = "docker"
group = "w2"
docker = { image = "--privileged" }
[[environments.production.workers]]
manager = "kubernetes"
group = "w3"
kubernetes = { namespace = "shop", image = "shop:latest" }
"#), @r#"
    cutover.toml:13:20: environments.production.workers[0].docker.image: `shop:{sha}` has a word in braces that is not known
      help: `{commit}` and `{release}` are known
    cutover.toml:13:45: environments.production.workers[0].docker.options[0]: `--name=x` is cutover's own affair
      help: take it out; containers are named by group and release, and removed when they ended well
    cutover.toml:13:73: environments.production.workers[0].docker.command[0]: `php\nartisan` is no word
      help: write one argument, on one line
    cutover.toml:17:20: environments.production.workers[1].docker.image: `--privileged` is not the name of an image
      help: write it as in `"registry.example.com/shop:{commit}"`
    cutover.toml:21:44: environments.production.workers[2].kubernetes.image: it is the same for every release, so nothing would change
      help: write `{commit}` or `{release}` in its tag, or take it out to have the pods started anew
    5 problems in cutover.toml
    "#);
}
