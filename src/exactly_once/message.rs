//! Messages as they come in and as they go out.
//!
//! The protocol's bodies are JSON texts that are read in Rust anyway, element by element, so content goes from its text
//! into a Rust value and back with `serde_json`, without a crossing into JavaScript for each of its members.

use std::fmt;
use std::ops::{Deref, Range};
use std::rc::Rc;

use everwire_bodies::{Element, Envelope};
use everwire_core::engine::LogEpoch;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::hold::Hold;
use crate::Error;
use crate::takers::Letter;

/// A place in the server's log: with it a stored message has a name that never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The life of the log.
    pub log_epoch: String,
    /// The number in it.
    pub s: u64,
}

/// A message as it arrives. Clones share it.
#[derive(Clone)]
pub struct Message(Rc<Inner>);

struct Inner {
    /// The envelope as JSON, as it came, or with the `meta` that it had left out.
    text: Box<str>,
    /// Where the content stands in it.
    content: Option<Range<usize>>,
    bytes: Option<Box<[u8]>>,
    kind: Box<str>,
    id: Option<Box<str>>,
    sender: Option<Box<str>>,
    receiver: Option<Box<str>>,
    position: Option<Position>,
    takes_receipt_of: bool,
}

impl Message {
    /// Copies an element of a frame, with the octets behind its envelope line if it is binary. `None`: it is no message.
    pub(crate) fn of(element: &Element<'_>, bytes: Option<&[u8]>) -> Option<Self> {
        let envelope = element.accept()?;
        let text: Box<str> = match element.text().strip_suffix('}') {
            Some(members) if !envelope.has_meta => {
                [members, ",\"meta\":{\"read\":false,\"delivered\":false}}"].concat().into()
            }
            _ => element.text().into(),
        };
        let content = envelope.content.and_then(|content| {
            // It is a part of that text.
            let at = (content.as_ptr() as usize).checked_sub(element.text().as_ptr() as usize)?;
            Some(at..at + content.len())
        });
        let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(Box::from);
        let Envelope { kind, id, sender, receiver, .. } = &envelope;
        Some(Self(Rc::new(Inner {
            content,
            bytes: bytes.map(Box::from),
            kind: kind.as_ref().into(),
            id: owned(id),
            sender: owned(sender),
            receiver: owned(receiver),
            position: None,
            takes_receipt_of: envelope.takes_receipt(""),
            text,
        })))
    }

    /// The same, where it stands in the log.
    pub(crate) fn at(mut self, epoch: &LogEpoch, s: u64) -> Self {
        if let Some(inner) = Rc::get_mut(&mut self.0) {
            inner.position = Some(Position { log_epoch: epoch.as_str().to_owned(), s });
        }
        self
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The sender's name for it.
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// Who sent it, as the server says.
    pub fn sender(&self) -> Option<&str> {
        self.0.sender.as_deref()
    }

    /// The room or the identity to which it is addressed.
    pub fn receiver(&self) -> Option<&str> {
        self.0.receiver.as_deref()
    }

    /// Its place in the log; `None` for a cast, which nobody keeps, and for an answer.
    pub fn position(&self) -> Option<&Position> {
        self.0.position.as_ref()
    }

    /// The content as a Rust value; of a message without content, what `null` is.
    ///
    /// # Errors
    /// [`Error::Content`] if it is of another shape.
    pub fn content<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.0.content.clone().and_then(|at| self.0.text.get(at)).unwrap_or("null");
        serde_json::from_str(text).map_err(|error| Error::Content { message: error.to_string() })
    }

    /// The content of a binary message.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.0.bytes.as_deref()
    }

    /// A field of `meta`, or any other member of the envelope. A message that has left `meta` out has not been read: it has
    /// `{"read":false,"delivered":false}`. [FRM-15]
    ///
    /// # Errors
    /// [`Error::Content`] if it is of another shape.
    pub fn envelope<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.0.text).map_err(|error| Error::Content { message: error.to_string() })
    }

    /// Whether its sender can be told what became of it.
    pub(crate) fn takes_receipt(&self, own: Option<&str>) -> bool {
        self.0.takes_receipt_of && self.0.position.is_some() && self.sender() != own
    }
}

impl Letter for Message {
    type Hold = Hold;

    fn kind(&self) -> &str {
        self.kind()
    }

    fn receiver(&self) -> Option<&str> {
        self.receiver()
    }
}

impl PartialEq for Message {
    /// The same message as it came.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
            || (self.0.text == other.0.text
                && self.0.bytes == other.0.bytes
                && self.0.position == other.0.position)
    }
}

impl fmt::Debug for Message {
    /// Contents do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind())
            .field("id", &self.id())
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

/// A message whose content has been read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Typed<T> {
    /// The content.
    pub content: T,
    /// The rest of it.
    pub message: Message,
}

impl<T> Deref for Typed<T> {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

/// What of an outgoing message stands beside its content.
#[derive(Serialize)]
pub(crate) struct Head<'a> {
    pub(crate) id: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) sender: Option<&'a str>,
    pub(crate) receiver: Option<&'a str>,
    pub(crate) timestamp: u64,
    /// Left out where it says nothing. [FRM-15]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meta: Option<Meta>,
}

#[derive(Serialize)]
pub(crate) struct Meta {
    pub(crate) read: bool,
    pub(crate) delivered: bool,
    pub(crate) request: bool,
}

#[derive(Serialize)]
struct Whole<'a, T: ?Sized> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    sender: Option<&'a str>,
    receiver: Option<&'a str>,
    content: &'a T,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

/// The octets of a message, bound to its number for ever.
#[derive(Clone)]
pub(crate) enum Octets {
    Text(String),
    /// The envelope line, LF, the content.
    Binary(Vec<u8>),
}

impl Octets {
    pub(crate) fn text<T: Serialize + ?Sized>(head: Head<'_>, content: &T) -> Result<Self, Error> {
        let Head { id, kind, sender, receiver, timestamp, meta } = head;
        let text = serde_json::to_string(&Whole { id, kind, sender, receiver, content, timestamp, meta });
        text.map(Self::Text).map_err(|error| Error::Content { message: error.to_string() })
    }

    pub(crate) fn binary(head: &Head<'_>, content: &[u8]) -> Result<Self, Error> {
        let line = serde_json::to_vec(head);
        let mut octets = line.map_err(|error| Error::Content { message: error.to_string() })?;
        octets.push(b'\n');
        octets.extend_from_slice(content);
        Ok(Self::Binary(octets))
    }

    pub(crate) fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(octets) => octets.len(),
        }
    }

    /// What was sent, as it would have arrived.
    pub(crate) fn to_message(&self) -> Option<Message> {
        match self {
            Self::Text(text) => Message::of(&everwire_bodies::element(text.as_bytes()).ok()?, None),
            Self::Binary(octets) => {
                let mut parts = octets.splitn(2, |octet| *octet == b'\n');
                let (line, content) = (parts.next()?, parts.next()?);
                let element = everwire_bodies::envelope_line(line, content.len() as u64).ok()?;
                Message::of(&element, Some(content))
            }
        }
    }
}
