//! Makes what other programs print fit for a reader's terminal and page.

/// A line without escape sequences and control characters, at most 4,096 characters of it. Of a line that was written
/// over again and again, as progress is, the last state counts.
pub(crate) fn plain(line: &str) -> String {
    let line = line.trim_end();
    let line = line.rsplit('\r').find(|part| !part.is_empty());
    let mut chars = line.unwrap_or_default().chars().peekable();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut chars),
            '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain.trim_end().chars().take(4096).collect()
}

/// Skips the rest of an escape sequence: `[…m` and the like up to its letter, `]…` up to its end, else one character.
fn skip_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_titles_and_bells_are_gone() {
        for (line, shown) in [
            ("\u{1b}[32mok\u{1b}[0m 3\t4", "ok 3\t4"),
            ("\u{1b}]0;owned\u{7}title", "title"),
            ("\u{1b}]8;;http://evil\u{1b}\\link", "link"),
            ("a\u{8}b\u{7}\u{0}\u{9b}31m", "ab31m"),
            ("\u{1b}[2J\u{1b}[H\u{1b}", ""),
            ("10 %\r50 %\r100 %\r", "100 %"),
            ("  two  ", "  two"),
            ("\u{fffd}\u{fffd}ü", "\u{fffd}\u{fffd}ü"),
        ] {
            assert_eq!(plain(line), shown, "{line:?}");
        }
        assert_eq!(plain(&"x".repeat(5000)).len(), 4096);
    }
}
