//! What migrations would do, read from a preview of their SQL, and what they did, read from what they print. Pure.

mod judge;
mod migrated;
mod sql;

use judge::Judge;
pub use migrated::Migrated;

/// The SQL that waiting migrations would run, as `steps.preview` printed it.
///
/// `php artisan migrate --pretend` is understood in the words of Laravel 8 and of later ones. Any other program may
/// print SQL, statements ended by `;` or a statement a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// What is to run, in its order.
    pub statements: Vec<Statement>,
    /// Whether the database has seen no migration before: there is nothing yet that could be taken away.
    pub fresh: bool,
    /// Why not all of it could be read.
    pub unread: Vec<String>,
}

/// Some SQL of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The migration that it belongs to, where that is told.
    pub migration: Option<String>,
    /// The text; lines that belong together, joined.
    pub sql: String,
}

/// A reason not to run migrations while the live release is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    /// The migration, where that is told.
    pub migration: Option<String>,
    /// What it does, in words: `drops the column code of runs`.
    pub does: String,
    /// The beginning of its SQL; empty where it could not be read.
    pub sql: String,
}

/// A line of a log that is full; what came after it was never seen.
const FULL: &str = "(the log is full";
/// Lines are cut at this many characters.
const LINE_CHARS: usize = 4096;

impl Preview {
    /// Reads what the preview printed, a line each.
    pub fn read<'l>(lines: impl IntoIterator<Item = &'l str>) -> Self {
        let mut preview = Self::default();
        // The migration that bullets belong to; one of Laravel 8 stands on every line.
        let (mut heading, mut named) = (None, false);
        for line in lines {
            let text = line.trim();
            if text.starts_with(FULL) {
                preview
                    .unread
                    .push("it is too long to be read whole".to_owned());
            } else if is_word_of_artisan(text) {
                preview.fresh |= makes_the_table(text);
            } else if let Some((migration, sql)) = named_line(text) {
                named = true;
                preview.said(Some(migration), sql);
            } else if let Some(migration) = heading_line(text) {
                (heading, named) = (Some(migration.to_owned()), true);
            } else if let Some(sql) = text.strip_prefix('⇂') {
                preview.said(heading.as_deref(), sql.trim());
            } else {
                preview.goes_on(text, named);
            }
            if line.chars().count() >= LINE_CHARS && judge::begins_with_alter(text) {
                preview
                    .unread
                    .push("a statement in it is too long to be read whole".to_owned());
            }
        }
        preview
    }

    fn said(&mut self, migration: Option<&str>, sql: &str) {
        if sql.starts_with("failed to dump queries") {
            let name = migration.unwrap_or("a migration");
            let why = "changes columns in a way that cannot be shown beforehand";
            self.unread.push(format!("{name} {why}"));
            return;
        }
        self.statements.push(Statement {
            migration: migration.map(str::to_owned),
            sql: sql.to_owned(),
        });
    }

    /// A line that goes on with the SQL before it, or begins a statement where nobody says where one ends.
    fn goes_on(&mut self, text: &str, named: bool) {
        let joins = |last: &&mut Statement| named || !judge::begins(text) || last.sql.contains(';');
        match self.statements.last_mut().filter(joins) {
            Some(last) => {
                last.sql.push('\n');
                last.sql.push_str(text);
            }
            None if named || text.is_empty() => {}
            None => self.said(None, text),
        }
    }

    /// What must not run while a release is `in_use`. Where none is yet, a database that has seen no migration before has
    /// nothing to lose.
    pub fn dangers(&self, in_use: bool) -> Vec<Danger> {
        let unread = self.unread.iter().map(|why| Danger {
            migration: None,
            does: why.clone(),
            sql: String::new(),
        });
        if self.fresh && !in_use {
            return Vec::new();
        }
        let mut judge = Judge::of(
            self.statements
                .iter()
                .map(|statement| statement.sql.as_str()),
        );
        let judged = self.statements.iter().flat_map(|statement| {
            let verdict = judge.judge(&statement.sql);
            verdict.dangers.into_iter().map(|does| Danger {
                migration: statement.migration.clone(),
                does,
                sql: statement.shown(),
            })
        });
        let judged: Vec<_> = judged.collect();
        unread.chain(judged).collect()
    }

    /// Statements of a kind that nobody here knows; they are told and not refused.
    pub fn unknown(&self) -> Vec<&Statement> {
        let mut judge = Judge::default();
        let unknown = |statement: &&Statement| !judge.judge(&statement.sql).unknown.is_empty();
        self.statements.iter().filter(unknown).collect()
    }
}

impl Statement {
    /// Its beginning on one line.
    pub fn shown(&self) -> String {
        let words: Vec<&str> = self.sql.split_whitespace().collect();
        let line = words.join(" ");
        match line.char_indices().nth(120) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line,
        }
    }
}

impl Danger {
    /// In one line: `2026_02_01_000000_trim drops the column code of runs: alter table …`.
    pub fn line(&self) -> String {
        let name = self.migration.iter().map(|name| format!("{name} "));
        let sql = (!self.sql.is_empty()).then(|| format!(" ({})", self.sql));
        format!(
            "{}{}{}",
            name.collect::<String>(),
            self.does,
            sql.unwrap_or_default()
        )
    }
}

/// Whether it is named as Laravel names files of migrations: `2026_02_01_000000_trim`.
fn is_migration(text: &str) -> bool {
    let digits = text.split('_').take(4).map(str::len).collect::<Vec<_>>();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain && digits == [4, 2, 2, 6] && text[..17].chars().all(|c| c.is_ascii_digit() || c == '_')
}

/// Whether it is a class, as Laravel 8 calls migrations that have one.
fn is_class(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '\\';
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(plain)
}

/// A line of Laravel 8: the migration, and its SQL.
fn named_line(text: &str) -> Option<(&str, &str)> {
    let (name, sql) = text.split_once(": ")?;
    (is_migration(name) || is_class(name)).then_some((name, sql.trim()))
}

/// A line of Laravel 9 and later ones: the migration, and dots to the end.
fn heading_line(text: &str) -> Option<&str> {
    let (name, dots) = text.split_once(' ').unwrap_or((text, ""));
    (is_migration(name) && dots.chars().all(|c| c == '.' || c == ' ')).then_some(name)
}

/// Whether artisan speaks of itself, and not of SQL.
fn is_word_of_artisan(text: &str) -> bool {
    let says = [
        "INFO ",
        "WARN ",
        "Nothing to migrate.",
        "Creating migration table",
    ];
    makes_the_table(text) || says.iter().any(|word| text.starts_with(word))
}

/// Whether there was no table yet in which migrations are noted.
fn makes_the_table(text: &str) -> bool {
    [
        "Migration table created successfully",
        "Creating migration table",
    ]
    .iter()
    .any(|word| text.starts_with(word))
        || text.ends_with("Preparing database.")
}

#[cfg(test)]
mod tests;
