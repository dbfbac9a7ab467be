//! The words for a lane: a channel that is open already, on which a script waits to hear which one it is.

/// Ends a word.
const END: char = '\u{1f}';
/// Stands for a line feed within a word.
const FEED: char = '\u{1d}';

/// The line that makes a lane the script `script` with its name and arguments. `None` for words that cannot be told
/// apart on one line; a channel of their own takes them as they are.
pub(super) fn line(script: &str, name: &str, args: &[String]) -> Option<String> {
    let words = [script, name].into_iter();
    let words = words.chain(args.iter().map(String::as_str));
    let mut line = String::new();
    for word in words {
        if word.contains([END, FEED, '\0']) {
            return None;
        }
        line.extend(word.chars().map(|c| if c == '\n' { FEED } else { c }));
        line.push(END);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::script::LANE;

    /// What a script sees that came by a lane.
    fn seen(args: &[&str]) -> String {
        let script = "printf '%s\\n' \"$0\"; for a; do printf '<%s>\\n' \"$a\"; done; cat";
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let line = line(script, "seen", &args).expect("it can be told on one line");
        let mut lane = Command::new("sh")
            .args(["-euc", LANE, "lane"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut stdin = lane.stdin.take().expect("it is piped");
        write!(stdin, "{line}\nthe rest").expect("it reads");
        drop(stdin);
        let output = lane.wait_with_output().expect("it ends");
        String::from_utf8(output.stdout).expect("it is text")
    }

    #[test]
    fn a_lane_hands_every_word_on_as_it_is_and_leaves_what_follows_to_the_script() {
        insta::assert_snapshot!(
            seen(&["", " a  b ", "two\nlines\n\n", "*", "$(id) `id` \\n '\"", "é", "-n", ""]),
            @r#"
        seen
        <>
        < a  b >
        <two
        lines

        >
        <*>
        <$(id) `id` \n '">
        <é>
        <-n>
        <>
        the rest
        "#
        );
    }

    #[test]
    fn words_that_a_line_cannot_tell_apart_take_no_lane() {
        assert_eq!(line("true", "a\u{1f}b", &[]), None);
        assert_eq!(line("true", "x", &["a\u{1d}b".to_owned()]), None);
    }
}
