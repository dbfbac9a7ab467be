use cutover_deploy::Config;
use cutover_deploy::config::schema;
use serde_json::Value;

const TEMPLATE: &str = include_str!("../../../templates/cutover.toml");
const SCHEMA_FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../templates/cutover.schema.json"
);

/// The template with every option that it shows as a comment switched on.
///
/// An option is `# key = value` or `# [table]`; sentences begin with a capital.
fn with_every_option() -> String {
    let option = |line: &str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| is_key(key))
    };
    let lines = TEMPLATE.lines().map(|line| match line.strip_prefix("# ") {
        Some(commented) if option(commented) => commented,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn parse(text: &str) -> Config {
    Config::parse("cutover.toml", text).unwrap_or_else(|problems| panic!("{problems}\n\n{text}"))
}

/// Every key of the schema, as paths in which any name stands for `*`.
fn keys(schema: &Value, place: &str, found: &mut Vec<String>) {
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}/{key}");
        keys(below, &place, found);
        found.push(place);
    }
    if schema["additionalProperties"].is_object() {
        keys(
            &schema["additionalProperties"],
            &format!("{place}/*"),
            found,
        );
    }
    if schema["items"].is_object() {
        keys(&schema["items"], &format!("{place}/*"), found);
    }
}

fn is_there(value: &toml::Value, path: &[&str]) -> bool {
    match (path, value) {
        ([], _) => true,
        (["*", rest @ ..], toml::Value::Table(table)) => {
            table.values().any(|value| is_there(value, rest))
        }
        (["*", rest @ ..], toml::Value::Array(array)) => {
            array.iter().any(|value| is_there(value, rest))
        }
        ([key, rest @ ..], toml::Value::Table(table)) => {
            table.get(*key).is_some_and(|value| is_there(value, rest))
        }
        _ => false,
    }
}

#[test]
fn the_template_works_as_it_is() {
    let config = parse(TEMPLATE);
    assert_eq!(config.app.as_str(), "shop");
    let production = config.environment("production").unwrap();
    assert_eq!(production.branch.as_deref(), Some("main"));
    assert!(
        production.health.is_some(),
        "the template shows no health check"
    );
}

#[test]
fn the_template_works_with_every_option_switched_on() {
    let config = parse(&with_every_option());
    assert_eq!(config.environments.len(), 2);
    let production = config.environment("production").unwrap();
    assert_eq!(production.workers.len(), 5);
    assert!(production.php_fpm.is_some());
}

#[test]
fn the_template_shows_every_key_of_the_schema() {
    let shown = toml::from_str(&with_every_option()).unwrap();
    let mut known = Vec::new();
    keys(&schema(), "", &mut known);
    assert!(known.len() > 40, "the schema knows only {known:?}");
    let absent = known
        .iter()
        .filter(|path| !is_there(&shown, &path[1..].split('/').collect::<Vec<_>>()));
    assert_eq!(
        absent.collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "the template leaves these out"
    );
}

#[test]
fn every_option_in_the_template_follows_a_sentence() {
    let mut told = true;
    for (number, line) in TEMPLATE.lines().enumerate() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let option =
            bare.starts_with('[') || bare.split_once(" = ").is_some_and(|(key, _)| is_key(key));
        if line.is_empty() {
            told = false;
        } else if option {
            assert!(
                told,
                "templates/cutover.toml:{}: no sentence tells about `{line}`",
                number + 1
            );
        } else {
            told = true;
        }
    }
}

#[test]
fn the_checked_in_schema_is_that_of_the_types() {
    let mut wanted = serde_json::to_string_pretty(&schema()).unwrap();
    wanted.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(SCHEMA_FILE, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(SCHEMA_FILE).unwrap_or_default();
    assert!(
        found == wanted,
        "templates/cutover.schema.json is not what the types say; bring it up to date with\n  \
         UPDATE_SCHEMA=1 cargo test -p cutover-deploy --test config schema\nand look at the difference"
    );
}

#[test]
fn an_editor_that_follows_the_schema_finds_no_fault_in_the_template() {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for text in [TEMPLATE, &with_every_option()] {
        let file: Value = toml::from_str(text).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&file)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(faults, Vec::<String>::new());
    }
    let slip: Value = toml::from_str(&TEMPLATE.replace("branch =", "brnch =")).unwrap();
    assert!(!validator.is_valid(&slip), "the schema allows unknown keys");
}

#[test]
fn the_least_file_in_the_manual_works() {
    let manual = include_str!("../../../docs/configuration.md");
    let least = manual
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let config = parse(least.expect("the manual opens with an example"));
    assert_eq!(config.environments.len(), 1);
}
