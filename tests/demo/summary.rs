//! What a person wants to know in the end, and whether all of it is well.

use kit::{Host, SampleApp, World};

use crate::story::Story;

/// Prints the summary. True when everything went as it must.
pub(crate) async fn print(world: &World, story: &Story) -> bool {
    println!("  ------------------------------------------------------------------------");
    let (live, live_well) = live(&world.host).await;
    println!("  live         {live}");
    for chapter in &story.chapters {
        let seconds = chapter.took.as_secs_f64();
        let [word, code] = &chapter.ended;
        println!(
            "  {word:<12} {}, code {code} live {seconds:.1} s after the hook",
            chapter.title
        );
    }
    let (requests, jobs) = (&story.requests, &story.jobs);
    println!(
        "  requests     {} served, {} failed",
        requests.served, requests.failed
    );
    for (release, count) in &requests.releases {
        println!("               {count:>5} by {release}");
    }
    for failure in &requests.failures {
        println!("               failed {failure}");
    }
    println!(
        "  jobs         {} finished, {} lost, {} failed",
        jobs.finished, jobs.lost, jobs.failed
    );
    let releases: Vec<&str> = jobs.runs.iter().map(|run| run.release.as_str()).collect();
    println!("               run by {}", counted(&releases));
    println!("  GitHub heard");
    for line in world.forge().lines().skip(1) {
        let line: String = line.chars().take(110).collect();
        println!("             {line}");
    }
    let page = world.service().url();
    let token = world.service().token();
    println!("  pages        {page}/ while the demo runs, with the token {token}");
    let well = live_well
        && story
            .chapters
            .iter()
            .all(|chapter| chapter.ended == chapter.wanted)
        && (requests.served > 0 && requests.failed == 0)
        && (jobs.finished == jobs.pushed && jobs.lost == 0 && jobs.failed == 0)
        && forge_heard(world);
    println!(
        "\n  {}",
        if well {
            "all is well"
        } else {
            "NOT ALL IS WELL"
        }
    );
    well
}

/// What the web server answers and what the workers run must be one and the same healthy release.
async fn live(host: &Host) -> (String, bool) {
    let (status, health) = host.health().await;
    let release = health["release"].as_str().unwrap_or("nothing").to_owned();
    let workers = host.workers();
    let follow = workers
        .iter()
        .filter(|worker| worker.release == release)
        .count();
    let code = health["code"].as_str().unwrap_or("?");
    let text = format!(
        "{release} (code {code}), by nginx and by {follow} of {} workers",
        workers.len()
    );
    (
        text,
        status == 200 && follow == 2 && workers.len() == 2 && code == "two",
    )
}

/// What succeeded and what failed; what the failed push restored was told as a deployment of its own.
fn forge_heard(world: &World) -> bool {
    let deployments = world.github.deployments(kit::REPOSITORY);
    let last: Vec<&str> = deployments
        .iter()
        .map(|deployment| {
            deployment
                .statuses
                .last()
                .map_or("nothing", |status| status.state.as_str())
        })
        .collect();
    last == ["inactive", "failure", "inactive", "inactive", "success"]
}

fn counted(releases: &[&str]) -> String {
    let mut parts: Vec<(&str, usize)> = Vec::new();
    for release in releases {
        match parts.iter_mut().find(|(known, _)| known == release) {
            Some((_, count)) => *count += 1,
            None => parts.push((release, 1)),
        }
    }
    parts
        .iter()
        .map(|(release, count)| format!("{release}: {count}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Says how to go on by hand.
pub(crate) async fn try_by_hand(world: &World) {
    // The next push is a good one: the newest commit mends what the last one broke.
    world
        .repo
        .commit("mend the health check", SampleApp::mended())
        .await;
    let work = world.repo.work();
    let config = world.config_file();
    let cutover = kit::program("cutover");
    let site = format!(
        "--config {} --ssh-key {} --known-hosts {}",
        config.display(),
        world.host.key_file().display(),
        world.host.known_hosts().display()
    );
    println!("\n  It goes on running. In another terminal:");
    println!(
        "    push     cd {} && git push origin HEAD:main",
        work.display()
    );
    println!(
        "    look     {}/ with the token {}   or   curl {}/",
        world.service().url(),
        world.service().token(),
        world.host.http_url()
    );
    println!(
        "    status   {} status production {site}",
        cutover.display()
    );
    println!(
        "    back     {} rollback production {site}",
        cutover.display()
    );
    println!(
        "  Stop it with Ctrl-C here, or: kill -INT {}\n",
        std::process::id()
    );
}
