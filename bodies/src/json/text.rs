//! Strings of JSON, as they stand.

use core::cmp::Ordering;
use core::str::Chars;
use std::borrow::Cow;

/// A string that the scanner has found, without its quotes and with its escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a str,
    /// Whether there is an escape in it.
    pub(crate) escaped: bool,
    /// Whether one of them is half of a surrogate pair without the other: no UTF-8 can say that.
    pub(crate) lone: bool,
}

impl<'a> Text<'a> {
    /// Whether it says this.
    pub(crate) fn is(self, said: &str) -> bool {
        if self.escaped { self.points().eq(said.chars().map(u32::from)) } else { self.raw == said }
    }

    /// Whether both say the same, however they are spelled.
    pub(crate) fn says_as(self, other: Self) -> bool {
        if self.escaped || other.escaped { self.points().eq(other.points()) } else { self.raw == other.raw }
    }

    /// The order of what two strings say, however they are spelled.
    pub(crate) fn order(self, other: Self) -> Ordering {
        if self.escaped || other.escaped {
            self.points().cmp(other.points())
        } else {
            // The order of UTF-8 is that of the code points.
            self.raw.cmp(other.raw)
        }
    }

    /// What it says; `None` if that is no text.
    pub(crate) fn decode(self) -> Option<Cow<'a, str>> {
        if !self.escaped {
            return Some(Cow::Borrowed(self.raw));
        }
        self.points().map(char::from_u32).collect::<Option<String>>().map(Cow::Owned)
    }

    /// What it says, with U+FFFD for what is no text.
    pub(crate) fn decode_lossy(self) -> Cow<'a, str> {
        self.decode().unwrap_or_else(|| {
            self.points().map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        })
    }

    fn points(self) -> Points<'a> {
        Points(self.raw.chars())
    }
}

/// The code points that a string says; a lone surrogate is its own number, so that no two strings are mixed up.
struct Points<'a>(Chars<'a>);

impl Iterator for Points<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let first = self.0.next()?;
        if first != '\\' {
            return Some(u32::from(first));
        }
        Some(match self.0.next()? {
            'b' => 0x08,
            'f' => 0x0C,
            'n' => 0x0A,
            'r' => 0x0D,
            't' => 0x09,
            'u' => {
                let high = unit(&mut self.0);
                let mut ahead = self.0.clone();
                let low = match (high, ahead.next(), ahead.next()) {
                    (0xD800..=0xDBFF, Some('\\'), Some('u')) => unit(&mut ahead),
                    _ => 0,
                };
                if matches!(low, 0xDC00..=0xDFFF) {
                    self.0 = ahead;
                    0x1_0000 + ((high & 0x3FF) << 10 | low & 0x3FF)
                } else {
                    high
                }
            }
            other => u32::from(other),
        })
    }
}

/// Four hexadecimal digits, which the scanner has seen.
fn unit(chars: &mut Chars<'_>) -> u32 {
    chars.take(4).fold(0, |unit, digit| unit << 4 | digit.to_digit(16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scanner;
    use super::*;

    fn read(json: &str) -> Text<'_> {
        Scanner::new(json).string().expect("a string")
    }

    #[test]
    fn every_escape_says_what_it_says() {
        for (json, said) in [
            (r#""plain é 🦀""#, "plain é 🦀"),
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#""\u0041\u00e9\u00E9\u0000""#, "Aéé\0"),
            (r#""\ud83e\udd80x""#, "🦀x"),
            (r#""\uD800\uDC00\uDBFF\uDFFF""#, "\u{10000}\u{10FFFF}"),
            (r#""\uE000\uD7FF""#, "\u{E000}\u{D7FF}"),
        ] {
            let text = read(json);
            assert_eq!(text.decode().as_deref(), Some(said), "{json}");
            assert_eq!(text.decode_lossy(), said, "{json}");
            assert!(text.is(said) && !text.lone && !text.is("something else"), "{json}");
        }
    }

    #[test]
    fn half_a_pair_is_no_text_and_is_like_no_other() {
        for (json, lossy) in [
            (r#""\ud800""#, "\u{FFFD}"),
            (r#""\udfff""#, "\u{FFFD}"),
            (r#""\udc00\ud800""#, "\u{FFFD}\u{FFFD}"),
            (r#""\ud800\ud800\udc00""#, "\u{FFFD}\u{10000}"),
            (r#""\ud800\u0041""#, "\u{FFFD}A"),
            (r#""\ud800\n""#, "\u{FFFD}\n"),
            (r#""\ud800u""#, "\u{FFFD}u"),
        ] {
            let text = read(json);
            assert!(text.lone, "{json}");
            assert_eq!(text.decode(), None, "{json}");
            assert_eq!(text.decode_lossy(), lossy, "{json}");
            assert_ne!(text.order(read(&format!("\"{}\"", lossy.replace('\n', "\\n")))), Ordering::Equal);
        }
        assert_eq!(read(r#""\ud800""#).order(read(r#""\uD800""#)), Ordering::Equal);
    }

    #[test]
    fn the_order_is_that_of_what_is_said() {
        assert_eq!(read(r#""\u0061b""#).order(read(r#""ab""#)), Ordering::Equal);
        assert_eq!(read(r#""a""#).order(read(r#""ab""#)), Ordering::Less);
        assert_eq!(read(r#""\uffff""#).order(read(r#""🦀""#)), Ordering::Less);
        assert_eq!(read(r#""\n""#).order(read(r#""\\n""#)), Ordering::Less);
    }
}
