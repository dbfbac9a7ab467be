//! Which lines of a comment a person said to everybody: not code, not quoted, not hidden, not a heading.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The lines of plain paragraphs that begin with plain text, as they were written.
///
/// A comment that is one inline code and nothing else is that line: people copy commands that way.
pub(super) fn candidates(comment: &str) -> Vec<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_GFM;
    let mut outline = Outline::default();
    for (event, range) in Parser::new_ext(comment, options).into_offset_iter() {
        outline.hear(event, range);
    }
    if let [Block::Code(text)] = outline.blocks.as_slice() {
        return vec![text.clone()];
    }
    let mut said = Said::default();
    let mut texts = outline.texts.into_iter().peekable();
    'blocks: for block in outline.blocks {
        let Block::Paragraph(range) = block else {
            continue;
        };
        let mut start = range.start;
        for line in comment[range].split_inclusive('\n') {
            let first = start + (line.len() - line.trim_start().len());
            start += line.len();
            let line = line.trim();
            if said.is_mail_quote(line) {
                break 'blocks;
            }
            while texts.peek().is_some_and(|text| text.end <= first) {
                texts.next();
            }
            if !line.is_empty() && texts.peek().is_some_and(|text| text.start <= first) {
                said.lines.push(line.to_owned());
            }
        }
    }
    said.lines
}

/// A block at the top of a comment.
enum Block {
    /// A paragraph, by where it stands.
    Paragraph(Range<usize>),
    /// A paragraph that is one inline code.
    Code(String),
    /// Anything else.
    Other,
}

/// What a comment is made of, as far as commands go.
#[derive(Default)]
struct Outline {
    depth: usize,
    blocks: Vec<Block>,
    /// Where plain text of plain paragraphs stands, in order.
    texts: Vec<Range<usize>>,
    /// How many things the open paragraph holds, and the code if it is the only one.
    held: usize,
    code: Option<String>,
}

impl Outline {
    fn hear(&mut self, event: Event<'_>, range: Range<usize>) {
        let in_paragraph =
            self.depth == 1 && matches!(self.blocks.last(), Some(Block::Paragraph(_)));
        match event {
            Event::Start(tag) => {
                if self.depth == 0 {
                    self.held = 0;
                    self.code = None;
                    self.blocks.push(match tag {
                        Tag::Paragraph => Block::Paragraph(range),
                        _ => Block::Other,
                    });
                } else {
                    self.held += 1;
                }
                self.depth += 1;
            }
            Event::End(end) => {
                self.depth -= 1;
                if self.depth == 0
                    && end == TagEnd::Paragraph
                    && self.held == 1
                    && let Some(code) = self.code.take()
                {
                    self.blocks.pop();
                    self.blocks.push(Block::Code(code));
                }
            }
            Event::Text(_) if in_paragraph => {
                self.held += 1;
                self.texts.push(range);
            }
            Event::Code(text) if in_paragraph => {
                self.held += 1;
                self.code = Some(text.into_string());
            }
            _ if self.depth == 0 => self.blocks.push(Block::Other),
            _ => self.held += 1,
        }
    }
}

/// The lines so far, and whether a mail program begins to quote.
#[derive(Default)]
struct Said {
    lines: Vec<String>,
    before: String,
}

impl Said {
    /// Whether this line is how mail programs introduce what they quote; all that follows is somebody else's.
    fn is_mail_quote(&mut self, line: &str) -> bool {
        let before = std::mem::replace(&mut self.before, line.to_owned());
        let wrote =
            line.ends_with("wrote:") && (line.starts_with("On ") || before.starts_with("On "));
        wrote
            || line
                .trim_start_matches('-')
                .starts_with("Original Message-")
    }
}
