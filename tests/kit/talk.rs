//! Draws what people said at a forge, in the same way for every forge.

use std::fmt::Write as _;

/// Who said something, with reactions, and the text below it.
pub(crate) fn draw(text: &mut String, author: &str, reactions: &[String], body: &str) {
    let reactions = if reactions.is_empty() {
        String::new()
    } else {
        format!(" [{}]", reactions.join(" "))
    };
    writeln!(text, "{author}{reactions}").expect("a String takes all that is written");
    for line in body.lines() {
        writeln!(text, "  {line}").expect("a String takes all that is written");
    }
}
