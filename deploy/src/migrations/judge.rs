//! Which SQL takes something away that the live release may still use, or demands what it does not give.
//!
//! Only words are looked at, never the schema: what can be either is taken for the worse. Tables that the same preview
//! makes are nobody's yet, so a first deployment may do with them what it likes.

use std::collections::BTreeSet;

use super::sql::{Dialect, Reader, Token, statements};

/// What is known while one statement after another is judged.
#[derive(Debug, Clone, Default)]
pub(super) struct Judge {
    /// Tables that statements before have made.
    tables: BTreeSet<String>,
    /// Views, functions and the like that some statement makes, by kind and name: to drop one is half of a new version.
    made: BTreeSet<(String, String)>,
}

/// What a text of SQL does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    /// What is taken away or demanded, in words: `drops the column code of runs`.
    pub(super) dangers: Vec<String>,
    /// Statements that nobody here knows, by their first word.
    pub(super) unknown: Vec<String>,
}

/// Statements that take nothing away, whatever follows their first word.
const HARMLESS: &[&str] = &[
    "analyze",
    "attach",
    "begin",
    "comment",
    "commit",
    "copy",
    "detach",
    "end",
    "explain",
    "grant",
    "insert",
    "lock",
    "merge",
    "notify",
    "optimize",
    "pragma",
    "refresh",
    "reindex",
    "release",
    "replace",
    "revoke",
    "savepoint",
    "select",
    "set",
    "show",
    "start",
    "unlock",
    "update",
    "use",
    "vacuum",
    "values",
];
/// What can be dropped without anybody missing it but the one that looks for speed, or for a refusal.
const LOOSENING: &[&str] = &[
    "check",
    "constraint",
    "foreign",
    "index",
    "key",
    "policy",
    "primary",
    "rule",
    "statistics",
];

/// Words that take something away in a statement or clause that is not understood.
const TAKING: &[&str] = &[
    "delete", "discard", "drop", "exchange", "rename", "truncate",
];
/// Kinds of things that hold no rows: one that is dropped and made anew is a new version of it.
const VERSIONED: &[&str] = &[
    "aggregate",
    "event",
    "function",
    "package",
    "procedure",
    "trigger",
    "view",
];

impl Judge {
    /// Somebody who knows what all these statements make.
    pub(super) fn of<'s>(all: impl Iterator<Item = &'s str>) -> Self {
        let mut judge = Self::default();
        for tokens in all.flat_map(|sql| statements(sql, Dialect::default())) {
            let mut read = Reader(&tokens);
            if read.take("create") {
                let (kind, name) = created(&mut read);
                judge.made.insert((kind, name));
            }
        }
        judge
    }

    /// Judges a text of one or several statements, and takes in what it makes.
    pub(super) fn judge(&mut self, sql: &str) -> Verdict {
        let before = self.clone();
        let mut verdict = self.read(sql, Dialect::default());
        // Nobody says which dialect it is, so every reading counts.
        for dialect in Dialect::others(sql) {
            for danger in before.clone().read(sql, dialect).dangers {
                if !verdict.dangers.contains(&danger) {
                    verdict.dangers.push(danger);
                }
            }
        }
        verdict
    }

    fn read(&mut self, sql: &str, dialect: Dialect) -> Verdict {
        let mut verdict = Verdict::default();
        for tokens in statements(sql, dialect) {
            self.statement(Reader(&tokens), &mut verdict);
        }
        verdict
    }

    fn statement(&mut self, mut read: Reader<'_>, verdict: &mut Verdict) {
        let dangers = match read.word() {
            "create" => self.create(read),
            "drop" => self.drop(read),
            "alter" => self.alter(read),
            "rename" => self.rename(read),
            "truncate" => self.truncate(read),
            "delete" => self.delete(read),
            "with" => match read.from("delete") {
                Some(mut read) => {
                    read.word();
                    self.delete(read)
                }
                None => Vec::new(),
            },
            word @ ("call" | "do" | "exec" | "execute" | "prepare") => {
                vec![format!("runs code that cannot be read: {word}")]
            }
            word if HARMLESS.contains(&word) && word != "begin" => Vec::new(),
            word => {
                let word = if word.is_empty() { "?" } else { word };
                let taking = TAKING.iter().find(|taking| read.has(taking));
                if taking.is_none() && word != "begin" {
                    verdict.unknown.push(word.to_owned());
                }
                let danger = |taking| format!("may take something away: {word} … {taking}");
                taking.map(danger).into_iter().collect()
            }
        };
        verdict.dangers.extend(dangers);
    }

    fn create(&mut self, mut read: Reader<'_>) -> Vec<String> {
        let maybe = read.has("exists");
        let mut ahead = read;
        let anew = ahead.take("create or replace") || ahead.take("or replace");
        let (kind, name) = created(&mut read);
        if kind != "table" || self.tables.contains(&name) {
            return Vec::new();
        }
        if anew {
            return vec![format!("drops the table {name} and makes it anew")];
        }
        if !maybe {
            self.tables.insert(name);
        }
        Vec::new()
    }

    fn drop(&mut self, mut read: Reader<'_>) -> Vec<String> {
        let kind = kind(&mut read);
        if kind == "temporary" || LOOSENING.contains(&kind.as_str()) {
            return Vec::new();
        }
        skip(&mut read, &["concurrently", "if exists"]);
        let version = VERSIONED.contains(&kind.as_str()) && !read.has("cascade");
        let mut dangers = Vec::new();
        for mut part in read.clauses() {
            let name = part.name();
            let ours = match kind.as_str() {
                "table" => self.tables.remove(&name),
                _ => version && self.made.contains(&(kind.clone(), name.clone())),
            };
            if !ours {
                dangers.push(format!("drops the {kind} {name}"));
            }
        }
        dangers
    }

    fn truncate(&self, mut read: Reader<'_>) -> Vec<String> {
        skip(&mut read, &["table", "only"]);
        let names = read.clauses().into_iter().map(|mut part| part.name());
        let theirs = names.filter(|name| !self.tables.contains(name));
        theirs.map(|name| format!("empties {name}")).collect()
    }

    fn delete(&self, mut read: Reader<'_>) -> Vec<String> {
        skip(&mut read, &["from", "only"]);
        let every = !read.has("where");
        let name = read.name();
        let danger = every && !self.tables.contains(&name);
        danger
            .then(|| format!("deletes every row of {name}"))
            .into_iter()
            .collect()
    }

    fn rename(&mut self, mut read: Reader<'_>) -> Vec<String> {
        skip(&mut read, &["table", "tables"]);
        let mut dangers = Vec::new();
        for mut part in read.clauses() {
            let name = part.name();
            skip(&mut part, &["to"]);
            dangers.extend(self.renamed(&name, part.name()));
        }
        dangers
    }

    fn renamed(&mut self, from: &str, to: String) -> Option<String> {
        if self.tables.remove(from) {
            self.tables.insert(to);
            return None;
        }
        Some(format!("renames the table {from}"))
    }

    fn alter(&mut self, mut read: Reader<'_>) -> Vec<String> {
        skip(&mut read, &["ignore", "online", "offline", "foreign"]);
        let kind = read.word();
        if kind != "table" {
            let name = read.name();
            let gone = ["drop", "rename"].into_iter().find(|word| read.has(word));
            let gone = gone.filter(|_| !LOOSENING.contains(&kind));
            let verb = if gone == Some("drop") {
                "drops from"
            } else {
                "renames"
            };
            return gone
                .map(|_| format!("{verb} the {kind} {name}"))
                .into_iter()
                .collect();
        }
        skip(&mut read, &["if exists", "only"]);
        let table = read.name();
        let mut dangers = Vec::new();
        for clause in read.clauses() {
            let mut ahead = clause;
            if ahead.take("rename to") || ahead.take("rename as") {
                dangers.extend(self.renamed(&table, ahead.name()));
            } else if !self.tables.contains(&table) {
                dangers.extend(changes(clause, &table));
            }
        }
        dangers
    }
}

/// What a clause of `alter table` takes away or demands.
fn changes(clause: Reader<'_>, table: &str) -> Option<String> {
    let mut read = clause;
    match read.word() {
        "alter" | "drop" | "rename" if LOOSENING.contains(&read.peek()) => None,
        "drop" | "detach" if read.take("partition") => {
            Some(format!("drops a partition of {table}"))
        }
        "drop" => {
            skip(&mut read, &["column", "if exists"]);
            Some(format!("drops the column {} of {table}", read.name()))
        }
        "rename" => {
            skip(&mut read, &["column"]);
            Some(format!("renames the column {} of {table}", read.name()))
        }
        "change" => {
            skip(&mut read, &["column", "if exists"]);
            let (from, to) = (read.name(), read.name());
            let verb = if from == to {
                "changes the type of"
            } else {
                "renames"
            };
            Some(format!("{verb} the column {from} of {table}"))
        }
        "modify" => {
            skip(&mut read, &["column", "if exists"]);
            Some(format!(
                "changes the type of the column {} of {table}",
                read.name()
            ))
        }
        "alter" => {
            skip(&mut read, &["column"]);
            let column = read.name();
            if read.take("set not null") {
                return Some(format!("demands a value in the column {column} of {table}"));
            }
            let typed = read.take("type") || read.take("set data type");
            // SQL Server says the type without a word before it.
            let typed =
                typed || !matches!(read.peek(), "set" | "drop" | "add" | "restart" | "reset");
            typed.then(|| format!("changes the type of the column {column} of {table}"))
        }
        "set" if read.take("schema") => Some(format!("renames the table {table}")),
        "add" => demanded(read, table),
        word => {
            let taking = TAKING.iter().find(|taking| clause.has(taking));
            taking.map(|taking| format!("may take something away from {table}: {word} … {taking}"))
        }
    }
}

/// A column that is added and must be given by whoever inserts, as the live release does not.
fn demanded(mut read: Reader<'_>, table: &str) -> Option<String> {
    if matches!(
        read.peek(),
        "check"
            | "constraint"
            | "exclude"
            | "foreign"
            | "fulltext"
            | "index"
            | "key"
            | "partition"
            | "primary"
            | "spatial"
            | "unique"
            | "vector"
    ) {
        return None;
    }
    skip(&mut read, &["column", "if not exists"]);
    let column = read.name();
    let mut ahead = read;
    let must = std::iter::from_fn(|| {
        ahead = ahead.from("not")?;
        let must = ahead.take("not null");
        if !must {
            ahead.word();
        }
        Some(must)
    });
    let must = must.into_iter().any(|must| must);
    let given = [
        "default",
        "generated",
        "auto_increment",
        "autoincrement",
        "identity",
        "as",
    ];
    let given = given.iter().any(|word| read.has(word)) || read.peek().contains("serial");
    (must && !given).then(|| format!("adds the column {column} to {table}, which must be given"))
}

/// The kind and the name of what a `create` makes.
fn created(read: &mut Reader<'_>) -> (String, String) {
    let kind = kind(read);
    skip(read, &["concurrently", "if not exists"]);
    (kind, read.name())
}

/// The kind of thing that a `create` or `drop` is about.
fn kind(read: &mut Reader<'_>) -> String {
    loop {
        match read.word() {
            "or" | "replace" | "materialized" | "foreign" | "unique" | "unlogged" | "recursive"
            | "external" | "virtual" | "algorithm" | "definer" | "fulltext" | "spatial" => {}
            "temp" | "temporary" => return "temporary".to_owned(),
            word => return word.to_owned(),
        }
    }
}

/// Skips whichever of these words come, in their order.
fn skip(read: &mut Reader<'_>, words: &[&str]) {
    for word in words {
        read.take(word);
    }
}

/// Whether a line begins a statement of its own, where nothing else says so.
pub(super) fn begins(line: &str) -> bool {
    let first = statements(line, Dialect::default()).into_iter().next();
    let word = first.and_then(|tokens| match tokens.into_iter().next() {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    });
    let known = [
        "alter", "create", "delete", "drop", "insert", "rename", "truncate", "update", "with",
    ];
    word.is_some_and(|word| known.contains(&word.as_str()))
}

/// Whether a line begins with `alter`, whose end says what it takes away.
pub(super) fn begins_with_alter(line: &str) -> bool {
    let text = line.trim_start().to_lowercase();
    text.contains("alter table")
}
