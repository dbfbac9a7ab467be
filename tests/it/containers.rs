//! Workers that run in containers: real Docker, real Compose, real Kubernetes.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use kit::{Cluster, Docker};

#[tokio::test]
async fn nothing_stays_of_a_docker_daemon() {
    let docker = Docker::start().await;
    docker
        .image("worker:1", &[r#"CMD ["sleep", "infinity"]"#])
        .await;
    let mut run = docker.docker();
    run.args(["run", "--detach", "--network=host", "worker:1"]);
    assert!(run.status().await.unwrap().success());
    let states = docker.containers("{{.State}}").await;
    assert_eq!(states, ["running"]);
    let dir = docker.dir().to_owned();
    drop(docker);
    assert!(!dir.exists());
}

#[tokio::test]
async fn nothing_stays_of_a_cluster() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let nodes = cluster.ask(&["get", "nodes", "--output=name"]).await;
    assert_eq!(nodes, "node/n1\n");
    let dir = cluster.docker().dir().to_owned();
    drop(cluster);
    assert!(!dir.exists());
}
