//! Reads secrets from files or from the environment. What it returns is never shown.

use std::fs;
use std::path::Path;

use secrecy::SecretString;

/// Where a secret stands: the key in `service.toml` that names its file, and the variable that may hold it instead.
pub(super) struct Place<'a> {
    pub(super) key: &'static str,
    pub(super) variable: &'static str,
    pub(super) what: &'static str,
    pub(super) file: Option<&'a Path>,
}

impl Place<'_> {
    /// The non-empty lines of the secret, trimmed. At least one, or a message that says what to do.
    pub(super) fn lines(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<SecretString>, String> {
        let (text, place) = match self.file {
            Some(file) => {
                let text = fs::read_to_string(file).map_err(|error| {
                    format!("{}: cannot read {}: {error}", self.key, file.display())
                })?;
                (text, file.display().to_string())
            }
            None => match variable(self.variable) {
                Some(text) => (text, self.variable.to_owned()),
                None => {
                    return Err(format!(
                        "no {}: write it to a file and set `{} = \"…\"`, or set the variable {}",
                        self.what, self.key, self.variable
                    ));
                }
            },
        };
        let lines: Vec<SecretString> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(SecretString::from)
            .collect();
        if lines.is_empty() {
            return Err(format!("the {} is empty: put it into {place}", self.what));
        }
        Ok(lines)
    }
}
