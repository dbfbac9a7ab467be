use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use super::*;

const KEY: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\r\nc2VjcmV0\r\n-----END OPENSSH PRIVATE KEY-----";
const HOSTS: &str = "# web1:22 SSH-2.0\nweb1 ssh-ed25519 AAAAC3Nz\n";
const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"
[environments.production]
path = "/srv/shop"
hosts = [{ name = "web1", address = "web1.example.com" }]
"#;

/// What people read of the inputs.
const ACTION_YML: &str = include_str!("../../../action.yml");

/// A job whose inputs are right, but for what is given.
struct Job {
    inputs: BTreeMap<&'static str, &'static str>,
    workspace: Option<&'static str>,
    config: &'static str,
}

impl Job {
    fn with(inputs: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        let right = [
            ("environment", "production"),
            ("ssh-key", KEY),
            ("known-hosts", HOSTS),
        ];
        Self {
            inputs: right.into_iter().chain(inputs).collect(),
            workspace: Some("/home/runner/work/shop"),
            config: CONFIG,
        }
    }

    fn read(&self) -> Result<Inputs, Failure> {
        let workspace = self.workspace.map(str::to_owned);
        let variable = |name: &str| {
            (name == "GITHUB_WORKSPACE")
                .then(|| workspace.clone())
                .flatten()
        };
        let runner = Runner::read(&variable, PathBuf::from("/tmp"));
        let input = |name: &str| (*self.inputs.get(name).unwrap_or(&"")).to_owned();
        Inputs::read(&runner, &input, &|file| {
            // Paths are compared by their parts, so `./` makes no difference.
            let is_config = file == Path::new("/home/runner/work/shop/cutover.toml");
            let found = is_config.then(|| self.config.to_owned());
            found.ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    /// What is wrong, as people read it.
    fn faults(&self) -> String {
        let failure = self.read().unwrap_err();
        assert_eq!(failure.exit, 2);
        let lines = failure.faults.iter().map(|fault| {
            let spot = fault.spot.as_ref();
            let spot = spot.map_or(String::new(), |spot| {
                format!("{}:{}:{} ", spot.file, spot.line, spot.column)
            });
            format!("{spot}{}", fault.text().replace('\n', "\n    "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn everything_that_is_missing_is_named_at_once_with_what_to_write() {
    let mut job = Job::with([
        ("environment", ""),
        ("ssh-key", " \n"),
        ("known-hosts", "# nothing"),
    ]);
    job.workspace = None;
    insta::assert_snapshot!(job.faults(), @r"
        `GITHUB_WORKSPACE` is not set, so there is nothing to take a release from
            A runner sets it. Elsewhere set it to the folder that holds the repository.
        `ssh-key` is missing
            Make one by `ssh-keygen -t ed25519 -N '' -f deploy_key`, keep the text of the file deploy_key as a secret of the repository, and write `ssh-key: ${{ secrets.DEPLOY_KEY }}`. A run from a fork gets no secrets.
        `known-hosts` is missing
            Write what `ssh-keyscan web1.example.com` prints (`-p PORT` for another port), after you have compared it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host.
        `environment` is missing
            Write the name of an environment of cutover.toml: `environment: production`.
        ");
}

#[test]
fn inputs_that_cannot_be_used_say_what_can() {
    let job = Job::with([
        ("command", "destroy"),
        ("environment", "prod"),
        ("ssh-key", "ssh-ed25519 AAAAC3Nz alice"),
        ("known-hosts", "web1 ssh-ed25519 AAAA\nweb2 AAAA\n"),
        ("config", "sub/cutover.toml"),
    ]);
    insta::assert_snapshot!(job.faults(), @r#"
    `command` is "destroy", which is no command
        Write `command: deploy`, `command: rollback`, `command: plan` or `command: check`.
    `ssh-key` is a public key; the private one is the file without `.pub`
        Make one by `ssh-keygen -t ed25519 -N '' -f deploy_key`, keep the text of the file deploy_key as a secret of the repository, and write `ssh-key: ${{ secrets.DEPLOY_KEY }}`. A run from a fork gets no secrets.
    `known-hosts` has no host, key type and key in line 2
        Write what `ssh-keyscan web1.example.com` prints (`-p PORT` for another port), after you have compared it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host.
    `config` leads to sub/cutover.toml, which cannot be read: entity not found
        Check out the repository in an earlier step, and write the file's path below it: `config: cutover.toml`.
    "#);
    let job = Job::with([("environment", "prod"), ("release", "1")]);
    insta::assert_snapshot!(job.faults(), @r#"
        `release` is only for a rollback
            Write `command: rollback`, or leave `release` out.
        `environment` is "prod", which cutover.toml does not have
            There are: production.
        "#);
    let job = Job::with([("command", "rollback"), ("release", "../x")]);
    insta::assert_snapshot!(job.faults(), @r#"
        `release` is "../x", which is no release
            Write one as `cutover releases` lists it: `release: 20260520T123456Z-1a2b3c4`.
        "#);
}

#[test]
fn problems_of_the_configuration_keep_their_lines_beside_bad_inputs() {
    let mut job = Job::with([("ssh-key", "-----BEGIN OPENSSH PRIVATE KEY-----\nc2Vj")]);
    job.config = "app = \"shop\"\nrepository = \"acme\"\nrecipee = \"laravel\"\n";
    let faults = job.faults();
    insta::assert_snapshot!(faults, @r"
        `ssh-key` is not a whole private key, from its `-----BEGIN` line to its `-----END` line
            Make one by `ssh-keygen -t ed25519 -N '' -f deploy_key`, keep the text of the file deploy_key as a secret of the repository, and write `ssh-key: ${{ secrets.DEPLOY_KEY }}`. A run from a fork gets no secrets.
        cutover.toml:1:1 environments: a required key is missing
            add a table `[environments.production]`
        cutover.toml:2:14 repository: `acme` does not say which forge
            write `github:owner/name` or `gitlab:group/name`
        cutover.toml:3:1 recipee: unknown key
            did you mean `recipe`?
        ");
    assert!(!faults.contains("c2Vj"), "a key is never quoted");
}

#[test]
fn a_key_is_made_what_ssh_reads_and_stays_out_of_debug() {
    let inputs = Job::with([("config", "./cutover.toml"), ("command", "deploy")]);
    let inputs = inputs
        .read()
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(inputs.command, Command::Deploy);
    assert_eq!(
        inputs.ssh_key.expose_secret(),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
    );
    assert!(!format!("{inputs:?}").contains("c2VjcmV0"));
}

#[test]
fn leave_for_destructive_migrations_is_given_by_true_alone() {
    for (given, leave) in [("", false), ("false", false), (" true\n", true)] {
        let inputs = Job::with([("allow-destructive", given)]).read().unwrap();
        assert_eq!(inputs.allow_destructive, leave, "{given:?}");
    }
    insta::assert_snapshot!(Job::with([("allow-destructive", "yes")]).faults(), @r#"
    `allow-destructive` is "yes", which is neither true nor false
        Write `allow-destructive: true`, or leave it out.
    "#);
}

#[test]
fn a_rollback_may_name_its_release() {
    let id = "20260520T123456Z-1a2b3c4";
    for (release, to) in [("", None), (id, Some(ReleaseId::parse(id).unwrap()))] {
        let inputs = Job::with([("command", "rollback"), ("release", release)]);
        assert_eq!(inputs.read().unwrap().command, Command::Rollback { to });
    }
}

#[test]
fn the_run_is_named_where_the_runner_tells_of_it() {
    let variables = BTreeMap::from([
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_SHA", "not a commit"),
        ("GITHUB_ACTOR", ""),
        ("RUNNER_TEMP", "/home/runner/temp"),
    ]);
    let read = |variables: &BTreeMap<&str, &str>| {
        let variable = |name: &str| variables.get(name).map(|text| (*text).to_owned());
        Runner::read(&variable, PathBuf::from("/tmp"))
    };
    let runner = read(&variables);
    let url = "https://github.com/acme/shop/actions/runs/42";
    assert_eq!(runner.run_url.as_deref(), Some(url));
    assert_eq!((runner.commit, runner.actor), (None, None));
    assert_eq!(runner.temp, Path::new("/home/runner/temp"));
    assert_eq!(read(&BTreeMap::new()).temp, Path::new("/tmp"));
    assert_eq!(Ci::GitHub.variable("ssh-key"), "INPUT_SSH-KEY");
}

#[test]
fn gitlab_is_told_by_its_own_names() {
    let variables = BTreeMap::from([
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_DIR", "/builds/acme/shop"),
        ("CI_JOB_ID", "7"),
        ("CI_JOB_URL", "https://gitlab.com/acme/shop/-/jobs/7"),
        ("GITLAB_USER_LOGIN", "alice"),
        ("GITHUB_REPOSITORY", "acme/shop"),
    ]);
    let variable = |name: &str| variables.get(name).map(|text| (*text).to_owned());
    let runner = Runner::read(&variable, PathBuf::from("/tmp"));
    assert_eq!(
        (runner.ci, runner.actor.as_deref()),
        (Ci::GitLab, Some("alice"))
    );
    assert_eq!(runner.github, None);
    let private = Path::new("/builds/acme/shop.tmp/cutover-7");
    assert_eq!(
        (runner.private.as_deref(), runner.temp.as_path()),
        (Some(private), private)
    );
    let output = Path::new("/builds/acme/shop/cutover.env");
    assert_eq!(runner.output.as_deref(), Some(output));
    let failure = Inputs::read(&runner, &|_| String::new(), &|_| Ok(CONFIG.to_owned()));
    let faults = failure.unwrap_err().faults;
    let told = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.title, fault.text()));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @"
    variable CUTOVER_SSH_KEY: `CUTOVER_SSH_KEY` is missing
    Make one by `ssh-keygen -t ed25519 -N '' -f deploy_key`, and keep the text of the file deploy_key as a variable of the type File, in Settings > CI/CD > Variables. A protected variable is only there for protected branches.
    variable CUTOVER_KNOWN_HOSTS: `CUTOVER_KNOWN_HOSTS` is missing
    Write what `ssh-keyscan web1.example.com` prints (`-p PORT` for another port), after you have compared it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host.
    variable CUTOVER_ENVIRONMENT: `CUTOVER_ENVIRONMENT` is missing
    Write the name of an environment of cutover.toml: `CUTOVER_ENVIRONMENT: production`.
    ");
}

#[test]
fn a_variable_of_the_type_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, KEY).unwrap();
    assert_eq!(of_a_file(file.display().to_string()), KEY);
    assert_eq!(of_a_file(KEY.to_owned()), KEY);
    assert_eq!(of_a_file("/nowhere".to_owned()), "/nowhere");
}

#[test]
fn action_yml_offers_what_is_read() {
    let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let runner = Runner::read(&|_| Some("/work".to_owned()), PathBuf::from("/tmp"));
    let input = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        String::new()
    };
    let read = Inputs::read(&runner, &input, &|_| Ok(CONFIG.to_owned()));
    assert!(read.is_err());
    let (_, inputs) = ACTION_YML.split_once("\ninputs:\n").unwrap();
    let (inputs, _) = inputs.split_once("\noutputs:\n").unwrap();
    let offered = inputs.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.strip_suffix(':')?;
        (!name.starts_with(' ')).then(|| name.to_owned())
    });
    // The program itself is the launcher's affair.
    let offered: std::collections::BTreeSet<_> = offered.filter(|name| name != "binary").collect();
    assert_eq!(offered, asked.into_inner());
}
