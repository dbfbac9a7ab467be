//! What containers of workers are made of: the table that goes with a manager, and the names in it.

use super::super::containers::{Compose, Containers, Docker, Image, Kubernetes};
use super::super::document::quoted;
use super::super::findings::{Fault, Findings, Noted};
use super::super::grammar;
use super::super::place::Place;
use super::super::{Manager, raw};
use super::optional;

/// The tables of a group of workers that a file gives.
pub(super) struct Tables {
    pub(super) docker: Option<raw::Docker>,
    pub(super) compose: Option<raw::Compose>,
    pub(super) kubernetes: Option<raw::Kubernetes>,
}

/// Reads the table that goes with the manager, if one does.
pub(super) fn containers(
    manager: Manager,
    group: Option<&String>,
    tables: Tables,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Result<Option<Containers>, Noted> {
    let given = [
        (Manager::Docker, tables.docker.is_some()),
        (Manager::Compose, tables.compose.is_some()),
        (Manager::Kubernetes, tables.kubernetes.is_some()),
    ];
    let mut good = true;
    for (of, given) in given {
        if given && of != manager {
            let message = format!("it is for `manager = \"{}\"`", of.word());
            let fault = Fault::new(message, "take it out, or name that manager");
            findings.add(&place.key(of.word()), fault);
            good = false;
        }
    }
    let table = place.key(manager.word());
    let read = match manager {
        Manager::Docker => {
            docker(tables.docker.unwrap_or_default(), &table, findings).map(Containers::Docker)
        }
        Manager::Compose => {
            compose(tables.compose.unwrap_or_default(), &table, findings).map(Containers::Compose)
        }
        Manager::Kubernetes => {
            let raw = tables.kubernetes.unwrap_or_default();
            kubernetes(raw, group, &table, findings).map(Containers::Kubernetes)
        }
        _ if good => return Ok(None),
        _ => None,
    };
    read.filter(|_| good).map(Some).ok_or(Noted)
}

fn docker(raw: raw::Docker, place: &Place, findings: &mut Findings<'_>) -> Option<Docker> {
    let wanted = wanted(
        raw.image,
        "image",
        "registry.example.com/shop:{commit}",
        place,
        findings,
    );
    let image = wanted.and_then(|text| findings.take(&place.key("image"), image(&text)));
    let mut words = |key: &str, list: Option<Vec<String>>| {
        let list = list.unwrap_or_default().into_iter().enumerate();
        let read = list.map(|(index, text)| {
            let place = place.key(key).index(index);
            findings.take(&place, word(&text))
        });
        read.collect::<Option<Vec<_>>>()
    };
    let (command, options) = (words("command", raw.command), words("options", raw.options));
    Some(Docker {
        image: image?,
        command: command?,
        options: options?,
    })
}

fn compose(raw: raw::Compose, place: &Place, findings: &mut Findings<'_>) -> Option<Compose> {
    let project = wanted(raw.project, "project", "shop", place, findings);
    let named = |text: String| {
        let read = grammar::process_name("a Compose project", &text, "shop");
        findings.take(&place.key("project"), read)
    };
    let project = project.and_then(named);
    let file = optional(raw.file, &place.key("file"), findings, |text| {
        if text.starts_with('/') {
            grammar::absolute_path(text)
        } else {
            grammar::relative_path(text)
        }
    });
    Some(Compose {
        file: file.ok()?.unwrap_or_else(|| "compose.yaml".to_owned()),
        project: project?,
    })
}

fn kubernetes(
    raw: raw::Kubernetes,
    group: Option<&String>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<Kubernetes> {
    let namespace = wanted(raw.namespace, "namespace", "shop", place, findings);
    let mut named = |key: &str, text: Option<String>| {
        let what = format!("a {key} of Kubernetes");
        let read = grammar::process_name(&what, &text?, "shop");
        findings.take(&place.key(key), read)
    };
    let namespace = named("namespace", namespace);
    let container = raw.container.or_else(|| group.cloned());
    let container = named("container", container);
    let image = optional(raw.image, &place.key("image"), findings, |text| {
        let image = image(text)?;
        if image.is_of_a_release() {
            return Ok(image);
        }
        let message = "it is the same for every release, so nothing would change";
        let help = "write `{commit}` or `{release}` in its tag, or take it out to have the pods started anew";
        Err(Fault::new(message, help))
    });
    Some(Kubernetes {
        namespace: namespace?,
        container: container?,
        image: image.ok()?,
    })
}

/// A text that must be there.
fn wanted(
    text: Option<String>,
    key: &str,
    example: &str,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<String> {
    if text.is_none() && !findings.is_broken(&place.key(key)) {
        let help = format!("write `{key} = \"{example}\"`");
        let message = format!("`{key}` is missing");
        findings.add(place, Fault::new(message, help));
    }
    text
}

/// Reads the name of an image.
fn image(text: &str) -> Result<Image, Fault> {
    let bare = text.replace("{commit}", "c").replace("{release}", "r");
    let wrong = |message: String, help: &str| Err(Fault::new(message, help));
    if bare.contains(['{', '}']) {
        let message = format!("{} has a word in braces that is not known", quoted(text));
        return wrong(message, "`{commit}` and `{release}` are known");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let begins = bare.starts_with(|c: char| c.is_ascii_alphanumeric());
    if bare.len() > 200 || !bare.chars().all(allowed) || !begins {
        let message = format!("{} is not the name of an image", quoted(text));
        return wrong(
            message,
            "write it as in `\"registry.example.com/shop:{commit}\"`",
        );
    }
    Ok(Image(text.to_owned()))
}

/// Reads a word that `docker create` is told.
fn word(text: &str) -> Result<String, Fault> {
    if text.is_empty() || text.contains(char::is_control) {
        let message = format!("{} is no word", quoted(text));
        return Err(Fault::new(message, "write one argument, on one line"));
    }
    if text == "--name" || text.starts_with("--name=") || text == "--rm" {
        let message = format!("{} is cutover's own affair", quoted(text));
        let help = "take it out; containers are named by group and release, and removed when they ended well";
        return Err(Fault::new(message, help));
    }
    Ok(text.to_owned())
}
