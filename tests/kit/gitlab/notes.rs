//! Notes on merge requests and commits, and the emoji on them, by GitLab's rules: a commit's notes stand in threads and
//! carry no emoji, and whoever puts the same emoji a second time is told that it is taken.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers;
use super::routes::{Call, Reply, Verdict};
use super::world::World;

/// GitLab keeps no longer note, in characters.
const LONGEST: usize = 1_000_000;
/// Quick actions with the names of commands: GitLab acts on such a line and takes it out of the note.
const QUICK_ACTIONS: [&str; 3] = ["lock", "unlock", "status"];

/// A note as the world keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub id: u64,
    pub author: String,
    /// What it says now.
    pub body: String,
    /// What it said before it was edited, the oldest first.
    pub before: Vec<String>,
    /// In the order in which they came.
    pub reactions: Vec<String>,
    /// The thread, 40 hex digits; a note on its own is one too.
    pub discussion: String,
    pub(super) on: On,
    /// Whether others may answer in its thread.
    pub(super) in_thread: bool,
    pub(super) at: Timestamp,
}

/// What a note was written on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum On {
    Change(u64),
    Commit(String),
}

/// A note that is about to be written.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) author: &'a str,
    pub(super) body: &'a str,
    pub(super) on: On,
    /// The thread that it answers in; one of its own when absent.
    pub(super) discussion: Option<String>,
    pub(super) in_thread: bool,
}

/// Adds a note to the world. What is left of its text without quick actions must not be empty.
pub(super) fn write(world: &mut World, project: &str, draft: Draft<'_>) -> u64 {
    let id = world.next_id();
    let own = || format!("{:040x}", u128::from(id));
    let note = Note {
        id,
        author: draft.author.to_owned(),
        body: without_quick_actions(draft.body),
        before: Vec::new(),
        reactions: Vec::new(),
        discussion: draft.discussion.unwrap_or_else(own),
        on: draft.on,
        in_thread: draft.in_thread,
        at: Timestamp::now(),
    };
    assert!(
        !note.body.is_empty(),
        "GitLab takes all of {:?} for quick actions: there is no note and no hook",
        draft.body
    );
    world.project(project).notes.push(note);
    id
}

fn without_quick_actions(text: &str) -> String {
    let is_action = |line: &&str| {
        let word = line.strip_prefix('/').map(|rest| rest.split(' ').next());
        let word = word.flatten().unwrap_or_default().trim_end();
        QUICK_ACTIONS.contains(&word.to_ascii_lowercase().as_str())
    };
    let kept: Vec<_> = text.lines().filter(|line| !is_action(line)).collect();
    kept.join("\n")
}

pub(super) fn create(world: &mut World, call: &Call) -> Reply {
    let iid: u64 = call.parameter().parse().unwrap_or_default();
    if !call.project(world).changes.contains_key(&iid) {
        return Reply::refused(404, "404 Merge Request Not Found");
    }
    answer(world, call, On::Change(iid), None, false)
}

/// `merge_requests/:/discussions/:/notes`.
pub(super) fn create_in_thread(world: &mut World, call: &Call) -> Reply {
    let iid: u64 = call.parameter().parse().unwrap_or_default();
    let thread = call.parameters[1].clone();
    let on = On::Change(iid);
    let notes = &call.project(world).notes;
    let known = notes
        .iter()
        .find(|note| note.on == on && note.discussion == thread);
    match known {
        Some(note) if note.in_thread => answer(world, call, on, Some(thread), true),
        // The real one makes a thread of it, which holds up the merge until somebody resolves it.
        Some(_) => Reply::refused(400, "this would make a thread of a single note"),
        None => Reply::refused(404, "404 Discussion Not Found"),
    }
}

/// `repository/commits/:/discussions`, which answers with the thread.
pub(super) fn create_on_commit(world: &mut World, call: &Call) -> Reply {
    let sha = call.parameter().to_owned();
    if !call.project(world).commits.contains_key(&sha) {
        return Reply::refused(404, "404 Commit Not Found");
    }
    let mut reply = answer(world, call, On::Commit(sha), None, true);
    if reply.status == 201 {
        let id = reply.body["id"].as_u64().unwrap_or_default();
        let name = call.project.clone();
        let discussion = world.note(&name, id).discussion.clone();
        reply.body = json!({ "id": discussion, "individual_note": false, "notes": [reply.body] });
    }
    reply
}

fn answer(
    world: &mut World,
    call: &Call,
    on: On,
    discussion: Option<String>,
    in_thread: bool,
) -> Reply {
    let body = call.text("body").unwrap_or_default();
    if let Some(refusal) = refusal(&body) {
        return refusal;
    }
    let draft = Draft {
        author: &call.user,
        body: &body,
        on,
        discussion,
        in_thread,
    };
    let id = write(world, &call.project, draft);
    Reply::created(shown(world, &call.project, id))
}

fn refusal(body: &str) -> Option<Reply> {
    match body.chars().count() {
        0 => Some(Reply::malformed("body is empty")),
        n if n > LONGEST => Some(Reply::invalid("note", "is too long")),
        _ => None,
    }
}

pub(super) fn list(world: &mut World, call: &Call) -> Reply {
    let iid: u64 = call.parameter().parse().unwrap_or_default();
    let mut ids = ids(world, call, &On::Change(iid));
    if call.query.get("sort").is_none_or(|sort| sort == "desc") {
        ids.reverse();
    }
    call.page(
        ids.into_iter()
            .map(|id| shown(world, &call.project, id))
            .collect(),
    )
}

/// The threads of a commit, the oldest first.
pub(super) fn list_on_commit(world: &mut World, call: &Call) -> Reply {
    let on = On::Commit(call.parameter().to_owned());
    let thread = |id: u64| {
        let note = world.note(&call.project, id);
        json!({
            "id": note.discussion,
            "individual_note": !note.in_thread,
            "notes": [shown(world, &call.project, id)],
        })
    };
    let ids = ids_of(world, &call.project, &on);
    call.page(ids.into_iter().map(thread).collect())
}

fn ids(world: &World, call: &Call, on: &On) -> Vec<u64> {
    ids_of(world, &call.project, on)
}

fn ids_of(world: &World, project: &str, on: &On) -> Vec<u64> {
    let notes = &world.projects[project].notes;
    let wanted = notes.iter().filter(|note| note.on == *on);
    wanted.map(|note| note.id).collect()
}

/// Both `merge_requests/:/notes/:` and `repository/commits/:/discussions/:/notes/:`, whose last part is the note.
pub(super) fn edit(world: &mut World, call: &Call) -> Reply {
    let Some(index) = position(world, call) else {
        return Reply::refused(404, "404 Not found");
    };
    let body = call.text("body").unwrap_or_default();
    if let Some(refusal) = refusal(&body) {
        return refusal;
    }
    let note = &mut call.project(world).notes[index];
    if note.author != call.user {
        return Reply::refused(403, "403 Forbidden");
    }
    let before = std::mem::replace(&mut note.body, body);
    note.before.push(before);
    let id = note.id;
    Reply::ok(shown(world, &call.project, id))
}

pub(super) fn award(world: &mut World, call: &Call) -> Reply {
    let Some(index) = position(world, call) else {
        return Reply::refused(404, "404 Award Emoji Not Found");
    };
    let name = call.text("name").unwrap_or_default();
    let reactions = &mut call.project(world).notes[index].reactions;
    if reactions.contains(&name) {
        let why = "404 Award Emoji Name has already been taken Not Found";
        return Reply {
            verdict: Verdict::Fine,
            ..Reply::refused(404, why)
        };
    }
    reactions.push(name.clone());
    let id = world.next_id();
    let now = answers::time(Timestamp::now());
    Reply::created(json!({
        "id": id, "name": name, "user": answers::user(world, &call.user), "created_at": now, "updated_at": now,
        "awardable_id": call.parameters[1].parse::<u64>().unwrap_or_default(), "awardable_type": "Note", "url": null,
    }))
}

/// Where the note is that the path names last, on what it names first.
fn position(world: &mut World, call: &Call) -> Option<usize> {
    let id: u64 = call.parameters.last()?.parse().ok()?;
    let first = call.parameter().to_owned();
    let on = first.parse().map_or(On::Commit(first), On::Change);
    let notes = &call.project(world).notes;
    notes.iter().position(|note| note.id == id && note.on == on)
}

/// A note as the interface shows it.
fn shown(world: &World, project: &str, id: u64) -> Value {
    let note = world.note(project, id);
    let place = &world.projects[project];
    let (kind, noteable, iid, commit) = match &note.on {
        On::Change(iid) => (
            "MergeRequest",
            Some(place.changes[iid].id),
            Some(*iid),
            None,
        ),
        On::Commit(sha) => ("Commit", None, None, Some(sha)),
    };
    let at = answers::time(note.at);
    json!({
        "id": id, "type": note.in_thread.then_some("DiscussionNote"), "body": note.body,
        "author": answers::user(world, &note.author), "created_at": at, "updated_at": at, "system": false,
        "noteable_id": noteable, "noteable_type": kind, "noteable_iid": iid, "project_id": place.id,
        "commit_id": commit, "resolvable": false, "confidential": false, "internal": false, "imported": false,
    })
}
