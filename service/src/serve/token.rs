//! The token that opens the pages where the operator named none: made once, kept where nothing but the service looks.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use tracing::info;
use uuid::Uuid;

use crate::settings::Settings;

/// The tokens that open the pages; never empty.
pub(super) fn of(settings: &Settings) -> anyhow::Result<Vec<SecretString>> {
    if !settings.pages.tokens.is_empty() {
        return Ok(settings.pages.tokens.clone());
    }
    let file = file(settings);
    let token = kept(&file)?;
    info!(
        file = %file.display(),
        "pages and JSON open with the token in {}", file.display()
    );
    Ok(vec![token])
}

fn file(settings: &Settings) -> PathBuf {
    settings.ledger_dir().join("pages-token")
}

fn kept(file: &Path) -> anyhow::Result<SecretString> {
    match fs::read_to_string(file) {
        // A crash may have left it empty; an empty token must never open anything.
        Ok(text) if text.trim().is_empty() => {
            bail!(
                "{} is empty: remove it, and a new one is made",
                file.display()
            )
        }
        Ok(text) => Ok(SecretString::from(text.trim())),
        Err(error) if error.kind() == ErrorKind::NotFound => make(file),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn make(file: &Path) -> anyhow::Result<SecretString> {
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let fresh = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        drop(fs::remove_file(&fresh));
        let mut options = File::options();
        let mut to = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        writeln!(to, "{token}")?;
        to.sync_all()?;
        fs::rename(&fresh, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))?;
    Ok(SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::testing;

    #[test]
    fn a_token_is_made_once_and_only_the_service_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let settings = testing::settings(dir.path(), Vec::new());
        fs::create_dir_all(settings.ledger_dir()).unwrap();
        let first = of(&settings).unwrap();
        let again = of(&settings).unwrap();
        assert_eq!(first[0].expose_secret(), again[0].expose_secret());
        assert_eq!(first[0].expose_secret().len(), 64);
        let mode = fs::metadata(file(&settings)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        let other = testing::settings(other.path(), Vec::new());
        fs::create_dir_all(other.ledger_dir()).unwrap();
        let theirs = of(&other).unwrap();
        assert_ne!(first[0].expose_secret(), theirs[0].expose_secret());
    }

    #[test]
    fn an_empty_token_refuses_to_start() {
        let dir = tempfile::tempdir().unwrap();
        let settings = testing::settings(dir.path(), Vec::new());
        fs::create_dir_all(settings.ledger_dir()).unwrap();
        fs::write(file(&settings), "\n").unwrap();
        let error = of(&settings).unwrap_err().to_string();
        assert!(
            error.ends_with("is empty: remove it, and a new one is made"),
            "{error}"
        );
    }

    #[test]
    fn the_operators_tokens_come_in_place_of_a_made_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = testing::settings(dir.path(), Vec::new());
        settings.pages.tokens = vec![SecretString::from("a token of the operator")];
        assert_eq!(of(&settings).unwrap().len(), 1);
        assert!(!file(&settings).exists());
    }
}
