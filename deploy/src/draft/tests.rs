use super::*;

fn repository(kind: Kind) -> Repository {
    Repository {
        kind,
        app: "shop".into(),
        place: Some("github:acme/shop".into()),
        branch: Some("main".into()),
        health: None,
        frontend: false,
        runtimes: Vec::new(),
        horizon: None,
    }
}

fn wish() -> Wish {
    Wish {
        environment: "production".into(),
        path: None,
        address: Some("deploy@web1.example.com".into()),
    }
}

const HOST: &str = "user deploy\npool /run/php/php8.2-fpm.sock\npool /run/php/shop.sock\nservice php8.2-fpm\n\
    site nginx\nsite root /var/www/html\nsite server_name _\n\
    site nginx\nsite server_name shop.example.com www.example.com\nsite root /srv/shop/current/public\n\
    site fastcgi_pass unix:/run/php/shop.sock\n\
    program name other\nprogram command node x.js\n\
    program name shop-worker\nprogram command php /srv/shop/current/artisan queue:work --timeout=90\nprogram numprocs 4\n\
    unit shop-horizon php artisan horizon";

fn machine(text: &str) -> Machine {
    let mut machine = Machine::default();
    text.lines().for_each(|line| machine.hear(line));
    machine
}

#[test]
fn a_laravel_app_on_a_host_that_has_everything() {
    let app = Repository {
        health: Some("/up".into()),
        frontend: true,
        horizon: Some(Horizon {
            timeout_seconds: Some(900),
        }),
        ..repository(Kind::Laravel)
    };
    let told = draft(&app, Some(&machine(HOST)), &wish()).unwrap();
    insta::assert_snapshot!(told.text, @r#"
    # Written by `cutover init`. All there is to say is in templates/cutover.toml; `cutover check` tells whether this is
    # right. The file is checked in: no passwords, no tokens.

    app = "shop"
    repository = "github:acme/shop"
    recipe = "laravel"

    [build]
    steps = [
      "composer install --no-dev --optimize-autoloader --no-interaction --no-progress --prefer-dist",
      "npm ci",
      "npm run build",
    ]

    [environments.production]
    branch = "main"
    path = "/srv/shop"

    [[environments.production.hosts]]
    name = "web1"
    address = "deploy@web1.example.com"

    [environments.production.health]
    # asked on the host itself
    url = "http://127.0.0.1/up"
    host_header = "shop.example.com"

    [[environments.production.workers]]
    group = "shop-worker"
    expect = 4
    # longer than the longest job (--timeout)
    drain_timeout = "100s"

    [[environments.production.workers]]
    manager = "horizon"
    group = "shop-horizon"
    # CHANGE THIS: as many processes as there always are: the master, its supervisors, and of their workers the fewest
    # that config/horizon.php lets run
    expect = 3
    # longer than the longest job (timeout in config/horizon.php)
    drain_timeout = "910s"

    [environments.production.php_fpm]
    # asked what it needs after a swap; the deploy user must be able to open it
    pool = "/run/php/shop.sock"
    "#);
    insta::assert_snapshot!(told.found.join("\n"), @"
    a Laravel app: composer.json and artisan
    in the repository laravel/horizon
    nginx serves /srv/shop/current/public as shop.example.com
    PHP-FPM: pool /run/php/php8.2-fpm.sock, /run/php/shop.sock
    PHP-FPM: unit php8.2-fpm
    supervisor: shop-worker with 4 processes
    systemd: shop-horizon with 1 processes
    ");
}

#[test]
fn each_kind_of_repository_gives_a_file_that_is_right() {
    for kind in [Kind::Laravel, Kind::Php, Kind::Static, Kind::Other] {
        for frontend in [false, true] {
            let bare = Repository {
                place: None,
                branch: None,
                frontend,
                ..repository(kind)
            };
            let address = Wish {
                address: None,
                ..wish()
            };
            for machine in [None, Some(machine(HOST)), Some(machine(""))] {
                let told = draft(&bare, machine.as_ref(), &address);
                assert!(told.is_ok(), "{kind:?} {frontend} {machine:?}: {told:?}");
            }
        }
    }
}

#[test]
fn what_a_host_says_is_only_ever_a_value() {
    let evil = "site nginx\nsite root /srv/x\"\\ny/current/public\nsite server_name a\"b\nprogram name x\"]\n\
        program command php artisan queue:work";
    let told = draft(&repository(Kind::Php), Some(&machine(evil)), &wish());
    // It is refused by the grammar of the file, or it stands there as a text.
    insta::assert_snapshot!(told.map_or_else(|problems| problems, |draft| draft.text), @r#"
    cutover.toml:31:9: environments.production.workers[0].group: `x"]` is not the name of a supervisor group
      help: write the bare name, of letters, digits, `.`, `_`, `-` and `@`: `"shop-worker"`
    1 problem in cutover.toml
    "#);
}

/// Everything from the workers on.
fn workers_of(app: &Repository, machine: Option<&Machine>) -> String {
    let told = draft(app, machine, &wish()).unwrap();
    let (_, tables) = told.text.split_once("# json = { ok = true }\n").unwrap();
    tables.to_owned()
}

#[test]
fn horizon_is_never_a_plain_group_and_says_what_was_not_seen() {
    let with = |timeout_seconds| Repository {
        horizon: Some(Horizon { timeout_seconds }),
        ..repository(Kind::Laravel)
    };
    insta::assert_snapshot!(workers_of(&with(Some(0)), None), @r#"

    # There is laravel/horizon; `cutover provision` sets it up by this name; take it out where it is not used.
    [[environments.production.workers]]
    manager = "horizon"
    group = "shop-horizon"
    # CHANGE THIS: as many processes as there always are: the master, its supervisors, and of their workers the fewest
    # that config/horizon.php lets run
    expect = 3
    # CHANGE THIS: nothing ends a job, as timeout in config/horizon.php is 0; this must be longer than the longest one takes
    drain_timeout = "1h"

    # PHP-FPM, where it serves the app: with the address of its pool it follows each swap. `cutover provision` makes one
    # there; other hosts have theirs in /run/php.
    # [environments.production.php_fpm]
    # pool = "/run/php/shop@production.sock"
    "#);
    // Under supervisor in a shell, and beside it the scheduler.
    let machine = machine(
        "program name jobs\nprogram command sh -c 'exec php -d x=1 /srv/shop/current/artisan --env=x horizon'\n\
         program name clock\nprogram command php /srv/shop/current/artisan schedule:work",
    );
    insta::assert_snapshot!(workers_of(&with(None), Some(&machine)), @r#"

    [[environments.production.workers]]
    manager = "horizon"
    group = "jobs"
    # CHANGE THIS: as many processes as there always are: the master, its supervisors, and of their workers the fewest
    # that config/horizon.php lets run
    expect = 3
    # CHANGE THIS: longer than the longest job (timeout in config/horizon.php, which was not seen)
    drain_timeout = "70s"

    [[environments.production.workers]]
    group = "clock"
    expect = 1
    "#);
    insta::assert_snapshot!(workers_of(&with(None), Some(&Machine::default())), @r#"

    # There is laravel/horizon, and nothing that the host shows runs it.
    # [[environments.production.workers]]
    # manager = "horizon"
    # group = "shop-horizon"
    # expect = 3
    "#);
}

/// Two apps of Laravel, one with workers that are no Laravel, and a program of its own.
const SHARED: &str = "site nginx\nsite server_name pages.example.com\nsite root /srv/pages/current/public\n\
    program name other-worker\nprogram command php /srv/other/current/artisan queue:work\nprogram numprocs 2\n\
    program name old-worker\nprogram command php artisan queue:work\nprogram directory /srv/old/current\n\
    program name pages-worker\nprogram command php /srv/pages/current/bin/console messenger:consume async\n\
    program name more\nprogram command php /srv/pages/currently/x\n\
    unit notes /usr/bin/python3 server.py\nprogram directory /srv/notes/current\n\
    unit ssh /usr/sbin/sshd -D";

#[test]
fn workers_of_other_apps_on_the_host_are_left_to_them() {
    let workers = |app: &str, kind| {
        let app = Repository {
            app: app.into(),
            ..repository(kind)
        };
        let path = Some(format!("/srv/{}", app.app));
        let wish = Wish { path, ..wish() };
        let told = draft(&app, Some(&machine(SHARED)), &wish).unwrap();
        let (_, tables) = told.text.split_once("# url").unwrap();
        tables.to_owned()
    };
    insta::assert_snapshot!(workers("pages", Kind::Php), @r#"
     = "http://127.0.0.1/health"
    # host_header = "pages.example.com"
    # json = { ok = true }

    [[environments.production.workers]]
    group = "pages-worker"
    expect = 1
    "#);
    insta::assert_snapshot!(workers("notes", Kind::Other), @r#"
     = "http://127.0.0.1/health"
    # contains = "a word of the page"

    [[environments.production.workers]]
    manager = "systemd"
    group = "notes"
    expect = 1
    "#);
}

/// Octane under systemd with two instances, Reverb under supervisor, and Octane of another app.
const SERVERS: &str = "unit shop-octane@ /usr/bin/php -d opcache.enable_cli=1 /srv/shop/current/artisan octane:start --port=%i\n\
    program numprocs 2\nprogram name talk\nprogram command php \"/srv/shop/current/artisan\" reverb:start\n\
    program name other\nprogram command php /srv/other/current/artisan octane:start\n\
    pool /run/php/php8.4-fpm.sock\nprogram name endless\nprogram command php /srv/shop/current/artisan queue:work --timeout=0";

#[test]
fn runtimes_are_taken_from_the_host_and_without_one_from_the_repository() {
    let app = Repository {
        runtimes: vec![RuntimeKind::Octane, RuntimeKind::Pulse],
        ..repository(Kind::Laravel)
    };
    let tables = |machine: Option<Machine>| {
        let told = draft(&app, machine.as_ref(), &wish()).unwrap();
        let (_, tables) = told.text.split_once("# json = { ok = true }\n").unwrap();
        format!("{tables}--\n{}", told.found.join("\n"))
    };
    insta::assert_snapshot!(tables(Some(machine(SERVERS))), @r#"

    [[environments.production.workers]]
    group = "endless"
    expect = 1
    # CHANGE THIS: nothing ends a job, as --timeout is 0; this must be longer than the longest one takes
    drain_timeout = "1h"

    [[environments.production.runtimes]]
    kind = "octane"
    manager = "systemd"
    group = "shop-octane"
    expect = 2

    [[environments.production.runtimes]]
    kind = "reverb"
    group = "talk"
    expect = 1

    # There is laravel/pulse, and nothing that the host shows runs it.
    # [[environments.production.runtimes]]
    # kind = "pulse"
    # group = "shop-pulse"
    # expect = 1
    --
    a Laravel app: composer.json and artisan
    in the repository laravel/octane
    in the repository laravel/pulse
    PHP-FPM: pool /run/php/php8.4-fpm.sock
    supervisor: endless with 1 processes
    systemd: shop-octane with 2 processes
    supervisor: talk with 1 processes
    "#);
    insta::assert_snapshot!(tables(None), @r#"

    # Queue workers, where the app has some; `cutover provision` sets them up by this name, under supervisor.
    # [[environments.production.workers]]
    # group = "shop-worker"
    # expect = 2

    # PHP-FPM, where it serves the app: with the address of its pool it follows each swap. `cutover provision` makes one
    # there; other hosts have theirs in /run/php.
    # [environments.production.php_fpm]
    # pool = "/run/php/shop@production.sock"

    # There is laravel/octane; `cutover provision` sets it up by this name; take it out where it is not used.
    [[environments.production.runtimes]]
    kind = "octane"
    group = "shop-octane"
    expect = 2

    # There is laravel/pulse; `cutover provision` sets it up by this name; take it out where it is not used.
    [[environments.production.runtimes]]
    kind = "pulse"
    group = "shop-pulse"
    expect = 1
    --
    a Laravel app: composer.json and artisan
    in the repository laravel/octane
    in the repository laravel/pulse
    "#);
}
