//! Apps that are no Laravel, each deployed as its template says: a first release, another under load, an ill one, and back.

use std::fs;
use std::path::Path;

use kit::machine::{Machine, MachineOptions};
use kit::{Judge, Load, Repo};
use tokio::process::Command;

use super::{cutover, deploy_main};

/// What the owner of the server does before anything is deployed: folders, nginx, and what the app needs beside.
const PROVISION: &str = r"
install -d -o deploy -g deploy /srv/site /srv/pages /srv/notes
cat >/etc/nginx/conf.d/apps.conf <<'NGINX'
server { listen 80; listen 8101; server_name site.example.com; root /srv/site/current/public; location / { try_files $uri /index.html; } }
server {
    listen 80; listen 8102; server_name pages.example.com; root /srv/pages/current/public;
    location / { try_files $uri /index.php; }
    location = /index.php {
        include fastcgi.conf;
        fastcgi_param SCRIPT_FILENAME $realpath_root/index.php;
        fastcgi_pass unix:/run/php/pages.sock;
    }
}
server { listen 8103; location / { proxy_pass http://127.0.0.1:8080; } }
NGINX
systemctl reload nginx
";

const PHP: &str = r"
printf '%s\n' '[pages]' 'user = deploy' 'listen = /run/php/pages.sock' 'listen.owner = www-data' 'listen.group = www-data' \
  'pm = static' 'pm.max_children = 4' >/etc/php/8.2/fpm/pool.d/pages.conf
systemctl restart php8.2-fpm
printf '%s\n' '[program:pages-worker]' 'command=php /srv/pages/current/bin/console messenger:consume async' 'user=deploy' \
  'process_name=%(program_name)s_%(process_num)02d' 'autorestart=true' >/etc/supervisor/conf.d/pages-worker.conf
supervisorctl update
install -d -o deploy -g deploy /srv/pages/shared
echo APP_SECRET=x >/srv/pages/shared/.env.local
chown deploy /srv/pages/shared/.env.local
";

const UNITS: &str = r"
echo 'deploy ALL = (root) CWD=/ NOPASSWD: /usr/bin/systemctl restart notes.service' >/etc/sudoers.d/notes
systemctl daemon-reload
systemctl enable --now notes.socket
";

/// An app, its repository, and a machine that it is deployed to.
struct Place {
    machine: Machine,
    repo: Repo,
    dir: tempfile::TempDir,
    port: u16,
    judge: Judge,
}

impl Place {
    async fn of(app: &str, template: &str, port: u16, judge: Judge) -> Self {
        let machine = Machine::start(MachineOptions::named("web1")).await;
        machine.sh_as_root(PROVISION).await;
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let repo = Repo::empty().await;
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .arg(here.join("it/machine/apps").join(app).join("."))
            .arg(repo.work());
        assert!(copy.status().await.unwrap().success());
        repo.commit::<&str, &str>("one", []).await;
        repo.push("main").await;
        let dir = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(here.join("../templates/apps").join(template)).unwrap();
        let known = ["deploy@web1.example.com", "deploy@app1.example.com"];
        assert!(known.iter().any(|address| text.contains(address)));
        let address = machine.address();
        let text = known
            .iter()
            .fold(text, |text, known| text.replace(known, &address));
        fs::write(dir.path().join("cutover.toml"), text).unwrap();
        Self {
            machine,
            repo,
            dir,
            port,
            judge,
        }
    }

    async fn deploy(&self, code: i32) -> String {
        deploy_main(&self.machine, &self.repo, self.dir.path(), code).await
    }

    async fn change(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.repo.work().join(file)).unwrap();
        assert!(text.contains(from), "{file}: {text}");
        self.repo.commit(to, [(file, text.replace(from, to))]).await;
        self.repo.push("main").await;
    }

    /// The words that the app answers with now.
    async fn says(&self) -> String {
        let body = reqwest::get(self.url())
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        (self.judge)(&body).unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}:{}/health", self.machine.ip(), self.port)
    }

    /// From `one` to `two` and back, with an ill one in between; nobody who asks is turned away.
    async fn goes_to_two_and_back(self, file: &str) {
        self.deploy(0).await;
        assert_eq!(self.says().await, "one");
        let mut load = Load::judged(&self.url(), 40, self.judge);
        load.answers(20).await;
        self.change(file, "one", "two").await;
        self.deploy(0).await;
        assert_eq!(self.says().await, "two");
        load.answers(20).await;
        let report = load.stop().await;
        assert!(report.failed == 0 && report.releases.len() == 2, "{report}");
        self.change(file, "two", "ill").await;
        let said = self.deploy(1).await;
        assert_eq!(self.says().await, "two", "{said}");
        cutover(
            &self.machine,
            self.dir.path(),
            &["rollback", "production"],
            0,
        )
        .await;
        assert_eq!(self.says().await, "one");
        self.machine.close().await;
    }
}

/// What the code of an answer in JSON calls itself.
fn code(body: &str) -> Result<String, String> {
    let told: serde_json::Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    told["code"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| body.to_owned())
}

fn paragraph(body: &str) -> Result<String, String> {
    let words = body
        .split("<p>")
        .nth(1)
        .and_then(|rest| rest.split("</p>").next());
    words.map(str::to_owned).ok_or_else(|| body.to_owned())
}

#[tokio::test]
async fn a_static_site_is_deployed_as_its_template_says() {
    let place = Place::of("site", "static.toml", 8101, paragraph).await;
    place.goes_to_two_and_back("src/words").await;
}

#[tokio::test]
async fn a_php_app_that_is_no_laravel_is_deployed_as_its_template_says() {
    let place = Place::of("pages", "php.toml", 8102, code).await;
    place.machine.sh_as_root(PHP).await;
    place.goes_to_two_and_back("src/Kernel.php").await;
}

#[tokio::test]
async fn a_service_of_systemd_is_deployed_as_its_template_says() {
    let place = Place::of("notes", "systemd.toml", 8103, code).await;
    for unit in ["notes.service", "notes.socket"] {
        let template = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../templates/apps")
            .join(unit);
        fs::copy(
            template,
            place.machine.root().join("etc/systemd/system").join(unit),
        )
        .unwrap();
    }
    place.machine.sh_as_root(UNITS).await;
    place.goes_to_two_and_back("server.py").await;
}
