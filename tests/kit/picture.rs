//! Draws what the folder of an app looks like, so that the same story gives the same picture: releases are numbered,
//! and names with random parts are too. Knows paths only as text; how they were found out is the host's affair.

use std::fmt::Write as _;

/// The names that a picture replaced by numbers. Kept from one picture to the next, so that numbers stay.
#[derive(Debug, Default)]
pub(crate) struct Names {
    releases: Vec<String>,
    tokens: Vec<String>,
}

/// A path of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: char,
    leads_to: char,
    path: String,
    target: String,
}

/// Draws the listing that `host/bin/listing` prints.
pub(crate) fn draw(listing: &str, names: &mut Names) -> String {
    let rows: Vec<Vec<&str>> = listing
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let mut entries: Vec<_> = rows.iter().filter_map(|row| Entry::read(row)).collect();
    // Two releases of one second sort by commit, so their birth tells which was first.
    let born = |entry: &Entry| {
        let row = rows
            .iter()
            .find(|row| row[0] == "born" && row[2] == entry.path);
        row.and_then(|row| row[1].parse::<f64>().ok())
            .unwrap_or(f64::MAX)
    };
    entries.sort_by(|a, b| {
        born(a)
            .total_cmp(&born(b))
            .then_with(|| a.path.cmp(&b.path))
    });
    for entry in &entries {
        names.learn_release(entry);
    }
    entries.sort_by_key(|entry| names.place(entry));

    let fact = |kind: &str| rows.iter().find(|row| row[0] == kind);
    let mut picture = String::new();
    for entry in &entries {
        if entry.kind == 'd' && entry.is_room() {
            continue;
        }
        picture += &names.shown(entry);
        match entry.path.as_str() {
            ".cutover/fence" => {
                let value = fact("fence").map_or("empty", |row| row[1]);
                write!(picture, " {value}").expect("a string takes text");
            }
            ".cutover/lock" => {
                picture += if fact("held").is_some() {
                    " held"
                } else {
                    " free"
                }
            }
            path => {
                let record = rows.iter().find(|row| row[0] == "record" && row[1] == path);
                if let Some(record) = record {
                    write!(picture, " {}", state(record[2])).expect("a string takes text");
                }
            }
        }
        picture.push('\n');
    }
    if picture.is_empty() {
        picture += "nothing\n";
    }
    picture
}

/// The state that a record tells, or what is wrong with it.
fn state(record: &str) -> String {
    let value: Result<serde_json::Value, _> = serde_json::from_str(record);
    match value {
        Ok(value) => value["state"]
            .as_str()
            .unwrap_or("without a state")
            .to_owned(),
        Err(error) => format!("not JSON: {error}"),
    }
}

impl Entry {
    fn read(row: &[&str]) -> Option<Self> {
        let [_, kind, leads_to, path, target] = row
            .first()
            .filter(|kind| **kind == "path")
            .and(row.get(..5))?
        else {
            return None;
        };
        Some(Self {
            kind: kind.chars().next()?,
            leads_to: leads_to.chars().next()?,
            path: (*path).to_owned(),
            target: (*target).to_owned(),
        })
    }

    /// Whether it is a folder that only holds what is shown anyway.
    fn is_room(&self) -> bool {
        let below = self.path.strip_prefix(".cutover/");
        ["releases", "shared", ".cutover"].contains(&self.path.as_str())
            || below.is_some_and(|rest| !rest.contains('/'))
    }

    /// The release that this path is the folder or the record of.
    fn release(&self) -> Option<&str> {
        let folder = self.path.strip_prefix("releases/");
        let record = || {
            self.path
                .strip_prefix(".cutover/releases/")?
                .strip_suffix(".json")
        };
        let id = folder.or_else(record)?;
        id.starts_with(|c: char| c.is_ascii_alphanumeric())
            .then_some(id)
    }
}

impl Names {
    fn learn_release(&mut self, entry: &Entry) {
        // A link among the releases is none, even if it is called `current`.
        if let Some(id) = entry.release().filter(|_| entry.kind != 'l')
            && !self.releases.iter().any(|known| known == id)
        {
            self.releases.push(id.to_owned());
        }
    }

    /// Where an entry stands in the picture: what is live, the releases by number, leftovers, the rest by name.
    fn place(&self, entry: &Entry) -> (u8, usize, String) {
        let number = entry
            .release()
            .and_then(|id| self.releases.iter().position(|known| known == id));
        let room = match entry.path.split('/').next().unwrap_or_default() {
            "current" => 0,
            "releases" => 1,
            "shared" => 3,
            ".cutover" => 4,
            _ => 2,
        };
        let kind = entry.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        (
            room,
            0,
            format!("{kind}/{:06}{}", number.map_or(0, |n| n + 1), entry.path),
        )
    }

    fn shown(&mut self, entry: &Entry) -> String {
        let mut line = self.tame(&entry.path);
        match entry.kind {
            'd' => line.push('/'),
            'l' => {
                write!(line, " -> {}", self.tame(&entry.target)).expect("a string takes text");
                if entry.leads_to == 'N' {
                    line += " (leads nowhere)";
                }
            }
            _ => {}
        }
        line
    }

    /// Replaces releases by their number. Beyond `shared` and the records, whose names are stable, also words with
    /// digits, which are ids, process numbers or times.
    fn tame(&mut self, path: &str) -> String {
        let mut tamed = path.to_owned();
        for (at, id) in self.releases.iter().enumerate() {
            tamed = tamed.replace(id, &format!("\u{1}{}", at + 1));
        }
        if path.starts_with("shared") {
            return tamed.replace('\u{1}', "");
        }
        let mut shown = String::new();
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_\u{1}".contains(c);
        let mut rest = tamed.as_str();
        while let Some(first) = rest.chars().next() {
            let end = rest
                .find(|c| is_word(c) != is_word(first))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if is_word(first)
                && !word.contains('\u{1}')
                && word.contains(|c: char| c.is_ascii_digit())
            {
                write!(shown, "<{}>", self.token(word)).expect("a string takes text");
            } else {
                shown += &word.replace('\u{1}', "");
            }
            rest = after;
        }
        shown
    }

    fn token(&mut self, word: &str) -> usize {
        let known = self.tokens.iter().position(|token| token == word);
        known.unwrap_or_else(|| {
            self.tokens.push(word.to_owned());
            self.tokens.len() - 1
        }) + 1
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// Each row: kind, what a link leads to, birth, path, target.
    fn listing(rows: &[(&str, &str, u32, &str, &str)]) -> String {
        let line = |(kind, leads_to, born, path, target): &(&str, &str, u32, &str, &str)| {
            format!("path\t{kind}\t{leads_to}\t{path}\t{target}\nborn\t{born}.5\t{path}\n")
        };
        rows.iter().map(line).collect()
    }

    #[test]
    fn releases_are_numbered_in_the_order_of_their_making() {
        let mut names = Names::default();
        let two = listing(&[
            ("l", "d", 9, "current", "releases/20260520T123456Z-aaaaaaa"),
            ("d", "d", 8, "releases/20260520T123456Z-aaaaaaa", ""),
            ("d", "d", 7, "releases/20260520T123456Z-bbbbbbb", ""),
        ]);
        assert_snapshot!(draw(&two, &mut names), @r"
        current -> releases/2
        releases/1/
        releases/2/
        ");
        let later = listing(&[
            ("l", "N", 9, "current", "releases/20260520T123456Z-bbbbbbb"),
            ("d", "d", 8, "releases/20260520T123456Z-aaaaaaa", ""),
        ]);
        assert_snapshot!(draw(&later, &mut names), @r"
        current -> releases/1 (leads nowhere)
        releases/2/
        ");
    }

    #[test]
    fn leftovers_show_without_their_random_parts() {
        let mut names = Names::default();
        let rows = listing(&[
            ("d", "d", 1, ".cutover", ""),
            ("f", "f", 1, ".cutover/fence", ""),
            ("f", "f", 1, ".cutover/lock", ""),
            ("d", "d", 1, ".cutover/steps/0198f2c4-7d3e", ""),
            (
                "l",
                "d",
                2,
                ".cutover/current.0198f2c4-7d3e",
                "releases/20260520T123456Z-aaaaaaa",
            ),
            (
                "f",
                "f",
                2,
                ".cutover/releases/20260520T123456Z-aaaaaaa.json",
                "",
            ),
            ("d", "d", 1, "releases/20260520T123456Z-aaaaaaa", ""),
            ("d", "d", 1, "releases/.20260520T123456Z-aaaaaaa.part", ""),
            ("f", "f", 1, "shared/oauth2.key", ""),
        ]);
        let facts = "record\t.cutover/releases/20260520T123456Z-aaaaaaa.json\t{\"state\":\"ready\"}\nfence\t7\nheld\n";
        assert_snapshot!(draw(&(rows + facts), &mut names), @r"
        releases/.1.part/
        releases/1/
        shared/oauth2.key
        .cutover/current.<1> -> releases/1
        .cutover/fence 7
        .cutover/lock held
        .cutover/releases/1.json ready
        .cutover/steps/<1>/
        ");
    }

    #[test]
    fn a_current_that_is_no_link_shows() {
        let rows = listing(&[
            ("d", "d", 1, "current", ""),
            ("f", "f", 1, "index.html", ""),
        ]);
        assert_snapshot!(draw(&rows, &mut Names::default()), @r"
        current/
        index.html
        ");
        assert_snapshot!(draw("", &mut Names::default()), @"nothing");
    }
}
