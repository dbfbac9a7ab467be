//! Addresses on the web, `http` and `https` only.

use super::super::document::quoted;
use super::super::findings::Fault;
use super::address::{read_host, read_port, split_port};

/// Reads a URL as it is; nothing is repaired, so that what is asked is what is written.
pub(in super::super) fn url(text: &str, example: &str) -> Result<String, Fault> {
    let wrong = |why: &str, help: String| Err(Fault::new(format!("{} {why}", quoted(text)), help));
    let shape = format!("write a whole address: `\"{example}\"`");
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else {
        return wrong("is not a URL of http or https", shape);
    };
    if let Some(odd) = text.chars().find(|c| !is_url_char(*c)) {
        let message = format!("a URL has no {}", quoted(&odd.to_string()));
        return Err(Fault::new(
            message,
            "write it percent-encoded, a space as `%20`",
        ));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        // The file is checked in and shown: a password does not belong here, and is not repeated in the message.
        return Err(Fault::new(
            "the URL carries a user or a password",
            format!("leave it out: `\"{example}\"`"),
        ));
    }
    let fits = split_port(authority).is_some_and(|(host, port)| {
        read_host(host).is_some() && port.is_none_or(|port| read_port(port).is_some())
    });
    if !fits {
        return wrong("names no host that could be", shape);
    }
    Ok(text.to_owned())
}

/// Reads what a request asks for: a path and maybe a query.
pub(in super::super) fn request_path(text: &str) -> Result<String, Fault> {
    if text.starts_with('/') && text.chars().all(|c| is_url_char(c) && c != '#') {
        return Ok(text.to_owned());
    }
    let message = format!("{} is not the path of a request", quoted(text));
    let help = "begin with `/`, and write what is odd percent-encoded: `\"/login?next=%2F\"`";
    Err(Fault::new(message, help))
}

fn is_url_char(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_web_addresses_pass() {
        for text in [
            "http://127.0.0.1/health",
            "https://shop.example.com",
            "http://[::1]:8080/up?deep=1&x=%20",
            "http://localhost:80",
        ] {
            assert_eq!(url(text, "").as_deref(), Ok(text));
        }
        for text in [
            "",
            "/health",
            "127.0.0.1/health",
            "ftp://x/",
            "file:///etc/passwd",
            "http://",
            "http:///x",
            "http://a b/",
            "http://x/\r\nHost: y",
            "http://x:0/",
            "http://x:99999/",
            "HTTP://x/",
            "http://-x/",
            "http://x/{a,b}",
        ] {
            assert!(url(text, "").is_err(), "{text:?} passed");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let fault = url("https://deploy:hunter2@example.com/", "https://example.com").unwrap_err();
        assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
    }
}
