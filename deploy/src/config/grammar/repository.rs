//! Where code lives and which branch counts.

use super::super::document::quoted;
use super::super::findings::Fault;
use super::super::{ForgeKind, Repository};

/// Reads `github:owner/name` or `gitlab:group/…/name`.
pub(in super::super) fn repository(text: &str) -> Result<Repository, Fault> {
    let wrong = |why: &str, help: String| Err(Fault::new(format!("{} {why}", quoted(text)), help));
    let shape = "write `github:owner/name` or `gitlab:group/name`";
    if let Some(short) = shortened(text) {
        return wrong("is an address for git", format!("write `{short:?}`"));
    }
    let Some((forge, path)) = text.split_once(':') else {
        return wrong("does not say which forge", shape.to_owned());
    };
    let forge = match forge {
        "github" => ForgeKind::GitHub,
        "gitlab" => ForgeKind::GitLab,
        _ => return wrong("is on a forge that is not known", shape.to_owned()),
    };
    let depth = path.split('/').count();
    let deep_enough = match forge {
        ForgeKind::GitHub => depth == 2,
        ForgeKind::GitLab => (2..=21).contains(&depth),
    };
    if !deep_enough || !path.split('/').all(is_name) {
        return wrong("names no repository that could be", shape.to_owned());
    }
    if let Some(bare) = text.strip_suffix(".git") {
        return wrong("ends with `.git`", format!("write `{bare:?}`"));
    }
    Ok(Repository {
        forge,
        path: path.to_owned(),
    })
}

/// Reads the bare name of a branch, by the rules of git.
pub(in super::super) fn branch(text: &str) -> Result<String, Fault> {
    let wrong = |why: &str, help: String| Err(Fault::new(format!("{} {why}", quoted(text)), help));
    if let Some(bare) = text.strip_prefix("refs/heads/") {
        return wrong("is a whole ref", format!("write the bare name: `{bare:?}`"));
    }
    if text.contains('*') {
        return wrong(
            "is a pattern",
            "write one branch; for more branches, write more environments".to_owned(),
        );
    }
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?[\\".contains(c);
    let segment = |name: &str| {
        name.is_empty() || name.starts_with('.') || name.strip_suffix(".lock").is_some()
    };
    let refused = text.len() > 250
        || text.contains(odd)
        || text.contains("..")
        || text.contains("@{")
        || text.starts_with('-')
        || text.ends_with('.')
        || text == "@"
        || text.split('/').any(segment);
    if refused {
        return wrong(
            "is not a name that git allows for a branch",
            "write it as git shows it: `\"main\"`".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// The short form of an address for git, where it is one of the two great forges.
fn shortened(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("ssh://git@"))
        .or_else(|| text.strip_prefix("git@"))?;
    let (host, path) = rest.split_once(['/', ':'])?;
    let forge = match host {
        "github.com" => "github",
        "gitlab.com" => "gitlab",
        _ => return None,
    };
    let path = path.trim_end_matches('/');
    Some(format!(
        "{forge}:{}",
        path.strip_suffix(".git").unwrap_or(path)
    ))
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let head = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let fits = !text.is_empty()
        && text.len() <= 255
        && text.chars().all(allowed)
        && text.starts_with(head);
    fits && text != "." && text != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_repositories_are_refused() {
        assert_eq!(
            repository("github:acme/shop").unwrap().to_string(),
            "github:acme/shop"
        );
        assert_eq!(
            repository("gitlab:a/b/c").unwrap().to_string(),
            "gitlab:a/b/c"
        );
        for text in [
            "",
            "acme/shop",
            "github:",
            "github:acme",
            "github:a/b/c",
            "gitlab:a",
            "github:../x",
            "github:a/..",
            "github:-a/b",
            "github:a/b c",
            "github:a/b?x",
            "github:a/b#x",
            "github:a//b",
            "gitea:a/b",
            "github:a/b\n",
        ] {
            assert!(repository(text).is_err(), "{text:?} passed");
        }
    }

    #[test]
    fn branches_follow_the_rules_of_git() {
        for text in [
            "main",
            "release/2026.05",
            "feature/a-b_c",
            "ünï",
            "v1.0",
            "a@b",
        ] {
            assert_eq!(branch(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "-x",
            "a b",
            "a\nb",
            "a\u{1b}[31m",
            "a..b",
            "/a",
            "a/",
            "a//b",
            "a.lock",
            "a/.b",
            "x~1",
            "x^",
            "a:b",
            "@",
            "a@{1}",
            "*",
            "main*",
            "refs/heads/main",
            "a\\b",
            "a.",
        ] {
            assert!(branch(text).is_err(), "{text:?} passed");
        }
    }
}
