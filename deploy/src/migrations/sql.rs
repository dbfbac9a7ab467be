//! SQL as words: enough to tell what kind of statement it is and what it names, in any of the usual dialects.

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word or number that stands without quotes, in lower case.
    Word(String),
    /// A name in double quotes, backticks or brackets, in lower case.
    Name(String),
    /// A text in quotes. What it says is nobody's business here.
    Text,
    /// Any other character.
    Sign(char),
}

/// What a backslash means in a text: `MySQL` and the others do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Backslash {
    /// The character that it is.
    #[default]
    Plain,
    /// The next character loses its meaning.
    Escapes,
}

/// What is read differently in one database and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dialect {
    backslash: Backslash,
    /// Whether `#` is an operator, as in `PostgreSQL`, and no comment.
    sharp: bool,
}

impl Dialect {
    /// All others in which this text may mean something else.
    pub(super) fn others(sql: &str) -> Vec<Self> {
        let mut others = Vec::new();
        for backslash in [Backslash::Plain, Backslash::Escapes] {
            for sharp in [false, true] {
                let differs = (sql.contains('\\') || backslash == Backslash::Plain)
                    && (sql.contains('#') || !sharp);
                let dialect = Self { backslash, sharp };
                if differs && dialect != Self::default() {
                    others.push(dialect);
                }
            }
        }
        others
    }
}

/// The statements of a text, each in its tokens, without comments and without empty ones.
pub(super) fn statements(sql: &str, dialect: Dialect) -> Vec<Vec<Token>> {
    let mut lexer = Lexer { rest: sql, dialect };
    let mut all = vec![Vec::new()];
    while let Some(token) = lexer.token() {
        match (token, all.last_mut()) {
            (Token::Sign(';'), _) => all.push(Vec::new()),
            (token, Some(last)) => last.push(token),
            (_, None) => {}
        }
    }
    all.retain(|tokens| !tokens.is_empty());
    all
}

struct Lexer<'s> {
    rest: &'s str,
    dialect: Dialect,
}

impl Lexer<'_> {
    fn token(&mut self) -> Option<Token> {
        self.skip_blank();
        let first = self.rest.chars().next()?;
        Some(match first {
            '\'' => {
                self.quoted('\'', self.dialect.backslash);
                Token::Text
            }
            '"' => Token::Name(self.quoted('"', self.dialect.backslash)),
            '`' => Token::Name(self.quoted('`', Backslash::Plain)),
            '[' => self.bracketed(),
            '$' => self.dollars(),
            c if is_of_word(c) => Token::Word(self.take_while(is_of_word)),
            c => {
                self.skip(c.len_utf8());
                Token::Sign(c)
            }
        })
    }

    /// Skips white space and comments. What `MySQL` runs although it looks like a comment is no comment.
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let sharp = self.rest.starts_with('#') && !self.dialect.sharp;
            if self.rest.starts_with("--") || sharp {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(rest) = self.rest.strip_prefix("/*!") {
                self.rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            } else if let Some(rest) = self.rest.strip_prefix("/*") {
                self.rest = rest.split_once("*/").map_or("", |(_, rest)| rest);
            } else if let Some(rest) = self.rest.strip_prefix("*/") {
                self.rest = rest;
            } else {
                return;
            }
        }
    }

    /// What stands between quotes; two quotes within it are one. A text that does not end goes to the end.
    fn quoted(&mut self, quote: char, backslash: Backslash) -> String {
        let mut inner = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            if c == '\\' && backslash == Backslash::Escapes {
                inner.extend(chars.next().map(|(_, c)| c));
            } else if c != quote {
                inner.push(c);
            } else if chars.next_if(|(_, next)| *next == quote).is_some() {
                inner.push(quote);
            } else {
                end = at + c.len_utf8();
                break;
            }
        }
        self.skip(end);
        inner.to_lowercase()
    }

    /// A name of SQL Server in brackets, or the bracket of a list of `PostgreSQL`.
    fn bracketed(&mut self) -> Token {
        let inner = self.rest[1..].split_once(']').map(|(inner, _)| inner);
        match inner {
            Some(inner) if inner.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let name = inner.to_lowercase();
                self.skip(inner.len() + 2);
                Token::Name(name)
            }
            _ => {
                self.skip(1);
                Token::Sign('[')
            }
        }
    }

    /// A text of `PostgreSQL` between two `$tag$`, or a placeholder.
    fn dollars(&mut self) -> Token {
        let tag = self.rest[1..].split_once('$').map(|(tag, _)| tag);
        let tag =
            tag.filter(|tag| tag.chars().all(is_of_word) && !tag.starts_with(char::is_numeric));
        let Some(tag) = tag else {
            self.skip(1);
            return Token::Sign('$');
        };
        let mark = format!("${tag}$");
        let inner = &self.rest[mark.len()..];
        let length = inner.find(&mark).map_or(inner.len(), |at| at + mark.len());
        self.skip(mark.len() + length);
        Token::Text
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_lowercase();
        self.skip(end);
        word
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads the tokens of one statement from left to right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'t>(pub(super) &'t [Token]);

impl<'t> Reader<'t> {
    /// The word that comes next, if it is one without quotes.
    pub(super) fn peek(&self) -> &'t str {
        match self.0.first() {
            Some(Token::Word(word)) => word,
            _ => "",
        }
    }

    /// Takes the word that comes next; nothing is taken where it is none.
    pub(super) fn word(&mut self) -> &'t str {
        let word = self.peek();
        if !word.is_empty() {
            self.0 = &self.0[1..];
        }
        word
    }

    /// Takes these words if all of them come next.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let mut ahead = *self;
        let all = words.split(' ').all(|word| ahead.word() == word);
        if all {
            *self = ahead;
        }
        all
    }

    /// Takes a name whole: `public.users` is another one than `users`.
    pub(super) fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(Token::Word(part) | Token::Name(part)) = self.0.first() {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(part);
            self.0 = &self.0[1..];
            match self.0.first() {
                Some(Token::Sign('.')) => self.0 = &self.0[1..],
                _ => break,
            }
        }
        name
    }

    /// Whether a word stands anywhere in what is left.
    pub(super) fn has(&self, word: &str) -> bool {
        let is = |token: &Token| matches!(token, Token::Word(found) if found == word);
        self.0.iter().any(is)
    }

    /// What is left from a word on.
    pub(super) fn from(&self, word: &str) -> Option<Self> {
        let is = |token: &Token| matches!(token, Token::Word(found) if found == word);
        let at = self.0.iter().position(is)?;
        Some(Self(&self.0[at..]))
    }

    /// The parts between commas that stand in no parentheses.
    pub(super) fn clauses(&self) -> Vec<Self> {
        let mut depth = 0_u32;
        let parts = self.0.split(|token| {
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *token == Token::Sign(',')
        });
        parts.map(Reader).collect()
    }
}
