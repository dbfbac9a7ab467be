//! A job, a shell and another job at one host: each waits for the other, and sees what the other has made live.

use std::process::Stdio;

use kit::program;
use tokio::process::Command;

use super::Job;

impl Job {
    /// The command line, as a person uses it in the checkout.
    fn cutover(&self, arguments: &[&str]) -> Command {
        let mut cutover = Command::new(program("cutover"));
        cutover
            .args(arguments)
            .current_dir(self.repo.work())
            .env("XDG_CACHE_HOME", self.runner.path().join("cache"))
            .env("CUTOVER_SSH_KEY", self.host.key_file())
            .env("CUTOVER_KNOWN_HOSTS", self.host.known_hosts())
            .env("USER", "bob")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        cutover
    }

    async fn shell(&self, arguments: &[&str]) -> String {
        said(self.cutover(arguments).spawn().unwrap()).await
    }
}

async fn said(child: tokio::process::Child) -> String {
    let output = child.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_second_job_waits_for_the_first_and_says_whose_the_lease_is() {
    let job = Job::start().await;
    job.host.hold_at("unpack");
    let first = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("unpack").await;
    // On a runner of its own.
    let mut other = job.launcher("main.mjs");
    let log = job.runner.path().join("other.log");
    let temp = job.runner.path().join("other");
    std::fs::create_dir(&temp).unwrap();
    for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"] {
        other.env(name, temp.join(name));
    }
    other.stdout(std::fs::File::create(&log).unwrap());
    let other = other.env("GITHUB_RUN_ID", "43").env("RUNNER_TEMP", &temp);
    let mut second = other.spawn().unwrap();
    let waits = async || {
        let log = std::fs::read_to_string(&log).unwrap();
        let waits = log
            .lines()
            .find(|line| line.contains("waiting for the lease"));
        waits.map(str::to_owned).ok_or(log)
    };
    let waits = kit::wait_for("the second job to wait", super::PATIENCE, waits).await;
    let begin = "web1: waiting for the lease, held by deploy of ";
    let (_, holder) = waits.split_once(begin).unwrap_or_else(|| panic!("{waits}"));
    assert!(holder.contains(" by alice since 20"), "{waits}");
    assert!(
        holder.ends_with(" UTC, https://github.com/acme/shop/actions/runs/42"),
        "{waits}"
    );
    job.host.mend_step("unpack");
    let first = job.ended(first).await;
    assert_eq!(first.output("outcome"), "deployed", "{}", first.log);
    let second = second.wait().await.unwrap();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(second.success() && log.contains("unchanged: "), "{log}");
    job.close().await;
}

#[tokio::test]
async fn a_shell_waits_for_a_job_and_a_job_for_a_shell() {
    let job = Job::start().await;
    job.host.hold_at("unpack");
    let step = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("unpack").await;
    let mut shell = job.cutover(&["deploy", "production", "--json"]);
    let heard = job.runner.path().join("shell");
    shell.stdout(std::fs::File::create(&heard).unwrap());
    let shell = shell.spawn().unwrap();
    let waits = async || {
        let said = std::fs::read_to_string(&heard).unwrap();
        let waits = said
            .lines()
            .find(|line| line.contains(r#""event":"waiting""#));
        waits.map(str::to_owned).ok_or(said)
    };
    let waits = kit::wait_for("the shell to wait", super::PATIENCE, waits).await;
    assert!(waits.contains("by alice since 20"), "{waits}");
    assert!(
        waits.contains("https://github.com/acme/shop/actions/runs/42"),
        "{waits}"
    );
    job.host.mend_step("unpack");
    let ended = job.ended(step).await;
    let release = ended.output("release").to_owned();
    said(shell).await;
    let heard = std::fs::read_to_string(&heard).unwrap();
    assert!(
        heard.contains(&format!(r#""outcome":"unchanged","release":"{release}""#)),
        "{heard}"
    );

    // What the job has made live is what a shell sees.
    let status = job.shell(&["status", "production"]).await;
    assert!(status.contains(&release), "{status}");
    let releases = job.shell(&["releases", "production"]).await;
    assert!(
        releases.contains(&release) && releases.contains("healthy"),
        "{releases}"
    );

    // And the other way round.
    job.repo.commit("two", [("index.html", "two")]).await;
    job.host.hold_at("unpack");
    let shell = job.cutover(&["deploy", "production"]).spawn().unwrap();
    job.host.reached("unpack").await;
    let step = job.launcher("main.mjs").spawn().unwrap();
    job.says("web1: waiting for the lease, held by deploy of ")
        .await;
    assert!(
        job.file("log").contains(" by bob since 20"),
        "{}",
        job.file("log")
    );
    job.host.mend_step("unpack");
    let ended = job.ended(step).await;
    let told = said(shell).await;
    assert_eq!(
        ended.output("outcome"),
        "unchanged",
        "{}\n{told}",
        ended.log
    );
    assert!(told.contains(ended.output("release")), "{told}");
    assert_ne!(ended.output("release"), release);
    job.close().await;
}
