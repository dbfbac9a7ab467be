//! Settings of a service whose only app is on GitHub.

use std::path::Path;

use cutover::settings::{App, GitHub, Settings};
use cutover_deploy::Config;
use cutover_deploy::run::Access;

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"

[environments.production]
branch = "main"
path = "/srv/shop"

[[environments.production.hosts]]
name = "web1"
address = "web1.example.com"
"#;

pub(super) fn on_github(dir: &Path, github: GitHub) -> Settings {
    let app = App {
        config: Config::parse("cutover.toml", CONFIG).unwrap(),
        file: dir.join("cutover.toml"),
        access: Access::default(),
        git_url: None,
    };
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        data_dir: dir.to_owned(),
        github: Some(github),
        gitlab: None,
        chat: None,
        pages: cutover::settings::Pages::default(),
        apps: vec![app],
        secret_files: Vec::new(),
    }
}
