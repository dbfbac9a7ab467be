//! What a runner says of the job.

use std::env;
use std::path::PathBuf;

use cutover_deploy::CommitSha;

use super::Ci;

/// What the runner says of the job. Nearly all of it may be absent.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    /// Whose it is.
    pub(crate) ci: Ci,
    /// The folder that the job checked out and built (`GITHUB_WORKSPACE`, `CI_PROJECT_DIR`).
    pub(crate) workspace: Option<PathBuf>,
    /// The commit that the job runs for (`GITHUB_SHA`, `CI_COMMIT_SHA`).
    pub(crate) commit: Option<CommitSha>,
    /// Who began the run (`GITHUB_ACTOR`, `GITLAB_USER_LOGIN`).
    pub(crate) actor: Option<String>,
    /// Where people can follow the run.
    pub(crate) run_url: Option<String>,
    /// The file that takes outputs: `GITHUB_OUTPUT`, or `cutover.env` in the project on GitLab.
    pub(crate) output: Option<PathBuf>,
    /// The file that takes the summary (`GITHUB_STEP_SUMMARY`).
    pub(crate) summary: Option<PathBuf>,
    /// The repository at GitHub, where a deployment is entered.
    pub(crate) github: Option<Place>,
    /// A folder for this step alone, known to what comes after it: the launcher's, which removes it in any case
    /// (`CUTOVER_PRIVATE_DIR`), or on GitLab one beside the project.
    pub(crate) private: Option<PathBuf>,
    /// Where keys and artifacts lie while the step runs: the launcher's folder, or the runner's for temporary files.
    pub(crate) temp: PathBuf,
    /// Whether a runner reads the log and takes commands from it (`GITHUB_ACTIONS`); else they would be shown.
    pub(crate) listens: bool,
    /// Whether the step was killed, and this is what comes after it (`CUTOVER_AFTER`).
    pub(crate) after: bool,
}

/// A repository at a GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where its interface is (`GITHUB_API_URL`).
    pub(crate) api_url: String,
    /// `owner/name` (`GITHUB_REPOSITORY`).
    pub(crate) repository: String,
}

impl Runner {
    /// Reads the environment.
    pub(crate) fn from_env() -> Self {
        Self::read(&|name| env::var(name).ok(), env::temp_dir())
    }

    pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>, temp: PathBuf) -> Self {
        let variable = |name: &str| variable(name).filter(|text| !text.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let commit = |name: &str| variable(name).and_then(|sha| CommitSha::parse(&sha).ok());
        let ci = Ci::of(&variable);
        let workspace = path(ci.workspace());
        let private = match ci {
            Ci::GitHub => path("CUTOVER_PRIVATE_DIR"),
            Ci::GitLab => workspace.as_deref().and_then(|project| {
                let job = variable("CI_JOB_ID")?;
                // GitLab's own runner keeps variables of the type `File` beside the project as well.
                Some(format!("{}.tmp/cutover-{job}", project.display()).into())
            }),
        };
        let after = variable("CUTOVER_AFTER").is_some();
        let listens = variable("GITHUB_ACTIONS").is_some_and(|said| said == "true");
        match ci {
            Ci::GitHub => Self {
                ci,
                workspace,
                commit: commit("GITHUB_SHA"),
                actor: variable("GITHUB_ACTOR"),
                run_url: github_run(&variable),
                output: path("GITHUB_OUTPUT"),
                summary: path("GITHUB_STEP_SUMMARY"),
                github: github(&variable),
                temp: private.clone().or(path("RUNNER_TEMP")).unwrap_or(temp),
                private,
                listens,
                after,
            },
            Ci::GitLab => Self {
                ci,
                commit: commit("CI_COMMIT_SHA"),
                actor: variable("GITLAB_USER_LOGIN"),
                run_url: variable("CI_JOB_URL"),
                output: workspace.as_ref().map(|folder| folder.join("cutover.env")),
                summary: None,
                github: None,
                temp: private.clone().unwrap_or(temp),
                workspace,
                private,
                listens,
                after,
            },
        }
    }
}

fn github_run(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let server = variable("GITHUB_SERVER_URL")?;
    let (repository, run) = (variable("GITHUB_REPOSITORY")?, variable("GITHUB_RUN_ID")?);
    Some(format!("{server}/{repository}/actions/runs/{run}"))
}

fn github(variable: &dyn Fn(&str) -> Option<String>) -> Option<Place> {
    let api_url = variable("GITHUB_API_URL");
    Some(Place {
        api_url: api_url.unwrap_or_else(|| "https://api.github.com".to_owned()),
        repository: variable("GITHUB_REPOSITORY")?,
    })
}
