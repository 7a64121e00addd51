//! Octets to tokens.

use core::ops::Range;

use super::text::Text;

/// The octets are not one complete JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

/// What a value consists of. An `End` belongs to the `Begin` that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token<'a> {
    BeginObject,
    BeginArray,
    End,
    Name(Text<'a>),
    String(Text<'a>),
    Number(&'a str),
    True,
    False,
    Null,
}

/// Who looks at the tokens of a value.
pub(crate) trait Visit<'a> {
    /// The next token, and where it stands: with its quotes, without the colon behind a name.
    fn token(&mut self, token: Token<'a>, at: Range<usize>);
}

/// Nobody.
impl<'a> Visit<'a> for () {
    fn token(&mut self, _: Token<'a>, _: Range<usize>) {}
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
}

/// The arrays and objects that are open, innermost last: a bit for each, so that only what is nested deeper than 64 levels
/// takes memory.
#[derive(Default)]
struct Open {
    depth: usize,
    /// Of the innermost, at most 64: whether it is an object. The last is the lowest bit.
    objects: u64,
    /// The same of those around them, 64 each.
    outer: Vec<u64>,
}

impl Open {
    fn push(&mut self, kind: Kind) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.objects);
        }
        self.objects = self.objects << 1 | u64::from(kind == Kind::Object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.objects = self.outer.pop().unwrap_or_default();
        }
    }

    fn last(&self) -> Option<Kind> {
        let kind = if self.objects & 1 == 1 { Kind::Object } else { Kind::Array };
        (self.depth > 0).then_some(kind)
    }
}

/// A place in a text. Every place is one between two characters: only ASCII is ever stepped over by itself.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over this octet if it is the next.
    pub(crate) fn eat(&mut self, octet: u8) -> bool {
        let eaten = self.peek() == Some(octet);
        self.at += usize::from(eaten);
        eaten
    }

    pub(crate) fn expect(&mut self, octet: u8) -> Result<(), NotJson> {
        if self.eat(octet) { Ok(()) } else { Err(NotJson) }
    }

    /// Steps over white space.
    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Whether nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The octets before this place.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    /// Reads one complete value with nothing behind it.
    pub(crate) fn whole(&mut self, visit: &mut impl Visit<'a>) -> Result<&'a str, NotJson> {
        let value = self.value(visit)?;
        self.space();
        if self.is_done() { Ok(value) } else { Err(NotJson) }
    }

    /// Reads one complete value and gives its text. What is open is kept in a list and not on the stack, so that no depth
    /// is too much.
    pub(crate) fn value(&mut self, visit: &mut impl Visit<'a>) -> Result<&'a str, NotJson> {
        self.space();
        let begin = self.at;
        let mut open = Open::default();
        'value: loop {
            self.space();
            let at = self.at;
            let token = match self.peek() {
                Some(b'"') => Token::String(self.string()?),
                _ => self.token()?,
            };
            visit.token(token, at..self.at);
            match token {
                Token::BeginObject => {
                    open.push(Kind::Object);
                    self.space();
                    if self.peek() != Some(b'}') {
                        self.name(visit)?;
                        continue;
                    }
                }
                Token::BeginArray => {
                    open.push(Kind::Array);
                    self.space();
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                _ => {}
            }
            while let Some(kind) = open.last() {
                self.space();
                let at = self.at;
                match (self.peek(), kind) {
                    (Some(b','), _) => {
                        self.at += 1;
                        if kind == Kind::Object {
                            self.name(visit)?;
                        }
                        continue 'value;
                    }
                    (Some(b'}'), Kind::Object) | (Some(b']'), Kind::Array) => {
                        self.at += 1;
                        open.pop();
                        visit.token(Token::End, at..self.at);
                    }
                    _ => return Err(NotJson),
                }
            }
            return Ok(self.since(begin));
        }
    }

    /// The name of a member, with the colon behind it.
    fn name(&mut self, visit: &mut impl Visit<'a>) -> Result<(), NotJson> {
        self.space();
        let at = self.at;
        let name = self.string()?;
        visit.token(Token::Name(name), at..self.at);
        self.space();
        self.expect(b':')
    }

    fn token(&mut self) -> Result<Token<'a>, NotJson> {
        match self.peek().ok_or(NotJson)? {
            b'{' => self.word("{", Token::BeginObject),
            b'[' => self.word("[", Token::BeginArray),
            b't' => self.word("true", Token::True),
            b'f' => self.word("false", Token::False),
            b'n' => self.word("null", Token::Null),
            _ => self.number().map(Token::Number),
        }
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, NotJson> {
        let rest = self.text.as_bytes().get(self.at..).ok_or(NotJson)?;
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(token)
        } else {
            Err(NotJson)
        }
    }

    fn number(&mut self) -> Result<&'a str, NotJson> {
        let begin = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(self.since(begin))
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > begin { Ok(()) } else { Err(NotJson) }
    }

    pub(crate) fn string(&mut self) -> Result<Text<'a>, NotJson> {
        let begin = self.at + 1;
        let (escaped, lone) = self.quoted()?;
        let raw = self.text.get(begin..self.at - 1).unwrap_or_default();
        Ok(Text { raw, escaped, lone })
    }

    /// Steps over a string, and gives what [`Text`] says of it; by itself, because that much fits a register.
    fn quoted(&mut self) -> Result<(bool, bool), NotJson> {
        self.expect(b'"')?;
        let (mut escaped, mut lone) = (false, false);
        loop {
            self.plain();
            match self.peek().ok_or(NotJson)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    lone |= self.escape()?;
                }
                0..=0x1F => return Err(NotJson),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok((escaped, lone))
    }

    /// Steps over what stands for itself in a string, eight octets at a time: up to the first that does not, or to the last
    /// seven octets of the text.
    fn plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        for octets in rest.as_chunks().0 {
            let special = special(u64::from_le_bytes(*octets));
            self.at += special.trailing_zeros() as usize / 8;
            if special != 0 {
                break;
            }
        }
    }

    /// What follows a backslash; true if it is half of a surrogate pair and the other half is not there.
    fn escape(&mut self) -> Result<bool, NotJson> {
        let octet = self.peek().ok_or(NotJson)?;
        self.at += 1;
        match octet {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(false),
            b'u' => match self.unit()? {
                0xD800..=0xDBFF => {
                    let mut ahead = self.clone();
                    if ahead.eat(b'\\') && ahead.eat(b'u') && matches!(ahead.unit(), Ok(0xDC00..=0xDFFF)) {
                        *self = ahead;
                        Ok(false)
                    } else {
                        Ok(true)
                    }
                }
                0xDC00..=0xDFFF => Ok(true),
                _ => Ok(false),
            },
            _ => Err(NotJson),
        }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, NotJson> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|octet| char::from(octet).to_digit(16)).ok_or(NotJson)?;
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn since(&self, begin: usize) -> &'a str {
        // Both ends are between ASCII characters.
        self.text.get(begin..self.at).unwrap_or_default()
    }
}

/// Which of these octets is the first that is a quote, a backslash or a control: the lowest bit that is set is in that
/// octet, and bits above it mean nothing. None is set if there is no such octet.
const fn special(octets: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // A subtraction borrows from the octets above it only where it has found something itself. With this bit turned,
    // the quote is next to the controls.
    let quote_or_control = (octets ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (octets ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !octets & (ONES * 0x80)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// What is not plain, or not ASCII, at every place of strings that end before, at and behind the edges of the words
    /// that the scanner takes, and with more or less text behind them.
    #[test]
    fn a_string_ends_where_another_parser_says() {
        let pieces = [
            "", "\"", "\\", "\\\"", "\\n", "\\ud800", "\0", "\x1f", " ", "!", "#", "[", "]", "\x7f", "é",
            "🦀", "\u{80}",
        ];
        for piece in pieces {
            for length in 0..=40 {
                for at in 0..=length {
                    for behind in ["", ",", ",1234567", ",\"a\\\"b\\\\c"] {
                        let begin = format!("\"{}{piece}", "x".repeat(at));
                        let json = format!("{begin}{}\"{behind}", "y".repeat(length - at));
                        let mut scanner = Scanner::new(&json);
                        let read = scanner.string();
                        let mut values = serde_json::Deserializer::from_str(&json).into_iter::<&RawValue>();
                        let expected = values.next().and_then(Result::ok).map(RawValue::get);
                        let found = read.ok().map(|text| format!("\"{}\"", text.raw));
                        assert_eq!(found.as_deref(), expected, "{json}");
                        if let (Ok(text), Some(expected)) = (read, expected) {
                            assert_eq!(scanner.place(), expected.len(), "{json}");
                            assert_eq!(text.escaped, expected.contains('\\'), "{json}");
                            assert_eq!(text.lone, expected.contains("ud800"), "{json}");
                        }
                    }
                }
            }
        }
    }

    /// Every octet in every place of a word, among neighbours that a subtraction borrows from.
    #[test]
    fn the_first_special_octet_of_a_word_is_found() {
        let is_special = |octet: &u8| matches!(octet, b'"' | b'\\' | 0..=0x1F);
        for octet in 0..=u8::MAX {
            for neighbour in [0x00, 0x1F, 0x20, 0x21, b'"', 0x23, b'\\', 0x5D, 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
                for at in 0..8 {
                    for from in 0..8 {
                        let mut word = [b'a'; 8];
                        word[from..].fill(neighbour);
                        word[at] = octet;
                        let first = word.iter().position(is_special).unwrap_or(8);
                        let found = special(u64::from_le_bytes(word)).trailing_zeros() as usize / 8;
                        assert_eq!(found, first, "{word:x?}");
                    }
                }
            }
        }
    }

    /// What is open is known again behind what was nested in it, however deep that was.
    #[test]
    fn every_end_belongs_to_its_begin() {
        for depth in [1, 2, 63, 64, 65, 66, 127, 128, 129, 130, 300] {
            let kinds = |at: usize| (at * at + at / 3).is_multiple_of(3);
            let begins: String = (0..depth).map(|at| if kinds(at) { "[" } else { "{\"a\":" }).collect();
            let ends: Vec<u8> = (0..depth).rev().map(|at| if kinds(at) { b']' } else { b'}' }).collect();
            let json = |ends: &[u8]| format!("{begins}0{}", String::from_utf8_lossy(ends));
            assert!(Scanner::new(&json(&ends)).whole(&mut ()).is_ok(), "{depth}");
            for wrong in 0..depth {
                let mut ends = ends.clone();
                ends[wrong] ^= b']' ^ b'}';
                assert!(Scanner::new(&json(&ends)).whole(&mut ()).is_err(), "{depth}, {wrong}");
            }
            assert!(Scanner::new(&json(&ends[1..])).whole(&mut ()).is_err(), "{depth}");
        }
    }
}
