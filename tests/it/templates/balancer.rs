//! nginx as a balancer, as the manual says it: a host that is away is not asked, and its own question for health is.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kit::wait_for;

/// Ends nginx as soon as its stdin ends, which happens even when the test is killed.
const RUN: &str =
    "nginx -e stderr -p \"$1\" -c nginx.conf </dev/null & cat >/dev/null; kill -KILL $!; wait";

/// Two hosts and a balancer before them, all in one nginx.
const SETTINGS: &str = "
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
";

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

/// The examples for nginx that the manual has.
fn examples() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manual = fs::read_to_string(root.join("docs/configuration.md")).unwrap();
    let blocks = manual.split("```nginx\n").skip(1);
    let text = |block: &str| block.split("```").next().unwrap().to_owned();
    // Those of a balancer say first where they belong.
    let blocks = blocks.filter(|block| block.starts_with("# "));
    blocks.map(text).collect()
}

fn replaced(text: &str, word: &str, with: &str) -> String {
    assert!(text.contains(word), "the manual does not say {word}");
    text.replace(word, with)
}

/// Asks `url` by `method`, and returns what came.
fn ask(method: &str, url: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--noproxy", "*", "--request", method, url]);
    String::from_utf8(curl.output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn nginx_sends_requests_to_the_other_host_while_one_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = listeners.map(|free| free.local_addr().unwrap().port());
    let [host, balancer] = examples().try_into().unwrap();
    let mut settings = SETTINGS.to_owned();
    let mut before = balancer;
    for (number, port) in [1, 2].into_iter().zip(ports) {
        let away = folder.path().join(format!("away{number}"));
        let host = replaced(&host, "/srv/shop/shared/away", away.to_str().unwrap());
        let site = format!("location / {{ return 200 web{number}; }}");
        let server = format!("server {{ listen 127.0.0.1:{port};\n{host}\n{site} }}\n");
        settings.push_str(&server);
        let address = format!("127.0.0.1:{port}");
        before = replaced(&before, &format!("10.0.0.1{number}"), &address);
    }
    // It comes from an address of its own, as from another machine.
    let listen = format!(
        "server {{\n listen 127.0.0.1:{}; proxy_bind 127.0.0.5;",
        ports[2]
    );
    settings += &replaced(&before, "server {", &listen);
    settings += "}\n";
    fs::write(folder.path().join("nginx.conf"), settings).unwrap();
    let mut run = Command::new("/bin/sh");
    run.args(["-c", RUN, "nginx"]).arg(folder.path());
    let _nginx = Nginx(run.stdin(Stdio::piped()).spawn().unwrap());
    wait_for("nginx to listen", Duration::from_secs(10), async || {
        TcpStream::connect(("127.0.0.1", ports[2])).map_err(|error| error.to_string())
    })
    .await;
    let url = |port: u16| format!("http://127.0.0.1:{port}/");
    let answers = |method| -> String { (0..6).map(|_| ask(method, &url(ports[2]))).collect() };
    assert_eq!(answers("GET"), "web1web2web1web2web1web2");
    fs::write(folder.path().join("away1"), "").unwrap();
    assert_eq!(answers("GET"), "web2".repeat(6));
    assert_eq!(answers("POST"), "web2".repeat(6));
    assert_eq!(ask("GET", &url(ports[0])), "web1");
    fs::remove_file(folder.path().join("away1")).unwrap();
    assert!(answers("POST").contains("web1"));
}
