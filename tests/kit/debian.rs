//! The releases of Debian that hosts are made of, each with the PHP and the Laravel that it ships.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::machine::image;

/// A release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Debian {
    /// Debian 12: PHP 8.2, Laravel 8. The one that tests are expected to run on, so its app is built without a machine.
    #[default]
    Bookworm,
    /// Debian 13: PHP 8.4, Laravel 10.
    Trixie,
    /// Debian testing: PHP 8.4, Laravel 13.
    Forky,
}

impl Debian {
    /// Its code name, as package mirrors call it.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Forky => "forky",
        }
    }

    /// The version of its PHP, as its packages name it.
    pub fn php(self) -> &'static str {
        match self {
            Self::Bookworm => "8.2",
            Self::Trixie | Self::Forky => "8.4",
        }
    }

    /// Where its packages put PHP libraries, as this machine sees it.
    pub(crate) async fn libraries(self) -> PathBuf {
        let root = match self {
            Self::Bookworm => PathBuf::from("/"),
            Self::Trixie | Self::Forky => image::folder(self).await,
        };
        root.join("usr/share/php")
    }

    /// A program of its own that works in a folder below `dir` and writes nowhere else. Needs root, but for Debian 12.
    pub(crate) async fn command(self, program: &str, dir: &Path) -> Command {
        if self == Self::Bookworm {
            return Command::new(program);
        }
        let mut command = Command::new("unshare");
        let inside = include_str!("debian/bin/inside");
        command.args(["--mount", "/bin/sh", "-euc", inside, "inside"]);
        command.arg(image::folder(self).await).arg(dir).arg(program);
        command
    }
}
