//! What all releases share begins with what the first one brings.

use std::fs;

use super::servers::shells;
use super::{Script, Stage};

/// The copy of a folder breaks off behind its first file.
const BROKEN: &str = r#"for to; do :; done
mkdir "$to"
echo one >"$to/a"
exit 1"#;

impl Stage {
    /// Links two folders into the release `new`.
    fn links(&self, shell: &[&str]) -> bool {
        let mut link = self.by(shell, Script::Link.text());
        link.arg(&self.0).args(["new", "", "storage/app\nlogs"]);
        link.output().unwrap().status.success()
    }
}

#[test]
fn a_first_copy_that_breaks_off_is_made_anew_and_loses_nothing() {
    for shell in shells() {
        let tools: &[&str] = if shell[0] == "busybox" {
            &["mv", "cp"]
        } else {
            &[]
        };
        let stage = Stage::tooled(tools);
        let app = stage.0.join("releases/new/storage/app");
        fs::create_dir_all(app.join("deep")).unwrap();
        fs::write(app.join("a"), "one").unwrap();
        fs::write(app.join("deep/b"), "two").unwrap();
        let whole = fs::read(stage.0.join("bin/cp")).ok();
        stage.program("cp", BROKEN);
        assert!(!stage.links(shell));
        match whole {
            Some(whole) => fs::write(stage.0.join("bin/cp"), whole).unwrap(),
            None => fs::remove_file(stage.0.join("bin/cp")).unwrap(),
        }
        assert!(stage.links(shell), "by {shell:?}");
        let shared = stage.0.join("shared");
        assert_eq!(fs::read_link(&app).unwrap(), shared.join("storage/app"));
        assert_eq!(fs::read_to_string(app.join("a")).unwrap(), "one");
        assert_eq!(fs::read_to_string(app.join("deep/b")).unwrap(), "two");
        let count = |folder: &str| fs::read_dir(shared.join(folder)).unwrap().count();
        assert_eq!((count("storage"), count("logs")), (1, 0));
        // Another time it is all there.
        assert!(stage.links(shell));
        assert_eq!(count("storage/app"), 2);
    }
}
