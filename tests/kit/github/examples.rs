//! The webhook bodies that GitHub publishes as examples, for proving that a parser takes them.

use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::cache;

/// One published body.
#[derive(Debug, Clone)]
pub struct Published {
    /// Whose example it is: `api.github.com`, or `ghes-31` to `ghes-35` for Enterprise Servers.
    pub set: String,
    /// The value of `X-GitHub-Event`.
    pub event: String,
    pub body: Value,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    examples: Vec<Value>,
}

/// Every example of every set. They are years old and miss newer fields: a parser has to take them all the same.
///
/// Panics when they were not brought by `tests/fetch-contracts.sh`.
pub fn published_examples() -> impl Iterator<Item = Published> {
    let home = cache::root().join("github/examples");
    let files = fs::read_dir(&home).unwrap_or_else(|error| {
        panic!(
            "cannot read GitHub's examples in {}: {error}\nbring them with: tests/fetch-contracts.sh",
            home.display()
        )
    });
    let mut paths: Vec<_> = files
        .map(|file| file.expect("the folder of examples can be read").path())
        .collect();
    paths.sort();
    paths.into_iter().flat_map(|path| {
        let set = path
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        let text = fs::read(&path).expect("a published set of examples can be read");
        let entries: Vec<Entry> =
            serde_json::from_slice(&text).expect("a published set of examples is JSON");
        let of_entry = move |entry: Entry| {
            let (set, event) = (set.clone(), entry.name);
            entry.examples.into_iter().map(move |body| Published {
                set: set.clone(),
                event: event.clone(),
                body,
            })
        };
        entries.into_iter().flat_map(of_entry).collect::<Vec<_>>()
    })
}
