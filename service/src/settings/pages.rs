//! Who may read pages and JSON.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::secret::Place;
use super::{Check, raw};

/// Below this a token can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Who may read pages and JSON.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    /// Any of these opens them. Empty when the operator named none: the service then makes one of its own.
    pub tokens: Vec<SecretString>,
}

impl Check<'_> {
    pub(super) fn pages(&mut self, raw: raw::Pages) -> Pages {
        let file: Option<PathBuf> = raw.token_file.map(|file| self.path(&file));
        let place = Place {
            key: "pages.token_file",
            variable: "CUTOVER_PAGES_TOKEN",
            what: "token for the pages",
            file: file.as_deref(),
        };
        if file.is_none() && (self.variable)(place.variable).is_none() {
            return Pages::default();
        }
        let tokens = place.lines(self.variable).unwrap_or_else(|problem| {
            self.problem(problem);
            Vec::new()
        });
        self.secret_files.extend(file);
        if tokens
            .iter()
            .any(|token| token.expose_secret().len() < SHORTEST_TOKEN)
        {
            self.problem(format!(
                "a token for the pages is shorter than {SHORTEST_TOKEN} characters: make one with `openssl rand -hex 32`"
            ));
        }
        Pages { tokens }
    }
}
