//! Where a host is: `deploy@web1.example.com:22`, `[::1]:22`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::document::quoted;
use super::super::findings::Fault;
use super::super::{Address, PoolAddress, defaults};
use super::path::absolute_path;

/// Reads the address of a host. Nothing that begins with a dash gets through: `ssh` would take it for an option.
pub(in super::super) fn address(text: &str) -> Result<Address, Fault> {
    let wrong = |why: &str, help: &str| Fault::new(format!("{} {why}", quoted(text)), help);
    let shape = "write `user@host` or `user@host:port`: `\"deploy@web1.example.com:22\"`";
    if text.contains("://") || text.contains('/') {
        return Err(wrong("is not an address", shape));
    }
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    if user.is_some_and(|user| !is_user(user)) {
        return Err(wrong("names no user that could be", shape));
    }
    let (host, port) = split_port(rest).ok_or_else(|| {
        wrong(
            "is not an address",
            "put an IPv6 address into brackets: `\"deploy@[2001:db8::1]:22\"`",
        )
    })?;
    let port = match port {
        None => defaults::SSH_PORT,
        Some(port) => read_port(port)
            .ok_or_else(|| wrong("has no such port", "write a port from 1 to 65535"))?,
    };
    let host = read_host(host).ok_or_else(|| wrong("names no host that could be", shape))?;
    Ok(Address {
        user: user.map(str::to_owned),
        host,
        port,
    })
}

/// Reads the value of a `Host` header.
pub(in super::super) fn host_header(text: &str) -> Result<String, Fault> {
    let read = split_port(text).and_then(|(host, port)| {
        read_host(host)?;
        port.map_or(Some(()), |port| read_port(port).map(drop))
    });
    if read.is_some() {
        return Ok(text.to_owned());
    }
    let message = format!("{} is not a host", quoted(text));
    let help = "write the bare name, without `http://` and path: `\"shop.example.com\"`";
    Err(Fault::new(message, help))
}

/// Reads where a pool takes FastCGI: the path of a socket, or a host and a port.
pub(in super::super) fn pool(text: &str) -> Result<PoolAddress, Fault> {
    if text.starts_with('/') {
        return absolute_path(text).map(PoolAddress::Socket);
    }
    let read = split_port(text)
        .and_then(|(host, port)| Some(PoolAddress::Port(read_host(host)?, read_port(port?)?)));
    read.ok_or_else(|| {
        let message = format!("{} is neither a socket nor a port", quoted(text));
        let help = "write what nginx has in `fastcgi_pass`, without `unix:`: \
                    `\"/run/php/php8.2-fpm.sock\"` or `\"127.0.0.1:9000\"`";
        Fault::new(message, help)
    })
}

/// Takes `host:port`, `host`, `[v6]:port` or `[v6]` apart; brackets stay with the host.
pub(super) fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let (host, rest) = text.split_at(text.find(']')? + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

/// Reads a host name or an IP address; IPv6 stands in brackets and loses them.
pub(super) fn read_host(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let digits = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if digits {
        return text
            .parse::<Ipv4Addr>()
            .ok()
            .map(|address| address.to_string());
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-');
    let fits = text.len() <= 253 && text.chars().all(allowed) && text.split('.').all(label);
    fits.then(|| text.to_owned())
}

/// Reads a port.
pub(super) fn read_port(text: &str) -> Option<u16> {
    let digits = text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

fn is_user(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let head = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    head && text.len() <= 32 && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_it_is_read() {
        for (text, shown) in [
            ("web1", "web1:22"),
            ("deploy@web1.example.com", "deploy@web1.example.com:22"),
            ("deploy@web1:2222", "deploy@web1:2222"),
            ("deploy@192.0.2.7", "deploy@192.0.2.7:22"),
            ("[::1]:22", "[::1]:22"),
            ("root@[2001:DB8:0::1]", "root@[2001:db8::1]:22"),
        ] {
            let read = address(text).unwrap();
            assert_eq!(read.to_string(), shown);
            assert_eq!(address(shown).unwrap(), read);
        }
    }

    #[test]
    fn hostile_addresses_are_refused() {
        for text in [
            "",
            "@web1",
            "-oProxyCommand=id",
            "deploy@-oProxyCommand=id",
            "-l@web1",
            "web1:0",
            "web1:65536",
            "web1:+22",
            "web1:",
            "::1",
            "2001:db8::1",
            "[::1",
            "[::1]22",
            "[web1]:22",
            "a b",
            "a\nb",
            "$(id)",
            "web1;id",
            "a..b",
            "192.0.2.300",
            "1.2.3",
            "ssh://web1",
            "web1/x",
            "a@b@c",
            "ü.example.com",
            "us:er@web1",
        ] {
            assert!(address(text).is_err(), "{text:?} passed");
        }
    }
}
