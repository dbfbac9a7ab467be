use cutover_deploy::Config;
use cutover_deploy::config::schema;
use insta::assert_snapshot;
use serde_json::Value;

/// A file that leaves out whatever can be left out, yet has every table.
const SPARSE: &str = r#"app = "shop"
repository = "github:acme/shop"

[environments.production]
path = "/srv/shop"
hosts = [{ name = "web1", address = "deploy@web1" }]
health = { url = "http://127.0.0.1/health" }
workers = [{ group = "shop-worker" }]
php_fpm = { pool = "/run/php/php8.2-fpm.sock", warm = ["/"] }
runtimes = [{ kind = "octane", group = "shop-octane" }]
"#;

fn parse(text: &str) -> Config {
    Config::parse("cutover.toml", text).unwrap_or_else(|problems| panic!("{problems}\n\n{text}"))
}

/// Writes into `file` every default that the schema names, wherever the table of the key is there.
fn fill_in(schema: &Value, file: &mut toml::Value, filled: &mut usize) {
    if let Some(table) = file.as_table_mut() {
        for (key, below) in schema["properties"].as_object().into_iter().flatten() {
            if !below["default"].is_null() && !table.contains_key(key) {
                table.insert(
                    key.clone(),
                    toml::Value::try_from(&below["default"]).expect("TOML has every default"),
                );
                *filled += 1;
            }
            if below["type"] == "object" && below["required"].is_null() && !table.contains_key(key)
            {
                table.insert(key.clone(), toml::Value::Table(toml::Table::new()));
            }
            if let Some(value) = table.get_mut(key) {
                fill_in(below, value, filled);
            }
        }
        if schema["additionalProperties"].is_object() {
            for (_, value) in table {
                fill_in(&schema["additionalProperties"], value, filled);
            }
        }
    } else if let Some(array) = file.as_array_mut() {
        for value in array {
            fill_in(&schema["items"], value, filled);
        }
    }
}

#[test]
fn the_defaults_in_the_schema_are_those_that_hold() {
    let mut file: toml::Value = toml::from_str(SPARSE).unwrap();
    let mut filled = 0;
    fill_in(&schema(), &mut file, &mut filled);
    assert!(
        filled >= 19,
        "only {filled} defaults were found in the schema"
    );
    assert_eq!(parse(&toml::to_string(&file).unwrap()), parse(SPARSE));
}

#[test]
fn an_explained_configuration_says_what_is_given_and_what_is_not() {
    let text = SPARSE.replace(
        "\n\n",
        "\nrecipe = \"laravel\"\nsteps.preflight = [\"bin/check\", \"php artisan --version\"]\n\n",
    );
    let config = parse(&text);
    let explained = config.explain().to_string();
    assert_eq!(parse(&explained), config);
    assert_snapshot!(explained, @r#"
    app = "shop"
    repository = "github:acme/shop"
    source = "build"  # default
    recipe = "laravel"

    [build]
    steps = ["composer install --no-dev --optimize-autoloader --no-interaction --no-progress --prefer-dist"]  # recipe laravel
    exclude = [  # recipe laravel
        ".git",
        "node_modules",
        "tests",
    ]
    env = {}  # default
    timeout = "15m"  # default
    sandbox = "auto"  # default

    [shared]
    files = [".env"]  # recipe laravel
    dirs = ["storage"]  # recipe laravel

    [steps]
    prepare = [  # recipe laravel
        "php artisan config:cache",
        "php artisan route:cache",
        "php artisan view:cache",
        "php artisan event:cache",
    ]
    preflight = [
        "bin/check",
        "php artisan --version",
    ]
    preview = ["php artisan migrate --pretend --force --no-interaction"]  # recipe laravel
    migrate = ["php artisan migrate --force --no-interaction"]  # recipe laravel
    migrate_back = ["php artisan migrate:rollback --force --no-interaction --step=1000000 $(printf ' --path=database/migrations/%s.php' $CUTOVER_MIGRATIONS)"]  # recipe laravel
    before_swap = []  # default
    after_swap = []  # default
    after_health = []  # default

    [environments.production]
    # no branch: no push is deployed here
    path = "/srv/shop"
    keep_releases = 5  # default
    keep_failed = 1  # default
    lock_wait = "10m"  # default
    step_timeout = "15m"  # default
    strategy = "all"  # default
    batch = 1  # default
    watch = "0s"  # default

    [environments.production.alarms]
    interval = "10s"  # default
    times = 2  # default

    [environments.production.migrations]
    destructive = "refuse"  # default
    on_rollback = "keep"  # default

    [[environments.production.hosts]]
    name = "web1"
    address = "deploy@web1:22"
    roles = ["web", "worker", "migrate"]  # default
    database = "default"  # default

    [environments.production.health]
    url = "http://127.0.0.1/health"
    attempts = 10  # default
    interval = "2s"  # default
    timeout = "5s"  # default
    status = 200  # default
    through = "web"  # default
    outside = []  # default

    [[environments.production.workers]]
    manager = "supervisor"  # default
    group = "shop-worker"
    expect = 1  # default
    hand_over = "drain"  # default
    drain_timeout = "1m"  # default
    after_drain = "fail"  # default
    sudo = true  # default

    [environments.production.php_fpm]
    pool = "/run/php/php8.2-fpm.sock"
    script = "public/index.php"  # default
    warm = ["/"]
    after_swap = "auto"  # default
    sudo = true  # default

    [[environments.production.runtimes]]
    kind = "octane"
    manager = "supervisor"  # default
    group = "shop-octane"
    expect = 1  # default
    sudo = true  # default
    timeout = "1m"  # default
    "#);
}

#[test]
fn a_key_that_is_given_replaces_the_recipe_wholly() {
    let text = SPARSE.replace(
        "\n\n",
        "\nrecipe = \"laravel\"\nsteps.prepare = []\nshared.dirs = [\"var\"]\n\n",
    );
    let config = parse(&text);
    assert_eq!(config.steps.prepare, Vec::<String>::new());
    assert_eq!(config.shared.dirs, ["var"]);
    assert_eq!(config.shared.files, [".env"]);
    assert_eq!(
        config.steps.migrate,
        ["php artisan migrate --force --no-interaction"]
    );
}

#[test]
fn without_a_recipe_nothing_runs_that_is_not_written() {
    let config = parse(SPARSE);
    assert!(
        config.build.steps.is_empty()
            && config.steps.migrate.is_empty()
            && config.shared.files.is_empty()
    );
}

#[test]
fn nested_json_fields_are_dotted_paths() {
    let text = SPARSE.replace(
        "/health\" }",
        "/health\", json = { a = { b = { c = true }, d = [1] }, \"e.f\" = \"g\" } }",
    );
    let config = parse(&text);
    let health = config
        .environment("production")
        .unwrap()
        .health
        .clone()
        .unwrap();
    let fields: Vec<String> = health
        .json
        .iter()
        .map(|(path, value)| format!("{path} = {value}"))
        .collect();
    assert_eq!(fields, ["a.b.c = true", "a.d = [1]", "e.f = \"g\""]);
}
