//! The texts that `ssh` needs as files. What is wrong with them is told without quoting them.

use secrecy::SecretString;

use super::Ci;
use crate::failure::Fault;

const MAKE_A_KEY: &str = "Make one by `ssh-keygen -t ed25519 -N '' -f deploy_key`, keep the text of the file deploy_key as a \
    secret of the repository, and write `ssh-key: ${{ secrets.DEPLOY_KEY }}`. A run from a fork gets no secrets.";
const MAKE_A_KEY_FOR_GITLAB: &str = "Make one by `ssh-keygen -t ed25519 -N '' -f deploy_key`, and keep the text of the file \
    deploy_key as a variable of the type File, in Settings > CI/CD > Variables. A protected variable is only there for \
    protected branches.";
const PIN_THE_HOST: &str = "Write what `ssh-keyscan web1.example.com` prints (`-p PORT` for another port), after you have \
    compared it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host.";

/// Reads the private key. Line ends are made what `ssh` wants; it takes no key without the last one.
pub(super) fn private_key(ci: Ci, text: &str) -> Result<SecretString, Fault> {
    let hint = match ci {
        Ci::GitHub => MAKE_A_KEY,
        Ci::GitLab => MAKE_A_KEY_FOR_GITLAB,
    };
    let fault = |message: &str| Err(ci.fault("ssh-key", message, hint));
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return fault("is missing");
    };
    if is_key_type(first.split(' ').next().unwrap_or_default()) {
        return fault("is a public key; the private one is the file without `.pub`");
    }
    let is_edge = |line: &str, word: &str| {
        line.starts_with(&format!("-----{word} ")) && line.ends_with("PRIVATE KEY-----")
    };
    if !is_edge(first, "BEGIN") || !is_edge(last, "END") || lines.len() < 3 {
        return fault(
            "is not a whole private key, from its `-----BEGIN` line to its `-----END` line",
        );
    }
    Ok(SecretString::from(format!("{}\n", lines.join("\n"))))
}

/// Reads the pinned host keys.
pub(super) fn known_hosts(ci: Ci, text: &str) -> Result<String, Fault> {
    let fault = |message: &str| Err(ci.fault("known-hosts", message, PIN_THE_HOST));
    let mut pinned = 0;
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace().peekable();
        match words.peek() {
            None => continue,
            Some(word) if word.starts_with('#') => continue,
            _ => {}
        }
        let marked = words.next_if(|word| word.starts_with('@')).is_some();
        let (Some(_), Some(kind), Some(_)) = (words.next(), words.next(), words.next()) else {
            return fault(&format!(
                "has no host, key type and key in line {}",
                number + 1
            ));
        };
        if !is_key_type(kind) {
            return fault(&format!(
                "has no key type that ssh knows in line {}",
                number + 1
            ));
        }
        pinned += usize::from(!marked || line.starts_with("@cert-authority"));
    }
    if pinned == 0 {
        return fault("is missing");
    }
    Ok(format!("{}\n", text.trim().replace('\r', "")))
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|kind| word.starts_with(kind))
}
