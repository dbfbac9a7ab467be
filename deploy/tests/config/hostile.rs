use cutover_deploy::Config;
use proptest::prelude::*;

/// What `Config::parse` owes to whatever text: it returns, and what it says is fit for a terminal.
fn reads_or_tells(text: &str) {
    match Config::parse("cutover.toml", text) {
        Ok(config) => {
            let explained = config.explain().to_string();
            assert_eq!(
                Config::parse("explained", &explained).as_ref(),
                Ok(&config),
                "{explained}"
            );
        }
        Err(problems) => {
            assert!(
                !problems.problems.is_empty(),
                "refused without a word: {text:?}"
            );
            let told = problems.to_string();
            let odd = told.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(odd, None, "a control character got into {told:?}");
            let lines = text.lines().count().max(1) + 1;
            for problem in &problems.problems {
                assert!(
                    (1..=lines).contains(&problem.line),
                    "{problem:?} is not in {text:?}"
                );
                assert!(problem.column >= 1 && problem.help.is_some(), "{problem:?}");
            }
        }
    }
}

#[test]
fn deep_nesting_ends_no_process() {
    for text in [
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
        format!("[[{}a]]", "a.".repeat(100_000)),
        format!("a = {}", "[".repeat(200_000)),
        format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a = {}", "{a=".repeat(60_000)),
        format!("a = {{ {}a = 1 }}", "a.".repeat(100_000)),
    ] {
        reads_or_tells(&text);
    }
}

#[test]
fn odd_but_good_texts_come_back_as_they_were() {
    let odd = [
        r#""a \"quoted\" 'word' \\ \u007f \u00e9 \u202e""#,
        r#""two\nlines\tand a tab""#,
        r#"'''"both" 'kinds' of ""quotes""'''"#,
        r#""ends with a backslash \\""#,
        "\"# no comment = [nor] {this}\"",
    ];
    for text in odd {
        reads_or_tells(&format!(
            "app = \"a\"\nrepository = \"github:a/b\"\nbuild.steps = [{text}]\nbuild.env = {{ A = {text} }}\n\
             [environments.production]\npath = \"/srv/a\"\nhosts = [{{ name = \"a\", address = \"[::1]\" }}]\n\
             [environments.production.health]\nurl = \"http://[::1]/\"\ncontains = {text}\n\
             json = {{ \"x y\" = {text}, n = 1.0, l = [1, {{ a = {text} }}], big = -9223372036854775808 }}\n"
        ));
    }
}

/// Pieces of which hostile files are made; most of them mean something at some place.
const PIECES: [&str; 32] = [
    "=",
    "\n",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    ".",
    ",",
    "#",
    " ",
    "\r",
    "\0",
    "\u{1b}[2J",
    "\u{feff}",
    "\u{202e}",
    "[[environments.production.hosts]]\n",
    "[environments.production]\n",
    "roles = [\"web\"]\n",
    "hosts = 1\n",
    "path",
    "99999999999999999999",
    "-1",
    "nan",
    "0xffff",
    "2026-05-20T00:00:00Z",
    "true",
    "'..'",
    "json = { a = { b = [{}] } }\n",
    "env.A = \"x\"\n",
];

const TEMPLATE: &str = include_str!("../../../templates/cutover.toml");

/// The template with a piece of it cut out or another put in, some times.
fn damaged(cuts: &[(usize, usize, usize)]) -> String {
    let mut text: Vec<char> = TEMPLATE.replace("\n# ", "\n").chars().collect();
    if cuts.len().is_multiple_of(2) {
        text = TEMPLATE.chars().collect();
    }
    for (at, length, piece) in cuts {
        let at = at % text.len();
        let end = (at + length).min(text.len());
        let piece = PIECES.get(*piece).copied().unwrap_or_default();
        text.splice(at..end, piece.chars());
    }
    text.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_told(text in any::<String>()) {
        reads_or_tells(&text);
    }

    #[test]
    fn any_row_of_pieces_is_read_or_told(pieces in prop::collection::vec(prop::sample::select(&PIECES), 0..40)) {
        reads_or_tells(&pieces.concat());
    }

    #[test]
    fn a_damaged_template_is_read_or_told(cuts in prop::collection::vec((any::<usize>(), 0..30_usize, 0..64_usize), 1..5)) {
        reads_or_tells(&damaged(&cuts));
    }

    #[test]
    fn any_value_at_any_key_is_read_or_told(value in any::<String>(), key in 0..12_usize) {
        let key = ["app", "repository", "recipe", "path", "branch", "address", "name", "lock_wait", "url", "group", "files", "service"][key];
        let quoted = toml::Value::String(value).to_string();
        reads_or_tells(&TEMPLATE.lines().map(|line| match line.trim_start_matches("# ").split_once(" = ") {
            Some((known, _)) if known == key => format!("{key} = {quoted}\n"),
            _ => format!("{line}\n"),
        }).collect::<String>());
    }
}
