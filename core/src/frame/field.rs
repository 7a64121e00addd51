//! The arguments of header lines that are more than one number.

use super::error::FrameError;
use super::{CODE_BYTES_MAX, GRANT_BYTES_MAX, NUMBER_MAX, SUBJECT_BYTES_MAX, WAIT_MS_MAX};

pub(super) fn number(field: &[u8]) -> Result<u64, FrameError> {
    if !field.iter().all(u8::is_ascii_digit) || field.is_empty() || (field[0] == b'0' && field.len() > 1) {
        return Err(FrameError::NumberSpelling);
    }
    let value = field
        .iter()
        .fold(0u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    if value > NUMBER_MAX { Err(FrameError::NumberTooBig) } else { Ok(value) }
}

const fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

fn text(field: &[u8]) -> &str {
    // Every caller has found ASCII only.
    core::str::from_utf8(field).unwrap_or_default()
}

/// A subject as it stands in header lines: percent-encoded in the one canonical way, so that equal subjects are equal
/// strings. [FRM-10]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Room<'a>(&'a str);

impl<'a> Room<'a> {
    /// Takes what [`Room::encode`] has made, or a peer.
    pub fn new(encoded: &'a [u8]) -> Result<Self, FrameError> {
        let mut subject = [0; SUBJECT_BYTES_MAX];
        let mut bytes = 0;
        let mut rest = encoded;
        while let [first, more @ ..] = rest {
            let octet = if is_unreserved(*first) {
                rest = more;
                *first
            } else {
                let [b'%', high, low, more @ ..] = rest else { return Err(FrameError::RoomSpelling) };
                let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) else {
                    return Err(FrameError::RoomSpelling);
                };
                rest = more;
                let octet = high << 4 | low;
                if is_unreserved(octet) {
                    return Err(FrameError::RoomSpelling);
                }
                octet
            };
            // The line is read to its end all the same: a spelling is wrong however long it is.
            if let Some(place) = subject.get_mut(bytes) {
                *place = octet;
            }
            bytes += 1;
        }
        if bytes == 0 {
            return Err(FrameError::RoomSpelling);
        }
        let subject = subject.get(..bytes).ok_or(FrameError::Subject)?;
        match core::str::from_utf8(subject) {
            Ok(subject) if is_subject(subject) => Ok(Self(text(encoded))),
            _ => Err(FrameError::Subject),
        }
    }

    /// Encodes a subject; `None` if it is none. [FRM-11]
    pub fn encode(subject: &str) -> Option<String> {
        if !is_subject(subject) {
            return None;
        }
        let mut encoded = String::with_capacity(subject.len());
        for octet in subject.bytes() {
            if is_unreserved(octet) {
                encoded.push(char::from(octet));
            } else {
                encoded.push('%');
                for nibble in [octet >> 4, octet & 15] {
                    encoded.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
                }
            }
        }
        Some(encoded)
    }

    /// The encoded form.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The subject itself.
    pub fn decode(self) -> String {
        let mut subject = Vec::with_capacity(self.0.len());
        let mut octets = self.0.bytes();
        while let Some(octet) = octets.next() {
            subject.push(match octet {
                b'%' => match (octets.next().and_then(nibble), octets.next().and_then(nibble)) {
                    (Some(high), Some(low)) => high << 4 | low,
                    _ => break,
                },
                octet => octet,
            });
        }
        String::from_utf8(subject).unwrap_or_default()
    }
}

fn is_subject(subject: &str) -> bool {
    // `char::is_control` is the general category Cc: U+0000–U+001F and U+007F–U+009F.
    (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.chars().any(char::is_control)
}

const fn nibble(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// Why something was refused or denied: 1 to 32 lower-case letters, digits and hyphens. An end hands on codes that it
/// does not know. [REF-8]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code<'a>(&'a str);

impl<'a> Code<'a> {
    /// Takes a code if it is spelled as one.
    pub fn new(code: &'a [u8]) -> Result<Self, FrameError> {
        let spelled = code.iter().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if spelled && (1..=CODE_BYTES_MAX).contains(&code.len()) {
            Ok(Self(text(code)))
        } else {
            Err(FrameError::Arguments)
        }
    }

    /// The code itself.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// What lets a later `hello` claim a room's `from`. Opaque to the client. [ROOM-9]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a>(&'a str);

impl<'a> Grant<'a> {
    /// Takes a grant if it is spelled as one.
    pub fn new(grant: &'a [u8]) -> Result<Self, FrameError> {
        let spelled = grant.iter().all(|octet| is_unreserved(*octet));
        if spelled && (1..=GRANT_BYTES_MAX).contains(&grant.len()) {
            Ok(Self(text(grant)))
        } else {
            Err(FrameError::Arguments)
        }
    }

    /// The grant itself.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// A wait that a `goaway` asks for. It only advises, so a long one is cut and no error. [NUM-4] [AWAY-1]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub(super) u64);

impl Wait {
    /// A wait of so many milliseconds, [`WAIT_MS_MAX`] at most.
    pub fn from_ms(ms: u32) -> Self {
        Self(u64::from(ms.min(WAIT_MS_MAX)))
    }

    /// The milliseconds to wait, whatever the peer wrote.
    pub fn ms(self) -> u32 {
        u32::try_from(self.0).map_or(WAIT_MS_MAX, |ms| ms.min(WAIT_MS_MAX))
    }
}

/// What follows a frame of an answer to `page`. [PAGE-2] [PAGE-3]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageMark {
    /// Another frame of this answer.
    More,
    /// Nothing, but the log keeps older messages of the room.
    Cut,
    /// Nothing: the log keeps nothing older of the room.
    End,
}

impl PageMark {
    /// The mark as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Cut => "cut",
            Self::End => "end",
        }
    }
}

/// A list at the end of a header line: of a line that was read, still as it stands there, or of one to be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum List<'a, T> {
    Line(&'a [u8]),
    Slice(&'a [T]),
}

/// The numbers s at the end of a `push` or `page`.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a>(List<'a, u64>);

impl<'a> Numbers<'a> {
    /// The numbers of a frame to be written.
    pub const fn new(numbers: &'a [u64]) -> Self {
        Self(List::Slice(numbers))
    }

    pub(super) fn parse(line: &'a [u8]) -> Result<Self, FrameError> {
        arguments(line).try_for_each(|field| number(field).map(drop))?;
        Ok(Self(List::Line(line)))
    }

    /// Each number in its order.
    pub fn iter(self) -> impl Iterator<Item = u64> + 'a {
        let (line, slice) = halves(self.0);
        arguments(line).filter_map(|field| number(field).ok()).chain(slice.iter().copied())
    }

    /// How many there are.
    pub fn count(self) -> usize {
        count(self.0)
    }
}

/// The refused numbers at the end of an `ack`, each with its code.
#[derive(Clone, Copy, Debug)]
pub struct Refusals<'a>(List<'a, (u64, Code<'a>)>);

impl<'a> Refusals<'a> {
    /// The refusals of a frame to be written.
    pub const fn new(refusals: &'a [(u64, Code<'a>)]) -> Self {
        Self(List::Slice(refusals))
    }

    pub(super) fn parse(line: &'a [u8]) -> Result<Self, FrameError> {
        arguments(line).try_for_each(|field| refusal(field).map(drop))?;
        Ok(Self(List::Line(line)))
    }

    /// Each refused number in its order.
    pub fn iter(self) -> impl Iterator<Item = (u64, Code<'a>)> + 'a {
        let (line, slice) = halves(self.0);
        arguments(line).filter_map(|field| refusal(field).ok()).chain(slice.iter().copied())
    }

    /// How many there are.
    pub fn count(self) -> usize {
        count(self.0)
    }
}

fn halves<'a, T>(list: List<'a, T>) -> (&'a [u8], &'a [T]) {
    match list {
        List::Line(line) => (line, &[]),
        List::Slice(slice) => (&[], slice),
    }
}

fn count<T>(list: List<'_, T>) -> usize {
    let (line, slice) = halves(list);
    arguments(line).count() + slice.len()
}

fn refusal(field: &[u8]) -> Result<(u64, Code<'_>), FrameError> {
    let colon = field.iter().position(|octet| *octet == b':').ok_or(FrameError::Arguments)?;
    let (refused, code) = field.split_at(colon);
    Ok((number(refused)?, Code::new(code.get(1..).unwrap_or_default())?))
}

/// The arguments of `line`, which is empty or begins with the space before the first of them.
pub(super) fn arguments(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|octet| *octet == b' ').skip(1)
}

impl PartialEq for Numbers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Numbers<'_> {}

impl PartialEq for Refusals<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Refusals<'_> {}
