//! Nobody reads what the program prints: it does its work to the end all the same, and its exit code is true.

use std::fs::OpenOptions;
use std::io::{PipeWriter, pipe};
use std::path::Path;
use std::process::Stdio;

use kit::program;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::scene::Scene;

/// A pipe at whose other end nobody reads any more.
fn unread() -> PipeWriter {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer
}

/// Runs a program whose output nobody reads: its exit code, and what it said beside that.
async fn code_and_words(mut program: Command) -> (Option<i32>, String) {
    let ended = program.stdout(unread()).stderr(Stdio::piped()).spawn();
    let ended = ended.unwrap().wait_with_output().await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    (ended.status.code(), said)
}

fn provision() -> Command {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/cutover.toml");
    let mut provision = Command::new(program("cutover"));
    provision.args(["provision", "production", "--print", "--config"]);
    provision.arg(file);
    provision
}

#[tokio::test]
async fn a_deployment_that_nobody_reads_any_more_is_taken_back_where_it_is_ill() {
    let scene = Scene::plain().await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    let healthy = scene.live();
    let (url, work) = (scene.repo.url(), scene.work_dir().with_file_name("cli"));
    let place = ["--repository", &url, "--work-dir", work.to_str().unwrap()];
    let json = &["--json"][..];
    for (form, begins) in [(&[][..], "== health"), (json, "\"phase\":\"health\"")] {
        let deploy = [&["deploy", "production", "main"][..], &place, form].concat();
        scene
            .commit(&[("ok", "false"), ("form", &form.concat())])
            .await;
        let mut deploy = scene.cutover(&deploy);
        deploy.stdout(Stdio::piped()).stderr(unread());
        let mut deploying = deploy.spawn().unwrap();
        let mut lines = BufReader::new(deploying.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(begins) {
                break;
            }
        }
        drop(lines);
        let ended = deploying.wait().await.unwrap();
        assert_eq!(scene.live(), healthy, "{form:?}");
        assert_eq!(ended.code(), Some(1), "{form:?}");
    }
    scene.close().await;
}

#[tokio::test]
async fn what_is_printed_for_nobody_is_no_panic() {
    let scene = Scene::plain().await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    for command in [
        &["check", "--show"][..],
        &["status", "production"],
        &["releases", "production", "--json"],
    ] {
        let ended = code_and_words(scene.cutover(command)).await;
        assert_eq!(ended, (Some(0), String::new()), "{command:?}");
    }
    let ended = code_and_words(provision()).await;
    assert_eq!(ended, (Some(0), String::new()));
    scene.close().await;
}

#[tokio::test]
async fn a_script_that_cannot_be_written_whole_is_told() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut provision = provision();
    provision.stdout(full).stderr(Stdio::piped());
    let ended = provision.spawn().unwrap().wait_with_output().await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    let why = "cannot print all of it: No space left";
    assert!(said.contains(why), "{said}");
}

#[tokio::test]
async fn a_service_whose_log_nobody_reads_ends_by_its_own_code() {
    let mut serve = Command::new(program("cutover"));
    serve.args(["serve", "--config", "/absent/service.toml"]);
    let ended = serve.stderr(unread()).status().await.unwrap();
    assert_eq!(ended.code(), Some(2));
}
