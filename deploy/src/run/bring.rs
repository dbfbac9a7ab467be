//! How an artifact comes to a host: only the parts that the one before did not have. Pure.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use crate::{Artifact, Part};

/// More orders than these take a host longer than they save.
const MOST_ORDERS: usize = 200;
/// Longer lists of parts are not kept: an argument has its limit.
const LONGEST_LIST: usize = 64 * 1024;

/// An artifact on its way to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bring<'a> {
    /// Where its bytes lie here.
    pub(super) from: &'a Path,
    /// Where they go.
    pub(super) to: &'a str,
    /// What of them is sent.
    pub(super) sent: Vec<Range<u64>>,
    /// How the host puts it together, a line each: `new LENGTH` from the line, `kept LENGTH FIRST` from the artifact
    /// that it keeps, its first byte being 1.
    pub(super) orders: String,
    /// Its parts, a line each, for the next time.
    pub(super) parts: String,
}

impl Bring<'_> {
    /// What the host has to know of it, in the order in which `guard.sh` takes it.
    pub(super) fn args(&self) -> [String; 4] {
        let sent: u64 = self.sent.iter().map(|range| range.end - range.start).sum();
        let (to, sent) = (self.to.to_owned(), sent.to_string());
        [to, sent, self.orders.clone(), self.parts.clone()]
    }
}

/// Works out what has to be sent to a host that keeps an artifact of these parts.
pub(super) fn bring<'a>(artifact: &'a Artifact, kept: &[Part], to: &'a str) -> Bring<'a> {
    let mut orders = orders(&artifact.parts, kept);
    let sent: u64 = new(&orders).map(|range| range.end - range.start).sum();
    if orders.is_empty() || orders.len() > MOST_ORDERS || sent > artifact.bytes / 4 * 3 {
        orders = vec![Order::New(0..artifact.bytes)];
    }
    let mut text = String::new();
    for order in &orders {
        let line = match order {
            Order::New(range) => writeln!(text, "new {}", range.end - range.start),
            Order::Kept(range) => {
                writeln!(text, "kept {} {}", range.end - range.start, range.start + 1)
            }
        };
        line.expect("a String takes everything");
    }
    let parts: Vec<String> = artifact.parts.iter().map(Part::to_string).collect();
    let parts = parts.join("\n");
    Bring {
        from: &artifact.file,
        to,
        sent: new(&orders).collect(),
        orders: text.trim_end().to_owned(),
        parts: if parts.len() > LONGEST_LIST {
            String::new()
        } else {
            parts
        },
    }
}

/// Where the next bytes of an artifact come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Order {
    /// From here: this range of it.
    New(Range<u64>),
    /// From what the host keeps: this range of that.
    Kept(Range<u64>),
}

fn new(orders: &[Order]) -> impl Iterator<Item = Range<u64>> {
    orders.iter().filter_map(|order| match order {
        Order::New(range) => Some(range.clone()),
        Order::Kept(_) => None,
    })
}

fn orders(parts: &[Part], kept: &[Part]) -> Vec<Order> {
    let mut there = HashMap::new();
    let mut at = 0_u64;
    for part in kept {
        let Some(end) = at.checked_add(part.bytes) else {
            break;
        };
        there.insert((part.bytes, part.digest.as_str()), at);
        at = end;
    }
    let mut orders: Vec<Order> = Vec::new();
    let mut at = 0;
    for part in parts {
        let known = there.get(&(part.bytes, part.digest.as_str()));
        let next = match known {
            Some(start) => Order::Kept(*start..start + part.bytes),
            None => Order::New(at..at + part.bytes),
        };
        at += part.bytes;
        match (orders.last_mut(), &next) {
            (Some(Order::New(last)), Order::New(range))
            | (Some(Order::Kept(last)), Order::Kept(range))
                if last.end == range.start =>
            {
                last.end = range.end;
            }
            _ => orders.push(next),
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommitSha, Digest};

    /// Parts whose digests are these letters, ten bytes each.
    fn parts(letters: &str) -> Vec<Part> {
        let parts = letters.chars().map(|letter| Part {
            bytes: 10,
            digest: letter.to_string(),
        });
        parts.collect()
    }

    fn ordered(letters: &str, kept: &str) -> (String, Vec<Range<u64>>) {
        let parts_of = parts(letters);
        let artifact = Artifact {
            file: "artifact".into(),
            digest: Digest::parse(&"0".repeat(64)).expect("it is one"),
            bytes: 10 * parts_of.len() as u64,
            files: 1,
            unpacked_bytes: 1,
            commit: CommitSha::parse(&"0".repeat(40)).expect("it is one"),
            parts: parts_of,
        };
        let bring = bring(&artifact, &parts(kept), "there");
        (bring.orders, bring.sent)
    }

    #[test]
    fn only_parts_that_the_host_does_not_keep_are_sent() {
        let (orders, sent) = ordered("abcXefgY", "abcdefgh");
        assert_eq!(orders, "kept 30 1\nnew 10\nkept 30 41\nnew 10");
        assert_eq!(sent, [30..40, 70..80]);
    }

    #[test]
    fn parts_that_moved_or_went_are_found_where_they_are() {
        let (orders, _) = ordered("Zcdab", "abxcd");
        assert_eq!(orders, "new 10\nkept 20 31\nkept 20 1");
    }

    #[test]
    fn what_is_hardly_the_same_is_sent_whole() {
        assert_eq!(ordered("abcd", "").0, "new 40");
        assert_eq!(ordered("aXYZW", "abcde").0, "new 50");
    }

    #[test]
    fn sizes_that_a_host_invents_do_no_harm() {
        let kept = vec![
            Part {
                bytes: u64::MAX,
                digest: "a".to_owned(),
            },
            Part {
                bytes: 10,
                digest: "b".to_owned(),
            },
        ];
        assert_eq!(orders(&parts("ab"), &kept), [Order::New(0..20)]);
    }
}
