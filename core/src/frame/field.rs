//! The arguments of header lines that are more than one number.

use super::error::FrameError;
use super::{
    CODE_BYTES_MAX, GRANT_BYTES_MAX, NUMBER_MAX, ROOM_BYTES_MAX, SUBJECT_BYTES_MAX, WAIT_MS_MAX,
    WINDOW_MS_MIN,
};

const NUMBER_DIGITS: usize = NUMBER_MAX.ilog10() as usize + 1;

pub(super) fn number(field: &[u8]) -> Result<u64, FrameError> {
    if field.is_empty() || (field[0] == b'0' && field.len() > 1) {
        return Err(FrameError::NumberSpelling);
    }
    let mut value = 0u64;
    for digit in field {
        if !digit.is_ascii_digit() {
            return Err(FrameError::NumberSpelling);
        }
        // Wraps only where there are more digits than `NUMBER_MAX` has. Saturating takes a page four times as long, and a
        // frame has a number for each of its messages.
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
    }
    if value > NUMBER_MAX || field.len() > NUMBER_DIGITS { Err(FrameError::NumberTooBig) } else { Ok(value) }
}

const fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

fn text(field: &[u8]) -> &str {
    // Every caller has found ASCII only.
    core::str::from_utf8(field).unwrap_or_default()
}

/// A subject as it stands in header lines: percent-encoded in the one canonical way, so that equal subjects are equal
/// strings. A peer may have encoded something that is no subject. [FRM-10] [FRM-11]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Room<'a>(&'a str);

impl<'a> Room<'a> {
    /// In place of one that could not be read.
    pub(super) const NONE: Self = Self("");

    /// Takes what [`Room::encode`] has made, or a peer.
    pub fn new(encoded: &'a [u8]) -> Result<Self, FrameError> {
        if encoded.len() > ROOM_BYTES_MAX {
            return Err(FrameError::RoomTooLong);
        }
        let mut rest = encoded;
        while let [first, more @ ..] = rest {
            rest = match more {
                _ if is_unreserved(*first) => more,
                [high, low, more @ ..]
                    if *first == b'%' && matches!(octet(*high, *low), Some(o) if !is_unreserved(o)) =>
                {
                    more
                }
                _ => return Err(FrameError::RoomSpelling),
            };
        }
        if encoded.is_empty() { Err(FrameError::RoomSpelling) } else { Ok(Self(text(encoded))) }
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
                    encoded.push(char::from(nibble + if nibble < 10 { b'0' } else { b'A' - 10 }));
                }
            }
        }
        Some(encoded)
    }

    /// How many octets a text would have that is encoded as a room.
    pub(crate) fn encoded_bytes(text: &str) -> usize {
        text.bytes().map(|octet| if is_unreserved(octet) { 1 } else { 3 }).sum()
    }

    /// The encoded form.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The subject itself. `None` if it is none: a node answers that with the code `malformed`. [FRM-11]
    pub fn subject(self) -> Option<String> {
        let mut subject = Vec::with_capacity(self.0.len());
        let mut octets = self.0.bytes();
        while let Some(first) = octets.next() {
            subject.push(if first == b'%' { octet(octets.next()?, octets.next()?)? } else { first });
        }
        String::from_utf8(subject).ok().filter(|subject| is_subject(subject))
    }
}

/// Whether this can be a subject. [FRM-11]
pub fn is_subject(subject: &str) -> bool {
    // `char::is_control` is the general category Cc: U+0000–U+001F and U+007F–U+009F.
    (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.chars().any(char::is_control)
}

fn octet(high: u8, low: u8) -> Option<u8> {
    Some(nibble(high)? << 4 | nibble(low)?)
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
    /// In place of one that could not be read.
    pub(super) const NONE: Self = Self("");

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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Grant<'a>(&'a str);

/// A grant is a secret and may appear in no log line. [SEC-4]
impl core::fmt::Debug for Grant<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

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

/// The time that a `goaway` leaves. It only advises, so one out of range is moved into it and no error. [NUM-4] [AWAY-1]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub(super) u64);

impl Wait {
    /// So many milliseconds, [`WAIT_MS_MAX`] at most.
    pub fn from_ms(ms: u32) -> Self {
        Self(u64::from(ms.min(WAIT_MS_MAX)))
    }

    /// The milliseconds to go by, whatever the peer wrote.
    pub fn ms(self) -> u32 {
        u32::try_from(self.0).map_or(WAIT_MS_MAX, |ms| ms.min(WAIT_MS_MAX))
    }
}

/// The time over which a `goaway` spreads the clients. It only advises, as [`Wait`]. [NUM-4] [AWAY-1]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(pub(super) u64);

impl Window {
    /// So many milliseconds, [`WINDOW_MS_MIN`] at least and [`WAIT_MS_MAX`] at most.
    pub fn from_ms(ms: u32) -> Self {
        Self(u64::from(ms.clamp(WINDOW_MS_MIN, WAIT_MS_MAX)))
    }

    /// The milliseconds to go by, whatever the peer wrote.
    pub fn ms(self) -> u32 {
        Wait(self.0).ms().max(WINDOW_MS_MIN)
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
///
/// What is asked of them more than once is found when they are read: a frame has one for each of its messages, and to read it takes a
/// page as long as anything else that it does with the message.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    list: List<'a, u64>,
    /// How many there are.
    count: usize,
    /// The first and the last of them, if there is one and each is above the one before.
    rising: Option<(u64, u64)>,
}

impl<'a> Numbers<'a> {
    /// The numbers of a frame to be written.
    pub const fn new(numbers: &'a [u64]) -> Self {
        let mut seen = Self { list: List::Slice(numbers), count: 0, rising: None };
        while seen.count < numbers.len() {
            seen.see(numbers[seen.count]);
        }
        seen
    }

    pub(super) fn parse(line: &'a [u8]) -> Result<Self, FrameError> {
        let mut seen = Self { list: List::Line(line), count: 0, rising: None };
        let mut rest = line;
        while let Some(field) = argument(&mut rest) {
            seen.see(number(field)?);
        }
        Ok(seen)
    }

    const fn see(&mut self, next: u64) {
        self.rising = match self.rising {
            None if self.count == 0 => Some((next, next)),
            Some((first, last)) if next > last => Some((first, next)),
            _ => None,
        };
        self.count += 1;
    }

    /// Each number in its order.
    pub fn iter(self) -> impl Iterator<Item = u64> + 'a {
        let mut list = self.list;
        core::iter::from_fn(move || next(&mut list, number))
    }

    /// How many there are.
    pub const fn count(self) -> usize {
        self.count
    }

    /// Whether each is above the one before, the first above `after`, and none above `upto`.
    pub(super) fn rise_within(self, after: u64, upto: u64) -> bool {
        match self.rising {
            Some((first, last)) => after < first && last <= upto,
            None => self.count == 0 && after <= upto,
        }
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
        let mut rest = line;
        while let Some(field) = argument(&mut rest) {
            refusal(field)?;
        }
        Ok(Self(List::Line(line)))
    }

    /// Each refused number in its order.
    pub fn iter(self) -> impl Iterator<Item = (u64, Code<'a>)> + 'a {
        let mut list = self.0;
        core::iter::from_fn(move || next(&mut list, refusal))
    }

    /// How many there are.
    pub fn count(self) -> usize {
        count(self.0)
    }
}

/// Takes the first of a list. What stands in a line has been read before.
fn next<'a, T: Copy>(list: &mut List<'a, T>, read: fn(&'a [u8]) -> Result<T, FrameError>) -> Option<T> {
    match list {
        List::Line(line) => argument(line).and_then(|field| read(field).ok()),
        List::Slice(slice) => slice.split_off_first().copied(),
    }
}

fn count<T>(list: List<'_, T>) -> usize {
    match list {
        List::Line(line) => line.iter().filter(|octet| **octet == b' ').count(),
        List::Slice(slice) => slice.len(),
    }
}

fn refusal(field: &[u8]) -> Result<(u64, Code<'_>), FrameError> {
    let colon = field.iter().position(|octet| *octet == b':').ok_or(FrameError::Arguments)?;
    let (refused, code) = field.split_at(colon);
    Ok((number(refused)?, Code::new(code.get(1..).unwrap_or_default())?))
}

/// Takes the first argument of `line`, which is empty or begins with the space before it.
pub(super) fn argument<'a>(line: &mut &'a [u8]) -> Option<&'a [u8]> {
    let rest = line.get(1..)?;
    let bytes = rest.iter().position(|octet| *octet == b' ').unwrap_or(rest.len());
    let (field, rest) = rest.split_at_checked(bytes)?;
    *line = rest;
    Some(field)
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
