//! `make demo`: the main job on this machine. A push becomes live, a bad one is taken back, one waits for a lock, and a
//! comment asks for a rollback, on a real host with a real Laravel app, while a client asks for the site and jobs run. Exits with 0 only when nothing failed and nothing
//! was lost.
#![expect(
    clippy::print_stdout,
    reason = "showing what happens is the work of this program"
)]

mod live;
mod story;
mod summary;

use std::process::ExitCode;

use kit::{World, WorldOptions};
use story::Story;

#[tokio::main]
async fn main() -> ExitCode {
    let keep = std::env::var("KEEP").is_ok_and(|keep| keep == "1");
    println!("cutover demo: a host, a Laravel app, a GitHub and the service, all on 127.0.0.1\n");
    let world = World::start(WorldOptions {
        laravel: true,
        ..WorldOptions::default()
    })
    .await;
    live::introduce(&world);
    live::open_pull(&world).await;
    let story = Story::tell(&world).await;
    let well = summary::print(&world, &story).await;
    if keep {
        summary::try_by_hand(&world).await;
        live::follow_pushes(&world).await;
    } else {
        println!("\n  try it by hand   make demo KEEP=1 leaves all of this running and says how\n");
    }
    world.close().await;
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
