//! What travels: real header lines, and bodies that are not spelled out.

use std::rc::Rc;

use everwire_core::engine::{LogEpoch, Payload, Subject};
use everwire_core::frame::{Form, Shape};
use everwire_core::session::down::{Content, Loss};
use everwire_core::session::{Hello, Secret, Welcome};

use super::check::Place;

/// What a message says: who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Note {
    /// The message's place among all that were handed over; of an answer, its request's.
    pub(super) id: u32,
    pub(super) octets: u32,
    pub(super) binary: bool,
    pub(super) kind: Kind,
}

/// What sort of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Message,
    /// A handler's answer.
    Answer,
    /// An `error` that the server made up.
    Error,
    Cast,
}

impl Payload for Note {
    fn octets(&self) -> u64 {
        self.octets.into()
    }
}

impl Content for Note {
    fn is_binary(&self) -> bool {
        self.binary
    }
}

/// An element on its way up.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) note: Note,
    pub(super) receiver: Option<Subject>,
    pub(super) request: bool,
    pub(super) withdrawn: bool,
}

/// A frame's parts that are not its header line.
#[derive(Clone, Debug)]
pub(super) enum UpBody {
    None,
    Hello(Box<Hello>),
    Elements(Vec<Sent>),
    Token(Secret),
    Unreadable,
}

/// The same, downwards.
#[derive(Clone, Debug)]
pub(super) enum DownBody {
    None,
    Welcome(Box<Welcome>),
    /// Messages with where they were addressed.
    Elements(Rc<[(Subject, Note)]>),
    Lost(LogEpoch, Loss),
    Goaway,
    Auth(Option<u64>, bool),
    Unreadable,
}

/// What an end finds in its lane.
#[derive(Clone, Debug)]
pub(super) enum Packet<B> {
    Frame {
        head: Vec<u8>,
        shape: Shape,
        body: B,
    },
    /// The other end's close frame.
    Close {
        code: u16,
        reason: Rc<str>,
    },
    /// The connection has ended without one.
    Broken,
}

pub(super) type Up = Packet<UpBody>;
pub(super) type Down = Packet<DownBody>;

impl<B> Packet<B> {
    /// A text frame without a body.
    pub(super) fn bare(head: Vec<u8>, body: B) -> Self {
        Self::Frame { head, shape: Shape { form: Form::Text, body_bytes: None, envelope_bytes: None }, body }
    }

    /// A frame with so many octets behind its first LF, which does not belong to `head`.
    pub(super) fn with_body(head: Vec<u8>, octets: u64, binary: bool, body: B) -> Self {
        let form = if binary { Form::Binary } else { Form::Text };
        let shape =
            Shape { form, body_bytes: Some(octets), envelope_bytes: binary.then_some(octets.min(30)) };
        Self::Frame { head, shape, body }
    }

    /// Whether it says what there is in an interval of the log: the one kind of frame whose loss shows.
    pub(super) fn is_interval(&self) -> bool {
        matches!(self, Self::Frame { head, .. } if head.starts_with(b"push") || head.starts_with(b"advance"))
    }

    /// How long it is on the link.
    pub(super) fn octets(&self) -> u64 {
        match self {
            Self::Frame { head, shape, .. } => {
                head.len() as u64 + shape.body_bytes.map_or(0, |body| body + 1)
            }
            Self::Close { .. } | Self::Broken => 0,
        }
    }
}

/// The octets of an array of elements with these lengths, or of one binary message.
pub(super) fn body_octets(lengths: impl ExactSizeIterator<Item = u64>, binary: bool) -> u64 {
    let commas = (lengths.len() as u64).saturating_sub(1);
    let octets: u64 = lengths.sum();
    if binary { octets } else { octets + 2 + commas }
}

/// The names of places.
#[derive(Debug)]
pub(super) struct Names {
    rooms: Vec<Subject>,
    users: Vec<Subject>,
}

impl Names {
    pub(super) fn new(rooms: u8, users: u8) -> Self {
        let name = |kind: &str, at: u8| Subject::from(format!("{kind}_{at}").as_str());
        Self {
            rooms: (0..rooms).map(|at| name("room", at)).collect(),
            users: (0..users).map(|at| name("user", at)).collect(),
        }
    }

    pub(super) fn subject(&self, place: Place) -> Option<Subject> {
        match place {
            Place::Room(at) => self.rooms.get(usize::from(at)).cloned(),
            Place::User(at) => self.users.get(usize::from(at)).cloned(),
            Place::Server => None,
        }
    }

    pub(super) fn place(&self, subject: &Subject) -> Place {
        let name = subject.as_str();
        let at = |rest: &str| rest.parse().ok();
        if let Some(at) = name.strip_prefix("room_").and_then(at) {
            Place::Room(at)
        } else if let Some(at) = name.strip_prefix("user_").and_then(at) {
            Place::User(at)
        } else {
            Place::Server
        }
    }
}
