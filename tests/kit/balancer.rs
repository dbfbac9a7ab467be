//! A real HAProxy in front of hosts, made from the templates that users copy.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use tempfile::TempDir;

use crate::host::free_port;
use crate::wait_for;

/// Ends HAProxy as soon as its stdin ends, which happens even when the test is killed.
const RUN: &str = "haproxy -db -f \"$1\" </dev/null & cat >/dev/null; kill -KILL $!; wait";

/// A load balancer whose servers are called as hosts. Ends with its value.
#[derive(Debug)]
pub struct Balancer {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Balancer {
    /// Starts one in front of these servers, each a name and an address, and waits until it can be asked.
    pub async fn start(servers: &[(&str, String)]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kit-balancer-")
            .tempdir_in("/tmp");
        let folder = folder.expect("a temporary folder can be made");
        let port = free_port();
        let settings = folder.path().join("haproxy.cfg");
        fs::write(&settings, config(folder.path(), port, servers)).expect("it was just made");
        let log = fs::File::create(folder.path().join("log")).expect("it was just made");
        let mut run = Command::new("/bin/sh");
        run.args(["-c", RUN, "balancer"]).arg(settings);
        let errors = log.try_clone().expect("a file can be opened twice");
        run.stdin(Stdio::piped()).stdout(log).stderr(errors);
        let child = run.spawn().expect("there is a shell");
        let balancer = Self {
            folder,
            port,
            child,
        };
        wait_for(
            "HAProxy to listen",
            Duration::from_secs(10),
            async || match TcpStream::connect(("127.0.0.1", port)) {
                Ok(_) => Ok(()),
                Err(_) => Err(balancer.log()),
            },
        )
        .await;
        balancer
    }

    /// Where the site is served.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The script by which a deployment talks to it, as a file of the app's repository.
    pub fn script(&self) -> String {
        let socket = format!("UNIX-CONNECT:{}", self.socket().display());
        template("haproxy.sh", &[("TCP:balancer.internal:9999", &socket)])
    }

    /// How each server stands, in the order of the file: `no check` is one that is asked, `DRAIN` one that is not.
    pub fn servers(&self) -> Vec<(String, String)> {
        let told = self.say("show stat").expect("HAProxy answers");
        let rows = told.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let server = fields.first() == Some(&"shop") && fields.get(1) != Some(&"BACKEND");
            server.then(|| (fields[1].to_owned(), fields[17].to_owned()))
        });
        rows.collect()
    }

    /// Ends it, as a machine that is switched off.
    pub fn end(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }

    fn say(&self, words: &str) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.socket())?;
        writeln!(socket, "{words}")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.end();
    }
}

fn config(folder: &Path, port: u16, servers: &[(&str, String)]) -> String {
    let socket = folder.join("socket").display().to_string();
    let text = template(
        "haproxy.cfg",
        &[
            ("ipv4@10.0.0.5:9999", socket.as_str()),
            ("bind :80", &format!("bind 127.0.0.1:{port}")),
            ("  server web1 10.0.0.11:80\n", ""),
            ("  server web2 10.0.0.12:80\n", ""),
            // What a host answers is seen as it is.
            (
                "  balance roundrobin\n",
                "  balance roundrobin\n  retries 0\n",
            ),
        ],
    );
    let server = |(name, address): &(&str, String)| format!("  server {name} {address}\n");
    text + &servers.iter().map(server).collect::<String>()
}

/// A file that users copy, with these words replaced; each must be there.
fn template(name: &str, values: &[(&str, &str)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let file = root
        .expect("the package lies in the workspace")
        .join("templates")
        .join(name);
    let text = fs::read_to_string(file).expect("the template is there");
    values.iter().fold(text, |text, (word, value)| {
        assert!(text.contains(word), "{name} does not say {word}");
        text.replace(word, value)
    })
}
