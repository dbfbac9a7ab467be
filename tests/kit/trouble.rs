//! Bad days of a forge: down, slow, limiting, failing for the next few requests.

use std::collections::VecDeque;
use std::time::Duration;

/// What a request meets instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing is done; the answer has this status (500, 502, 503).
    Fails(u16),
    /// All is done as asked, and then the answer has this status: only the answer is lost.
    DoesThenFails(u16),
    /// Nothing is done; the connection ends without a whole answer.
    Cut,
    /// All is done as asked, and then the connection ends without a whole answer.
    DoesThenCut,
    /// 403: the hourly limit is used up and starts anew after this time.
    PrimaryLimit(Duration),
    /// 403 with `retry-after`, as GitHub limits bursts.
    SecondaryLimit(Duration),
    /// 429 with `retry-after`.
    TooMany(Duration),
}

#[derive(Debug, Default)]
pub(super) struct Troubles {
    pub(super) delay: Duration,
    coming: VecDeque<Coming>,
}

#[derive(Debug)]
struct Coming {
    path_part: String,
    left: usize,
    trouble: Trouble,
}

impl Troubles {
    pub(super) fn add(&mut self, path_part: &str, times: usize, trouble: Trouble) {
        self.coming.push_back(Coming {
            path_part: path_part.to_owned(),
            left: times,
            trouble,
        });
    }

    /// Takes the trouble that this request meets, if any.
    pub(super) fn take(&mut self, path: &str) -> Option<Trouble> {
        let coming = self
            .coming
            .iter_mut()
            .find(|coming| coming.left > 0 && path.contains(&coming.path_part))?;
        coming.left -= 1;
        Some(coming.trouble)
    }

    /// Troubles that no request has met: the test expected more requests than came.
    pub(super) fn unmet(&self) -> usize {
        self.coming.iter().map(|coming| coming.left).sum()
    }

    pub(super) fn clear(&mut self) {
        self.coming.clear();
    }
}

impl Trouble {
    /// Whether the request still has its effect.
    pub(super) fn acts(self) -> bool {
        matches!(self, Self::DoesThenFails(_) | Self::DoesThenCut)
    }
}
