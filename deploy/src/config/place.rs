//! Where in the file something stands, as a path of keys: `environments.production.hosts[0].address`.

use std::fmt;

/// A path of keys and positions, from the top of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(Vec<Segment>);

/// One step down the path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    /// Into a table.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl Place {
    /// The top of the file.
    pub(super) fn top() -> Self {
        Self::default()
    }

    /// The place of `key` in the table that stands here.
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The place of the entry `index` of the list that stands here.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// The way down from the top.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Every place on the way down, this one included.
    pub(super) fn way(&self) -> impl Iterator<Item = Self> {
        (0..=self.0.len()).map(|length| Self(self.0[..length].to_vec()))
    }

    /// The table header under which this place's keys are written; `None` at the top.
    pub(super) fn header(&self) -> Option<String> {
        let keys: Vec<String> = self.0.iter().filter_map(Segment::bare).collect();
        match self.0.last()? {
            Segment::Key(_) => Some(format!("[{}]", keys.join("."))),
            Segment::Index(_) => Some(format!("[[{}]]", keys.join("."))),
        }
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl Segment {
    fn bare(&self) -> Option<String> {
        match self {
            Self::Key(key) => Some(written(key)),
            Self::Index(_) => None,
        }
    }
}

/// A key as it is written in TOML: bare where that is allowed, else quoted with everything unprintable escaped.
pub(super) fn written(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if depth == 0 => write!(f, "{}", written(key))?,
                Segment::Key(key) => write!(f, ".{}", written(key))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
