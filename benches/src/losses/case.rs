//! What is compared: ways to deploy, on hosts as they are often set up.

/// A way to deploy, on hosts of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) way: Way,
    pub(crate) root: Root,
    pub(crate) hosts: usize,
}

/// Who makes a release live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `cutover`, new workers beside the old ones.
    Overlap,
    /// `cutover`, each worker in its turn.
    Drain,
    /// A script as it is often shown: `ln -nfs`, `queue:restart`, reload of PHP-FPM.
    QueueRestart,
    /// A script as it is often mended: `mv -T`, reload of PHP-FPM, `supervisorctl restart`.
    Restart,
}

/// How nginx names the script to PHP-FPM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// `$realpath_root`: by the release.
    Realpath,
    /// `$document_root`: by `current`, as it comes.
    Document,
}

impl Case {
    /// Whether `cutover` deploys.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self.way, Way::Overlap | Way::Drain)
    }
}

/// All of them, in the order of the table.
pub(crate) fn all() -> Vec<Case> {
    let case = |way, root, hosts| Case { way, root, hosts };
    let mut cases = Vec::new();
    for root in [Root::Realpath, Root::Document] {
        for way in [Way::Overlap, Way::Drain, Way::QueueRestart, Way::Restart] {
            cases.push(case(way, root, 1));
        }
    }
    for root in [Root::Realpath, Root::Document] {
        for way in [Way::Overlap, Way::Drain] {
            cases.push(case(way, root, 3));
        }
    }
    cases
}
