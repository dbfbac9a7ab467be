//! What releases share: files and folders that must not lie in each other's way.

use std::collections::BTreeSet;

use super::super::findings::{Fault, Findings};
use super::super::grammar;
use super::super::place::Place;
use super::super::{Recipe, Shared, raw};
use super::list;

/// Reads what releases share.
pub(super) fn shared(
    raw: raw::Shared,
    recipe: Recipe,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Shared {
    let given = recipe.defaults();
    let (files_place, dirs_place) = (place.key("files"), place.key("dirs"));
    let files = paths(raw.files, given.shared_files, &files_place, findings);
    let dirs = paths(raw.dirs, given.shared_dirs, &dirs_place, findings);
    let all: BTreeSet<String> = files
        .iter()
        .chain(&dirs)
        .map(|(_, path)| path.clone())
        .collect();
    let mut seen = BTreeSet::new();
    for (place, path) in files.iter().chain(&dirs) {
        if let Some(outer) = around(path, &all) {
            let message = format!("`{path}` is inside `{outer}`, which is shared whole");
            findings.add(place, Fault::new(message, "leave the inner one out"));
        }
        if !seen.insert(path) {
            let message = format!("`{path}` is shared twice");
            findings.add(
                place,
                Fault::new(
                    message,
                    "leave one of the two out; a path is a file or a folder",
                ),
            );
        }
    }
    let bare = |placed: Vec<(Place, String)>| placed.into_iter().map(|(_, path)| path).collect();
    Shared {
        files: bare(files),
        dirs: bare(dirs),
    }
}

fn paths(
    raw: Option<Vec<String>>,
    recipe: &[&str],
    place: &Place,
    findings: &mut Findings<'_>,
) -> Vec<(Place, String)> {
    let mut placed = Vec::new();
    let raw = raw.unwrap_or_else(|| list(None, recipe, place, findings, grammar::relative_path));
    for (index, text) in raw.iter().enumerate() {
        let place = place.index(index);
        let read = grammar::relative_path(text).and_then(|path| match path.as_str() {
            "REVISION" => Err(Fault::new(
                "`REVISION` is cutover's own, in every release",
                "leave it out",
            )),
            _ => Ok(path),
        });
        if let Some(path) = findings.take(&place, read) {
            placed.push((place, path));
        }
    }
    placed
}

/// The shared path that `path` lies in.
fn around<'p>(path: &'p str, all: &BTreeSet<String>) -> Option<&'p str> {
    path.match_indices('/')
        .map(|(at, _)| &path[..at])
        .find(|outer| all.contains(*outer))
}
