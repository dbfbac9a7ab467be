//! How a release is asked for a page in a pool, as the web server would.

use fastcgi_client::Params;

use crate::ReleaseId;
use crate::config::{Health, PhpFpm};

/// The query of our own visits, by which they are told from those of others.
const VISIT: &str = "cutover-warm";

/// A release, asked in a pool.
pub(super) struct Visit {
    folder: String,
    script: String,
    host: String,
    secure: bool,
}

impl Visit {
    pub(super) fn of(
        release: &ReleaseId,
        fpm: &PhpFpm,
        health: Option<&Health>,
        root: &str,
    ) -> Self {
        let url = health.map(|health| health.url.as_str()).unwrap_or_default();
        let header = health.and_then(|health| health.host_header.clone());
        let authority = url.split('/').nth(2).unwrap_or("localhost");
        Self {
            folder: format!("{root}/releases/{release}"),
            script: fpm.script.clone(),
            host: header.unwrap_or_else(|| authority.to_owned()),
            secure: url.starts_with("https:"),
        }
    }

    /// What a URL asks its host for.
    pub(super) fn path_of(health: &Health) -> String {
        let mut parts = health.url.splitn(4, '/').skip(3);
        let path = parts.next().unwrap_or_default();
        format!("/{}", path.split('#').next().unwrap_or_default())
    }

    pub(super) fn params(&self, path: &str) -> Params<'static> {
        let file = format!("{}/{}", self.folder, self.script);
        let (public, name) = file
            .rsplit_once('/')
            .unwrap_or((&self.folder, &self.script));
        let (plain, query) = path.split_once('?').unwrap_or((path, ""));
        let query = match query {
            "" => VISIT.to_owned(),
            query => format!("{query}&{VISIT}"),
        };
        let port = if self.secure { 443 } else { 80 };
        let params = Params::default()
            .gateway_interface("CGI/1.1")
            .server_protocol("HTTP/1.1")
            .server_software("cutover")
            .request_method("GET")
            .request_uri(format!("{plain}?{query}"))
            .document_uri(format!("/{name}"))
            .script_name(format!("/{name}"))
            .document_root(public.to_owned())
            .script_filename(file.clone())
            .query_string(query)
            .server_name(self.host.clone())
            .server_addr("127.0.0.1")
            .server_port(port)
            .remote_addr("127.0.0.1")
            .remote_port(0)
            .custom("HTTP_HOST", self.host.clone())
            .custom("HTTP_USER_AGENT", "cutover");
        if self.secure {
            params.custom("HTTPS", "on")
        } else {
            params
        }
    }
}
