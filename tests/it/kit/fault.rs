//! Faults strike where they are told to, and a mended host is whole.

use std::process::Output;

use kit::{Cut, Disk, Host, HostOptions};

/// Two steps in one segment, as the code under test sends them.
const SEGMENT: &str = "sh -euc \"echo one\" first; sh -euc \"echo two; mkdir -p \\\"\\$1\\\"\" second made; echo over";

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

async fn plain() -> Host {
    Host::start(HostOptions::plain("web1")).await
}

/// Runs the segment in the folder of the app.
async fn segment(host: &Host) -> Output {
    let script = format!("cd {}; {SEGMENT}", host.path().display());
    host.step_over_ssh("segment", &script).await
}

#[tokio::test]
async fn a_step_fails_with_the_words_it_was_told_until_it_is_mended() {
    let host = plain().await;
    host.fault_step("second", 3, "mv: no room");
    let (code, out, err) = told(&segment(&host).await);
    assert_eq!(
        (code, out.as_str(), err.lines().last()),
        (Some(3), "one", Some("mv: no room"))
    );
    assert!(!host.path().join("made").exists());
    host.mend_step("second");
    assert_eq!(told(&segment(&host).await).1, "one\ntwo\nover");
    assert_eq!(
        host.steps(),
        ["segment", "first", "second", "segment", "first", "second"]
    );
    host.close().await;
}

#[tokio::test]
async fn a_line_is_cut_before_a_step() {
    let host = plain().await;
    host.cut_at("second", Cut::Before);
    assert_eq!(told(&segment(&host).await).0, Some(255));
    assert!(!host.path().join("made").exists());
    // It strikes once.
    assert_eq!(told(&segment(&host).await).0, Some(0));
    host.close().await;
}

#[tokio::test]
async fn a_line_is_cut_as_a_step_begins_and_after_it_has_ended() {
    for cut in [Cut::AsItBegins, Cut::After] {
        let host = plain().await;
        host.cut_at("segment", cut);
        let (code, out, _) = told(&segment(&host).await);
        assert_eq!(code, Some(255), "{cut:?} {out}");
        // `AsItBegins` leaves a step that writes to nobody: what it does then is its own affair, and it ends.
        if cut == Cut::After {
            assert!(host.path().join("made").exists());
        }
        host.close().await;
    }
}

#[tokio::test]
async fn a_step_runs_on_when_its_line_is_cut_as_it_begins() {
    let host = plain().await;
    host.cut_at("quiet", Cut::AsItBegins);
    let script = format!("trap \"\" HUP PIPE; mkdir {}/quiet", host.path().display());
    assert_eq!(
        told(&host.step_over_ssh("quiet", &script).await).0,
        Some(255)
    );
    let made = host.path().join("quiet");
    kit::wait_for(
        "the step that nobody listens to",
        std::time::Duration::from_secs(10),
        async || {
            if made.is_dir() {
                Ok(())
            } else {
                Err(host.picture().await)
            }
        },
    )
    .await;
    host.close().await;
}

#[tokio::test]
async fn a_step_is_held_until_the_test_has_done_what_it_wants() {
    let host = plain().await;
    host.hold_at("second");
    let run = segment(&host);
    let act = async {
        host.reached("second").await;
        assert!(!host.path().join("made").exists());
        host.mend_step("second");
    };
    let (output, ()) = tokio::join!(run, act);
    assert_eq!(told(&output).1, "one\ntwo\nover");
    host.close().await;
}

#[tokio::test]
async fn nobody_gets_in_with_a_wrong_key_or_to_a_host_that_is_down() {
    let host = plain().await;
    host.refuse_key();
    let (code, _, err) = told(&host.over_ssh("true").await);
    assert!(
        code == Some(255) && err.contains("Permission denied"),
        "{err}"
    );
    host.accept_key();
    assert_eq!(told(&host.over_ssh("true").await).0, Some(0));

    host.go_down().await;
    let (code, _, err) = told(&host.over_ssh("true").await);
    assert!(
        code == Some(255) && err.contains("Connection refused"),
        "{err}"
    );
    host.come_up().await;
    assert_eq!(told(&host.over_ssh("true").await).0, Some(0));

    host.change_host_key().await;
    let (code, _, err) = told(&host.over_ssh("true").await);
    assert!(
        code == Some(255) && err.contains("Host key verification failed"),
        "{err}"
    );
    host.close().await;
}

#[tokio::test]
async fn lines_are_cut_while_a_command_runs() {
    let host = plain().await;
    host.hold_at("long");
    let run = host.step_over_ssh("long", "true");
    let act = async {
        host.reached("long").await;
        host.cut_lines();
    };
    let (output, ()) = tokio::join!(run, act);
    assert_eq!(told(&output).0, Some(255));
    host.mend_step("long");
    host.close().await;
}

#[tokio::test]
async fn a_full_disk_takes_no_byte_until_it_is_freed() {
    for disk in [Disk::Shared, Disk::Own(4)] {
        let host = Host::start(HostOptions {
            disk,
            ..HostOptions::plain("web1")
        })
        .await;
        let write = format!(
            "head -c 9 /dev/zero >$(mktemp -p {})",
            host.path().display()
        );
        assert_eq!(
            told(&host.step_over_ssh("write", &write).await).0,
            Some(0),
            "{disk:?}"
        );
        host.fill_disk();
        let (code, _, err) = told(&host.step_over_ssh("write", &write).await);
        assert!(
            code != Some(0) && (err.contains("No space left") || err.contains("File too large")),
            "{disk:?} {err}"
        );
        host.free_disk();
        assert_eq!(
            told(&host.step_over_ssh("write", &write).await).0,
            Some(0),
            "{disk:?}"
        );
        host.close().await;
    }
}

#[tokio::test]
async fn an_unwritable_folder_stops_even_root() {
    let host = plain().await;
    host.sh("mkdir releases").await;
    host.make_unwritable("releases").await;
    let make = format!("mkdir {}/releases/new", host.path().display());
    assert_eq!(told(&host.over_ssh(&make).await).0, Some(1));
    host.make_writable("releases").await;
    assert_eq!(told(&host.over_ssh(&make).await).0, Some(0));
    host.make_unwritable("releases").await;
    // A host that is closed like this goes all the same.
    host.close().await;
}
