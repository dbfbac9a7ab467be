//! Comments at the door: what they ask for is committed with their delivery, and judged after the answer.

use serde_json::json;
use uuid::Uuid;

use super::Door;
use crate::chat::Comment;
use crate::matching;
use crate::store::{Answer, NewCommand, NewDelivery, StoreError, TakenIn};

/// Keeps a comment's delivery and the commands in it.
pub(super) async fn take(
    door: &Door,
    delivery: NewDelivery<'_>,
    comment: &Comment,
) -> Result<TakenIn, StoreError> {
    let apps = door.settings.apps.iter().map(|app| &app.config);
    let prefixes = door.settings.prefixes(comment.forge);
    let (commands, answer) = match matching::heard(apps, comment, &prefixes) {
        Err(reason) => {
            let body = json!({ "delivery": delivery.id, "result": "ignored", "reason": reason });
            (Vec::new(), Answer { status: 200, body })
        }
        Ok((repository, asked)) => {
            let commands: Vec<NewCommand> = asked
                .into_iter()
                .map(|asked| NewCommand {
                    id: Uuid::new_v4().to_string(),
                    forge: comment.forge,
                    repository: repository.clone(),
                    public: comment.public,
                    author: comment.author.clone(),
                    author_id: comment.author_id,
                    thread: comment.thread.clone(),
                    head: comment.head.clone(),
                    comment: comment.id,
                    line: asked.line,
                    ask: asked.ask,
                })
                .collect();
            let listed: Vec<_> = commands
                .iter()
                .map(|new| json!({ "id": new.id, "line": new.line }))
                .collect();
            let body = json!({ "delivery": delivery.id, "result": "commands", "commands": listed });
            (commands, Answer { status: 202, body })
        }
    };
    door.store
        .take_in_commands(&delivery, &commands, answer)
        .await
}
