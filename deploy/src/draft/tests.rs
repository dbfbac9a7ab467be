use super::*;

fn repository(kind: Kind) -> Repository {
    Repository {
        kind,
        app: "shop".into(),
        place: Some("github:acme/shop".into()),
        branch: Some("main".into()),
        health: None,
        frontend: false,
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
    manager = "systemd"
    group = "shop-horizon"
    expect = 1
    # longer than the longest job (--timeout)
    drain_timeout = "70s"

    [environments.production.php_fpm]
    # asked what it needs after a swap; the deploy user must be able to open it
    pool = "/run/php/shop.sock"
    "#);
    insta::assert_snapshot!(told.found.join("\n"), @"
    a Laravel app: composer.json and artisan
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
