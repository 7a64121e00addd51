//! One element of a body: a message, if it is one.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use everwire_core::frame::{Form, is_subject};

use crate::json::{NESTING_MAX, Names, NotJson, Scanner, Text, Token, Visit, is_finite};

/// Why an element is refused with `malformed`. [REF-6]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// It is no object.
    NotObject,
    /// It has no `type`, or one that is no string.
    Type,
    /// It is nested deeper than 64 levels [LIM-16].
    Nesting,
    /// A member name stands twice in one object of it.
    NameRepeated,
    /// A name or a string holds half of a surrogate pair.
    LoneSurrogate,
    /// A number is infinite once rounded to binary64.
    NumberInfinite,
    /// `receiver` is neither a string nor null.
    Receiver,
    /// `receiver` is no subject. [FRM-11]
    Subject,
    /// An envelope line with a member `content`. [FRM-7]
    Content,
    /// An envelope line with an LF in it. [FRM-7]
    LineFeed,
}

impl Flaw {
    /// The name in `tests/vectors/bodies`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotObject => "not-an-object",
            Self::Type => "type",
            Self::Nesting => "nesting",
            Self::NameRepeated => "name-repeated",
            Self::LoneSurrogate => "lone-surrogate",
            Self::NumberInfinite => "number-infinite",
            Self::Receiver => "receiver",
            Self::Subject => "subject",
            Self::Content => "content",
            Self::LineFeed => "line-feed",
        }
    }
}

/// What a node makes of an element. [REF-6]
#[derive(Clone, Debug)]
pub enum Judged<'a> {
    /// A message. Whether it is too long, and where it may go, is still to be seen.
    Message(Envelope<'a>),
    /// `null`: to be refused with `withdrawn`. [SEND-16]
    Withdrawn,
    /// To be refused with `malformed`, or dropped if it is a cast. [ERR-8]
    Malformed(Flaw),
}

/// One complete JSON value of a body.
#[derive(Clone)]
pub struct Element<'a> {
    text: &'a str,
    octets: u64,
    form: Form,
    line_feed: bool,
    is_object: bool,
    /// The first that was found.
    flaw: Option<Flaw>,
    known: [Option<Spot>; KNOWN],
    /// Whether `meta.request` is true.
    is_request: bool,
}

/// A message, as far as a node or a client must know it.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `type`.
    pub kind: Cow<'a, str>,
    /// `receiver`, if it is a string: the subject, save for requests. [SEND-20]
    pub receiver: Option<Cow<'a, str>>,
    /// `sender`, if it is a string. What a client wrote there counts for nothing. [SEC-8]
    pub sender: Option<Cow<'a, str>>,
    /// `id`, if it is a string.
    pub id: Option<Cow<'a, str>>,
    /// The JSON of `content`, if it is there.
    pub content: Option<&'a str>,
    /// Whether `meta` is there. [FRM-15]
    pub has_meta: bool,
    /// Whether `meta.request` is exactly true. [REQ-1]
    pub is_request: bool,
    /// The length of the message as chapter 1 defines it.
    pub octets: u64,
    pub(crate) text: &'a str,
    pub(crate) sender_at: Option<Range<usize>>,
    pub(crate) receiver_at: Option<Range<usize>>,
}

/// Contents are in no log line. [SEC-4]
impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, receiver, octets) = (&self.kind, &self.receiver, self.octets);
        write!(f, "Envelope {{ kind: {kind:?}, receiver: {receiver:?}, octets: {octets}, text: [redacted] }}")
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element {{ octets: {}, form: {:?}, text: [redacted] }}", self.octets, self.form)
    }
}

impl<'a> Element<'a> {
    /// Reads one element of an array. `names` only lends its memory.
    pub(crate) fn read(scanner: &mut Scanner<'a>, names: &mut Names<'a>) -> Result<Self, NotJson> {
        scanner.space();
        let mut judge = Judge::new(scanner.place(), names);
        let text = scanner.value(&mut judge)?;
        Ok(Self::of(text, judge))
    }

    /// Reads a text that is one element and nothing else.
    pub(crate) fn whole(text: &'a str) -> Result<Self, NotJson> {
        let mut scanner = Scanner::new(text);
        scanner.space();
        let mut names = Names::default();
        let mut judge = Judge::new(scanner.place(), &mut names);
        let text = scanner.whole(&mut judge)?;
        Ok(Self::of(text, judge))
    }

    fn of(text: &'a str, judge: Judge<'a, '_>) -> Self {
        Self {
            text,
            octets: text.len() as u64,
            form: Form::Text,
            line_feed: false,
            is_object: text.starts_with('{'),
            flaw: judge.flaw(),
            known: judge.known,
            is_request: judge.is_request,
        }
    }

    /// The same as the envelope of a binary frame.
    pub(crate) fn in_line(self, octets: u64, line_feed: bool) -> Self {
        Self { octets, line_feed, form: Form::Binary, ..self }
    }

    /// The JSON, without white space around it.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The length of the message as chapter 1 defines it.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The node's look at it. [REF-6] [SEND-16]
    pub fn judge(&self) -> Judged<'a> {
        match self.weigh() {
            Ok(envelope) => Judged::Message(envelope),
            Err(_) if self.text == "null" && self.form == Form::Text => Judged::Withdrawn,
            Err(flaw) => Judged::Malformed(flaw),
        }
    }

    /// The client's look at it: `None` is to be reported and counted as processed. The optional members may be of any
    /// type, and what only nodes must refuse is taken, since no node passes it on. [FRM-6] [FRM-7] [ERR-8]
    pub fn accept(&self) -> Option<Envelope<'a>> {
        let content = self.form == Form::Binary && self.spot(CONTENT).is_some();
        if content { None } else { self.envelope() }
    }

    fn weigh(&self) -> Result<Envelope<'a>, Flaw> {
        if !self.is_object {
            return Err(Flaw::NotObject);
        }
        if let Some(flaw) = self.flaw {
            return Err(flaw);
        }
        let envelope = self.envelope().ok_or(Flaw::Type)?;
        if let Some(Spot { value: Value::Other, .. }) = self.spot(RECEIVER) {
            return Err(Flaw::Receiver);
        }
        // The subject of a request is another, whatever its receiver. [REQ-1]
        let is_addressed = envelope.receiver.as_deref().is_none_or(is_subject) || envelope.is_request;
        if !is_addressed {
            return Err(Flaw::Subject);
        }
        if self.form == Form::Binary && envelope.content.is_some() {
            return Err(Flaw::Content);
        }
        if self.line_feed { Err(Flaw::LineFeed) } else { Ok(envelope) }
    }

    fn envelope(&self) -> Option<Envelope<'a>> {
        let text = |name| {
            let Spot { value: Value::Text { escaped, lone }, at } = self.spot(name)? else { return None };
            let raw = self.text.get(at.start + 1..at.end - 1)?;
            Text { raw, escaped: *escaped, lone: *lone }.decode()
        };
        let range = |name| self.spot(name).map(|spot| spot.at.clone());
        Some(Envelope {
            kind: text(TYPE)?,
            receiver: text(RECEIVER),
            sender: text(SENDER),
            id: text(ID),
            content: range(CONTENT).and_then(|at| self.text.get(at)),
            has_meta: self.spot(META).is_some(),
            is_request: self.is_request,
            octets: self.octets,
            text: self.text,
            sender_at: range(SENDER),
            receiver_at: range(RECEIVER),
        })
    }

    fn spot(&self, known: usize) -> Option<&Spot> {
        self.known.get(known)?.as_ref()
    }
}

/// How many members of an envelope somebody must know.
const KNOWN: usize = 6;
const TYPE: usize = 0;
const RECEIVER: usize = 1;
const SENDER: usize = 2;
const ID: usize = 3;
const CONTENT: usize = 4;
const META: usize = 5;

/// Which of them has this name.
fn known(name: Text<'_>) -> Option<usize> {
    Some(match &*name.decode()? {
        "type" => TYPE,
        "receiver" => RECEIVER,
        "sender" => SENDER,
        "id" => ID,
        "content" => CONTENT,
        "meta" => META,
        _ => return None,
    })
}

/// What a member's value is, and where it stands in the element.
#[derive(Clone, Debug)]
struct Spot {
    value: Value,
    at: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    /// What is between the quotes is not kept: elements are many.
    Text {
        escaped: bool,
        lone: bool,
    },
    Null,
    Other,
}

/// Looks at the tokens of an element.
struct Judge<'a, 'n> {
    /// Where the element begins.
    begin: usize,
    names: &'n mut Names<'a>,
    flaw: Option<Flaw>,
    known: [Option<Spot>; KNOWN],
    /// The member of the envelope whose value comes or is open.
    member: Option<usize>,
    /// Where that value began.
    value_at: usize,
    /// The value that comes is that of `request` in `meta`.
    request: bool,
    is_request: bool,
}

impl<'a, 'n> Judge<'a, 'n> {
    fn new(begin: usize, names: &'n mut Names<'a>) -> Self {
        names.clear();
        Self {
            begin,
            names,
            flaw: None,
            known: [const { None }; KNOWN],
            member: None,
            value_at: begin,
            request: false,
            is_request: false,
        }
    }

    fn flaw(&self) -> Option<Flaw> {
        self.flaw.or(self.names.is_repeated().then_some(Flaw::NameRepeated))
    }

    fn blame(&mut self, flaw: Flaw) {
        self.flaw.get_or_insert(flaw);
    }

    fn name(&mut self, name: Text<'a>) {
        match self.names.depth() {
            1 => self.member = known(name),
            2 => self.request = self.member == Some(META) && name.is("request"),
            _ => {}
        }
    }

    /// The value of a member of the envelope has ended.
    fn ended(&mut self, value: Value, upto: usize) {
        let at = self.value_at - self.begin..upto - self.begin;
        if let Some(spot) = self.member.take().and_then(|member| self.known.get_mut(member)) {
            *spot = Some(Spot { value, at });
        }
    }
}

impl<'a> Visit<'a> for Judge<'a, '_> {
    fn token(&mut self, token: Token<'a>, at: Range<usize>) {
        let depth = self.names.depth();
        let value = match token {
            Token::Name(name) => {
                if name.lone {
                    self.blame(Flaw::LoneSurrogate);
                }
                self.names.name(name);
                return self.name(name);
            }
            Token::BeginObject | Token::BeginArray => {
                self.names.begin();
                if depth == NESTING_MAX {
                    self.blame(Flaw::Nesting);
                }
                if depth == 1 {
                    self.value_at = at.start;
                    return;
                }
                Value::Other
            }
            Token::End => {
                self.names.end();
                if depth == 2 {
                    self.ended(Value::Other, at.end);
                }
                return;
            }
            Token::String(text) => {
                if text.lone {
                    self.blame(Flaw::LoneSurrogate);
                }
                Value::Text { escaped: text.escaped, lone: text.lone }
            }
            Token::Number(raw) => {
                if !is_finite(raw) {
                    self.blame(Flaw::NumberInfinite);
                }
                Value::Other
            }
            Token::Null => Value::Null,
            Token::True | Token::False => Value::Other,
        };
        if depth == 1 {
            self.value_at = at.start;
            self.ended(value, at.end);
        } else if depth == 2 && self.request {
            self.is_request = matches!(token, Token::True);
            self.request = false;
        }
    }
}
