//! Containers that run workers: what they are made of.

use serde::Serialize;
use serde_json::json;

use crate::names::ReleaseId;

/// What the containers of a group of workers are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Containers {
    /// Containers that `docker create` makes.
    Docker(Docker),
    /// Containers of a service of Compose.
    Compose(Compose),
    /// Pods of a Deployment of Kubernetes.
    Kubernetes(Kubernetes),
}

/// What `docker create` is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Docker {
    /// The image. One that is the same for all releases gets the release's folder at its own path.
    pub image: Image,
    /// The words of the command. Default: the image's own.
    pub command: Vec<String>,
    /// Options of `docker create`: network, user, environment. Default none.
    pub options: Vec<String>,
}

/// Where Compose finds a service; its name is the group's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compose {
    /// The Compose file: absolute, or from the folder of the release on. Default `compose.yaml`.
    pub file: String,
    /// The name of the Compose project.
    pub project: String,
}

/// Where Kubernetes finds a Deployment; its name is the group's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kubernetes {
    /// The namespace.
    pub namespace: String,
    /// The container of its pods that is the worker. Default: the group.
    pub container: String,
    /// The image of a release. Without it the pods are started anew with the one that they have.
    pub image: Option<Image>,
}

/// The name of an image, in which `{commit}` and `{release}` stand for a release's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Image(pub(super) String);

/// The release that containers are made for, on one host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MadeFor<'a> {
    /// The folder of the environment.
    pub(crate) root: &'a str,
    pub(crate) release: &'a ReleaseId,
    /// Empty where it is not known.
    pub(crate) commit: &'a str,
    /// How long a worker may take to end, in seconds.
    pub(crate) grace: u64,
}

impl Image {
    /// Whether each release has an image of its own.
    pub fn is_of_a_release(&self) -> bool {
        self.0.contains("{commit}") || self.0.contains("{release}")
    }

    fn of(&self, made: MadeFor<'_>) -> String {
        let release = made.release.to_string();
        let text = self.0.replace("{commit}", made.commit);
        text.replace("{release}", &release)
    }
}

impl Containers {
    /// The settings by which their recipe finds them.
    pub(super) fn found_by(&self) -> Vec<String> {
        match self {
            Self::Docker(_) => Vec::new(),
            Self::Compose(compose) => vec![format!("project {}", compose.project)],
            Self::Kubernetes(kubernetes) => vec![
                format!("namespace {}", kubernetes.namespace),
                format!("container {}", kubernetes.container),
            ],
        }
    }

    /// The settings by which their recipe makes those of a release.
    pub(super) fn made_by(&self, made: MadeFor<'_>) -> Vec<String> {
        let mut lines = vec![format!("commit {}", made.commit)];
        match self {
            Self::Docker(docker) => {
                let words = docker.words(made);
                lines.extend(words.iter().map(|word| format!("word {word}")));
            }
            Self::Compose(compose) => lines.push(format!("file {}", compose.file)),
            Self::Kubernetes(kubernetes) => {
                lines.push(format!("patch {}", kubernetes.patch(made)));
            }
        }
        lines
    }
}

impl Docker {
    /// What `docker create` is told beside a name and labels.
    fn words(&self, made: MadeFor<'_>) -> Vec<String> {
        let folder = format!("{}/releases/{}", made.root, made.release);
        let mut words = self.options.clone();
        words.extend([
            format!("--env=CUTOVER_RELEASE={}", made.release),
            format!("--env=CUTOVER_COMMIT={}", made.commit),
            // A machine that boots has its workers again, and whoever else stops one waits for its job too.
            "--restart=unless-stopped".to_owned(),
            "--stop-signal=TERM".to_owned(),
            format!("--stop-timeout={}", made.grace),
        ]);
        if !self.image.is_of_a_release() {
            // Links of a release lead into what is shared, so both lie where they do on the host.
            let shared = format!("{}/shared", made.root);
            words.extend(
                [&folder, &shared]
                    .map(|path| format!("--mount=type=bind,source={path},target={path}")),
            );
            words.push(format!("--workdir={folder}"));
        }
        words.push(self.image.of(made));
        words.extend(self.command.iter().cloned());
        words
    }
}

impl Kubernetes {
    /// Makes pods of the release out of the Deployment's template.
    fn patch(&self, made: MadeFor<'_>) -> String {
        let annotations = json!({ "cutover/release": made.release });
        let mut template = json!({ "metadata": { "annotations": annotations } });
        if let Some(image) = &self.image {
            let container = json!({ "name": self.container, "image": image.of(made) });
            template["spec"] = json!({ "containers": [container] });
        }
        json!({ "spec": { "template": template } }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(release: &ReleaseId) -> MadeFor<'_> {
        MadeFor {
            root: "/srv/shop",
            release,
            commit: "1a2b3c4d",
            grace: 60,
        }
    }

    #[test]
    fn one_image_for_all_gets_the_folder_of_the_release() {
        let release = ReleaseId::parse("20260520T123456Z-1a2b3c4").unwrap();
        let mut docker = Docker {
            image: Image("php:8.4-cli".to_owned()),
            command: vec!["php".to_owned(), "artisan".to_owned()],
            options: vec!["--network=host".to_owned()],
        };
        insta::assert_snapshot!(docker.words(made(&release)).join("\n"), @"
        --network=host
        --env=CUTOVER_RELEASE=20260520T123456Z-1a2b3c4
        --env=CUTOVER_COMMIT=1a2b3c4d
        --restart=unless-stopped
        --stop-signal=TERM
        --stop-timeout=60
        --mount=type=bind,source=/srv/shop/releases/20260520T123456Z-1a2b3c4,target=/srv/shop/releases/20260520T123456Z-1a2b3c4
        --mount=type=bind,source=/srv/shop/shared,target=/srv/shop/shared
        --workdir=/srv/shop/releases/20260520T123456Z-1a2b3c4
        php:8.4-cli
        php
        artisan
        ");
        docker.image = Image("registry.test/shop:{commit}".to_owned());
        insta::assert_snapshot!(docker.words(made(&release)).join("\n"), @"
        --network=host
        --env=CUTOVER_RELEASE=20260520T123456Z-1a2b3c4
        --env=CUTOVER_COMMIT=1a2b3c4d
        --restart=unless-stopped
        --stop-signal=TERM
        --stop-timeout=60
        registry.test/shop:1a2b3c4d
        php
        artisan
        ");
    }

    #[test]
    fn a_patch_names_the_release_and_only_a_given_image() {
        let release = ReleaseId::parse("20260520T123456Z-1a2b3c4").unwrap();
        let mut kubernetes = Kubernetes {
            namespace: "shop".to_owned(),
            container: "worker".to_owned(),
            image: None,
        };
        insta::assert_snapshot!(kubernetes.patch(made(&release)), @r#"{"spec":{"template":{"metadata":{"annotations":{"cutover/release":"20260520T123456Z-1a2b3c4"}}}}}"#);
        kubernetes.image = Some(Image("registry.test/shop:{release}".to_owned()));
        insta::assert_snapshot!(kubernetes.patch(made(&release)), @r#"{"spec":{"template":{"metadata":{"annotations":{"cutover/release":"20260520T123456Z-1a2b3c4"}},"spec":{"containers":[{"name":"worker","image":"registry.test/shop:20260520T123456Z-1a2b3c4"}]}}}}"#);
    }
}
