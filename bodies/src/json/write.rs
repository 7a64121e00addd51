//! The shortest spelling. [FRM-13] [FRM-14]

use std::borrow::Cow;

/// An object whose members are written one after the other, up to [`Object::end`].
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Writes a name, and gives the place for its value.
    pub(crate) fn member(&mut self, name: &'static str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub(crate) fn number(&mut self, name: &'static str, value: u64) {
        number(self.member(name), value);
    }

    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        text(self.member(name), value);
    }

    pub(crate) fn flag(&mut self, name: &'static str, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A value, or null.
    pub(crate) fn or_null<T>(
        &mut self,
        name: &'static str,
        value: Option<T>,
        write: impl FnOnce(&mut Vec<u8>, T),
    ) {
        let out = self.member(name);
        match value {
            Some(value) => write(out, value),
            None => out.extend_from_slice(b"null"),
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Vec<u8>, T),
    ) {
        list(self.member(name), items, write);
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(value.to_string().as_bytes());
}

/// Exactly as `JSON.stringify` does.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(escaped(text).as_bytes());
    out.push(b'"');
}

/// What stands between the quotes: most often the text itself.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|octet| matches!(octet, b'"' | b'\\' | 0..=0x1F)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(2 * text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{C}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1F}' => {
                out.push_str("\\u00");
                out.extend(
                    [4, 0].map(|shift| char::from_digit(u32::from(letter) >> shift & 15, 16).unwrap_or('0')),
                );
            }
            _ => out.push(letter),
        }
    }
    Cow::Owned(out)
}
