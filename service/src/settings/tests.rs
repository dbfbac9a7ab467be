use super::*;

const APP: &str = include_str!("../../../templates/cutover.toml");

const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("hook", "0123456789abcdef0123456789abcdef\n");
        folder.write("token", "ghp_sesame\n");
        folder.write("cutover.toml", APP);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn load(&self, text: &str) -> Result<Settings, BadSettings> {
        self.write("service.toml", text);
        Settings::load_with(&self.0.path().join("service.toml"), &|_| None)
    }

    fn problems(&self, text: &str) -> Vec<String> {
        let bad = self.load(text).unwrap_err();
        let folder = self.0.path().display().to_string();
        bad.problems
            .iter()
            .map(|problem| problem.replace(&folder, "<folder>"))
            .collect()
    }
}

const SOUND: &str = r#"
data_dir = "data"
[github]
webhook_secret_file = "hook"
token_file = "token"
[[apps]]
config = "cutover.toml"
"#;

#[test]
fn paths_are_taken_from_the_folder_of_the_file() {
    let folder = Folder::new();
    let settings = folder.load(SOUND).unwrap();
    assert_eq!(settings.data_dir, folder.0.path().join("data"));
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(settings.github.unwrap().api_url, "https://api.github.com");
    assert_eq!(
        settings.secret_files,
        [folder.0.path().join("hook"), folder.0.path().join("token")]
    );
}

#[test]
fn each_forge_has_its_usual_prefixes_until_others_are_set() {
    let folder = Folder::new();
    let usual = folder.load(SOUND).unwrap();
    let chosen = format!("{SOUND}[chat]\nprefixes = [\"@cutover \"]\n");
    let chosen = folder.load(&chosen).unwrap();
    for forge in [ForgeKind::GitHub, ForgeKind::GitLab] {
        assert_eq!(usual.prefixes(forge), Prefixes::usual(forge));
        let wanted = Prefixes::new(forge, vec!["@cutover ".to_owned()]);
        assert_eq!(chosen.prefixes(forge), wanted);
    }
}

#[test]
fn no_secret_is_shown_by_debug() {
    let folder = Folder::new();
    let shown = format!("{:?}", folder.load(SOUND).unwrap());
    assert!(
        !shown.contains("sesame") && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
}

#[test]
fn a_missing_or_empty_secret_refuses_to_start_and_says_what_to_do() {
    let folder = Folder::new();
    let missing = SOUND
        .replace("webhook_secret_file = \"hook\"\n", "")
        .replace("token_file = \"token\"\n", "");
    assert_eq!(
        folder.problems(&missing),
        [
            "no webhook secret of GitHub: write it to a file and set `github.webhook_secret_file = \"…\"`, \
             or set the variable CUTOVER_GITHUB_WEBHOOK_SECRET",
            "no token for GitHub (or `app_id` and `private_key_file` of a GitHub App): write it to a file and set \
             `github.token_file = \"…\"`, or set the variable CUTOVER_GITHUB_TOKEN",
        ]
    );
    folder.write("hook", "\n  \n");
    assert_eq!(
        folder.problems(SOUND),
        ["the webhook secret of GitHub is empty: put it into <folder>/hook"]
    );
    folder.write("hook", "short");
    assert_eq!(
        folder.problems(SOUND),
        ["a webhook secret is shorter than 16 characters: make one with `openssl rand -hex 32`"]
    );
    let gone = SOUND.replace("\"hook\"", "\"gone\"");
    assert_eq!(
        folder.problems(&gone),
        [
            "github.webhook_secret_file: cannot read <folder>/gone: No such file or directory (os error 2)"
        ]
    );
}

#[test]
fn secrets_may_come_from_the_environment_and_several_may_live() {
    let folder = Folder::new();
    folder.write(
        "service.toml",
        "data_dir = \"data\"\n[[apps]]\nconfig = \"cutover.toml\"\n",
    );
    let settings = Settings::load_with(&folder.0.path().join("service.toml"), &|name| match name {
        "CUTOVER_GITHUB_WEBHOOK_SECRET" => {
            Some("the secret of yesterday\nthe secret of today".to_owned())
        }
        "CUTOVER_GITHUB_TOKEN" => Some("ghp_sesame".to_owned()),
        _ => None,
    });
    assert_eq!(settings.unwrap().github.unwrap().webhook_secrets.len(), 2);
}

#[test]
fn every_problem_is_told_at_once() {
    let folder = Folder::new();
    let text = r#"
listen = "everywhere"
public_url = "deploy.example.com"
[github]
webhook_secret_file = "hook"
token_file = "token"
app_id = 7
[[apps]]
config = "nowhere.toml"
[[apps]]
config = "cutover.toml"
ssh_key = "no-key"
[[apps]]
config = "cutover.toml"
"#;
    let problems = folder.problems(text);
    let starts = [
        "listen: \"everywhere\" is not an address and a port",
        "public_url: \"deploy.example.com\" is not a plain http or https URL",
        "no data_dir",
        "github.app_id needs `private_key_file",
        "apps.config: cannot read <folder>/nowhere.toml",
        "apps.ssh_key: <folder>/no-key is not a file",
        "two apps are called ",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn a_key_that_is_not_known_is_refused_with_its_line() {
    let folder = Folder::new();
    let problems = folder.problems(&SOUND.replace("data_dir", "datadir"));
    assert!(
        problems[0].contains("line 2") && problems[0].contains("unknown field `datadir`"),
        "{problems:?}"
    );
}

#[test]
fn no_problem_shows_what_may_be_a_secret() {
    let folder = Folder::new();
    let texts = [
        SOUND.replace("[github]", "[github]\ntoken = \"ghp_sesame\""),
        SOUND.replace("[github]", "[github]\napp_id = \"ghp_sesame\""),
        SOUND.replace("[github]", "[github]\ntoken_file = \"ghp_sesame\" oops"),
        SOUND.replace("[github]", "[github]\ntoken_file = ghp_sesame"),
        SOUND.replace("[github]", "[github]\ntoken_file = \"ghp_sesame"),
        SOUND.replace(
            "[github]",
            "public_url = \"https://me:ghp_sesame@deploy.example.com\"\n[github]",
        ),
    ];
    for text in texts {
        let problems = folder.problems(&text).join("\n");
        assert!(!problems.contains("sesame"), "{problems}");
        let names_the_place = problems.contains("line ") || problems.contains("public_url: ");
        assert!(names_the_place, "{problems}");
    }
}

#[test]
fn the_template_is_complete_and_sound() {
    let folder = Folder::new();
    let template = include_str!("../../../templates/service.toml");
    for name in [
        "webhook-secret",
        "github-token",
        "github-app.pem",
        "pages-token",
        "gitlab-webhook-token",
        "gitlab-token",
        "shop/id_ed25519",
        "shop/known_hosts",
        "shop/ssh_config",
    ] {
        fs::create_dir_all(folder.0.path().join("shop")).unwrap();
        folder.write(name, "-----BEGIN RSA PRIVATE KEY----- 0123456789");
    }
    folder.write("shop/cutover.toml", APP);
    folder.write("gitlab-signing-secret", SIGNING_SECRET);
    let settings = folder.load(template).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(matches!(settings.github.unwrap().login, Login::Token(_)));
    assert!(settings.gitlab.is_none());

    // Every option, as if a reader had removed the mark in front of it; the App takes the place of the token.
    let option = |line: &str| {
        line.strip_prefix("# ")
            .and_then(|rest| rest.split_once(" = "))
            .is_some_and(|(key, _)| !key.contains(' '))
    };
    let options = template
        .lines()
        .map(|line| if option(line) { &line[2..] } else { line });
    let whole = options
        .filter(|line| *line != "token_file = \"github-token\"")
        .collect::<Vec<_>>()
        .join("\n");
    let settings = folder.load(&whole).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(matches!(
        settings.github.unwrap().login,
        Login::App { id: 123_456, .. }
    ));
    let gitlab = settings.gitlab.unwrap();
    assert_eq!(
        (gitlab.hook.tokens.len(), gitlab.hook.signing.len()),
        (1, 1)
    );
    let app = &settings.apps[0];
    assert!(
        app.access.ssh_config.is_some() && app.git_url.is_some() && settings.public_url.is_some()
    );
}

#[test]
fn a_token_for_the_pages_is_optional_and_never_short_or_empty() {
    let folder = Folder::new();
    assert!(folder.load(SOUND).unwrap().pages.tokens.is_empty());
    let with = SOUND.replace("[github]", "[pages]\ntoken_file = \"reader\"\n[github]");
    folder.write("reader", "0123456789abcdef\nfedcba9876543210\n");
    let settings = folder.load(&with).unwrap();
    assert_eq!(settings.pages.tokens.len(), 2);
    assert!(
        settings
            .secret_files
            .contains(&folder.0.path().join("reader"))
    );
    folder.write("reader", "\n");
    assert_eq!(
        folder.problems(&with),
        ["the token for the pages is empty: put it into <folder>/reader"]
    );
    folder.write("reader", "short\n");
    assert_eq!(
        folder.problems(&with),
        [
            "a token for the pages is shorter than 16 characters: make one with `openssl rand -hex 32`"
        ]
    );
    folder.write("service.toml", SOUND);
    let file = folder.0.path().join("service.toml");
    let empty = |name: &str| (name == "CUTOVER_PAGES_TOKEN").then(String::new);
    let bad = Settings::load_with(&file, &empty).unwrap_err();
    assert_eq!(
        bad.problems,
        ["the token for the pages is empty: put it into CUTOVER_PAGES_TOKEN"]
    );
}

const ON_GITLAB: &str = r#"
data_dir = "data"
[gitlab]
webhook_token_file = "hook"
token_file = "token"
[[apps]]
config = "cutover.toml"
"#;

impl Folder {
    fn on_gitlab() -> Self {
        let folder = Self::new();
        let repository = APP.lines().find(|line| line.starts_with("repository"));
        let there = "repository = \"gitlab:acme/web/shop\"";
        folder.write("cutover.toml", &APP.replace(repository.unwrap(), there));
        folder
    }
}

#[test]
fn an_app_on_gitlab_needs_gitlab_and_no_github() {
    let folder = Folder::on_gitlab();
    let settings = folder.load(ON_GITLAB).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(settings.github.is_none());
    let gitlab = settings.gitlab.as_ref().unwrap();
    assert_eq!(gitlab.api_url, "https://gitlab.com/api/v4");
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("sesame") && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
    let nothing = "data_dir = \"data\"\n[[apps]]\nconfig = \"cutover.toml\"\n";
    assert_eq!(
        folder.problems(nothing),
        [
            "nothing proves what GitLab sends: set `gitlab.signing_secret_file = \"…\"` or \
             `gitlab.webhook_token_file = \"…\"`",
            "no token for GitLab: write it to a file and set `gitlab.token_file = \"…\"`, or set the variable \
             CUTOVER_GITLAB_TOKEN",
        ]
    );
}

#[test]
fn a_webhook_secret_of_gitlab_that_proves_nothing_is_refused() {
    let folder = Folder::on_gitlab();
    folder.write("short", "sesame");
    assert_eq!(
        folder.problems(&ON_GITLAB.replace("\"hook\"", "\"short\"")),
        [
            "a webhook token of GitLab is shorter than 16 characters: make one with `openssl rand -hex 32`"
        ]
    );
    let signing = ON_GITLAB.replace("webhook_token_file", "signing_secret_file");
    for bad in [
        "0123456789abcdef0123456789abcdef",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_%",
    ] {
        folder.write("hook", bad);
        assert_eq!(
            folder.problems(&signing),
            [
                "a signing secret of GitLab is not `whsec_` and base64: copy it from the webhook's page"
            ],
            "{bad}"
        );
    }
    folder.write("hook", SIGNING_SECRET);
    folder.load(&signing).unwrap_or_else(|bad| panic!("{bad}"));
}

#[test]
fn a_file_that_is_not_there_is_told_with_what_to_do() {
    let bad = Settings::load_with(Path::new("/absent/service.toml"), &|_| None).unwrap_err();
    insta::assert_snapshot!(bad, @"
    /absent/service.toml cannot be used
      cannot be read: No such file or directory (os error 2): name the file with `--config`, or begin with a copy of templates/service.toml
    ");
}
