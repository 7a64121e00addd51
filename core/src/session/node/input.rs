//! What a node's driver tells the machine.

use std::sync::Arc;

use crate::engine::{Identity, Subject};
use crate::frame::{WAIT_MS_MAX, WINDOW_MS_MIN};
use crate::session::{Hello, Secret};
use crate::time::Duration;

/// The name of a question to the driver: for a hook, or for the authentication. An answer under any other name, or a
/// second one, is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// The name of a call to the engine, as [`AskId`] is of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// What a node says of itself and how it behaves. It is the same for every link; numbers out of range are moved into it.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// `welcome.heartbeat`: the node pings after so much silence. [LIVE-3]
    pub heartbeat: Duration,
    /// `welcome.window`: the reconnect window that it would like; zero: none.
    pub window: Duration,
    /// `welcome.limits.rooms`. [LIM-11]
    pub rooms_max: u16,
    /// Extensions that it speaks.
    pub features: Arc<[Box<str>]>,
    /// A subject that begins with one of these has the form of an identity, every other the form of a room. [ROOM-12]
    pub identities: Arc<[Box<str>]>,
    /// Whether messages and casts pass a hook of the application, [`super::NodeAction::Examine`].
    pub examines: bool,
    /// Whether a message whose hook fails three times is refused as `failed`, instead of closing the link. [SEND-18]
    pub failure_is_final: bool,
    /// Whether [`super::Node::handle_octets`] is told of octets before their frame is whole. [HELLO-12]
    pub sees_octets: bool,
    /// Which process this is; only known bugs that tests switch on remember it.
    pub process: u32,
}

impl NodeConfig {
    /// [NUM-4] The table of `welcome`.
    pub(super) fn heartbeat(&self) -> Duration {
        self.heartbeat.clamp(Duration::from_secs(5), Duration::from_secs(300))
    }

    /// [AWAY-1] Zero: none.
    pub(super) fn window(&self) -> Duration {
        if self.window == Duration::ZERO { self.window } else { in_window_range(self.window) }
    }
}

/// [AWAY-1]
pub(super) fn in_window_range(window: Duration) -> Duration {
    window.clamp(Duration::from_millis(WINDOW_MS_MIN.into()), Duration::from_millis(WAIT_MS_MAX.into()))
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(25),
            window: Duration::from_secs(10),
            rooms_max: 256,
            features: Arc::new([]),
            identities: Arc::new(["user_".into(), "anon_".into()]),
            examines: false,
            failure_is_final: false,
            sees_octets: false,
            process: 0,
        }
    }
}

/// What the driver has found behind the header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeBody<P> {
    /// Nothing, or of a frame whose verb has no body: what stands there is judged by its length alone.
    None,
    /// A `hello` whose members have their types. [FRM-12]
    Hello(Box<Hello>),
    /// A `hello` whose `version` is an integer other than 1, whatever else it holds. [ERR-10]
    OtherVersion,
    /// The elements of a `send` or a `cast`, in order.
    Elements(Vec<Element<P>>),
    /// The token of an `auth`.
    Token(Secret),
    /// No JSON, of the wrong type, a required member missing or mistyped, a name twice, not UTF-8. [ERR-6] [FRM-12]
    Unreadable,
}

/// One element of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element<P> {
    /// Its length as the client wrote it: the octets of its JSON text without surrounding white space; in a binary
    /// frame, of the envelope line, the LF and the content.
    pub bytes: u64,
    /// What it is.
    pub kind: ElementKind<P>,
}

/// What an element is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementKind<P> {
    /// Complete JSON and no acceptable envelope. [REF-6] Whether its subject is one need not have been looked at.
    Malformed,
    /// `null`: withdrawn. [SEND-16] (In a `cast` it is malformed.)
    Withdrawn,
    /// An envelope.
    Message {
        /// Its `receiver`, as it stands; `None` if absent or null.
        receiver: Option<Subject>,
        /// Whether `meta.request` is exactly `true`. [REQ-1]
        request: bool,
        /// It, with `sender` stamped by the identity in force, which the driver knows from `welcome`. [SEND-19]
        payload: P,
    },
}

/// Whom the driver takes a client for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Under the producer that was asked for first: `hello.producer`, and in a renewal the one in force.
    pub as_producer: Persona,
    /// Under the successor, if one was asked for. It differs where identities are derived from producers. [HELLO-20]
    pub as_successor: Option<Persona>,
    /// When the credential must have been renewed, from now.
    pub expires: Option<Duration>,
}

/// What follows from a producer and a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    /// The identity.
    pub identity: Identity,
    /// The producer's inbox: `_` and a one-way function of the producer. [REQ-4]
    pub inbox: Subject,
}

/// Why nobody was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAuthenticated {
    /// The credential is refused: 4401.
    Refused,
    /// This identity may not connect: 4403.
    Forbidden,
    /// The hook has failed, which says nothing of the client: 4004. [HELLO-15]
    Failed,
}

/// A hook has failed, as opposed to refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookFailed;

/// What the hook says of a message or a cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Examined<P> {
    /// It passes, as it is now.
    Pass {
        /// Its subject: its `receiver`, or, for a message without one, what the hook has named and the driver has
        /// written as `receiver`. [SEND-20] Of a request it is ignored.
        subject: Option<Subject>,
        /// It, stamped.
        payload: P,
    },
    /// It is refused with this code.
    Refuse(Box<str>),
    /// The hook has failed.
    Failed,
}

/// What the driver sees of the link's transport, in totals since the link opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// Octets of all frames that were handed to it.
    pub written: u64,
    /// How many of them have left this process. The difference waits.
    pub taken: u64,
    /// Of those that wait, the octets of other frames than `push`.
    pub waiting_other: u64,
}

/// The server drains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// `in`: links are served so much longer, and 2 s more. [AWAY-9]
    pub leave_in: Duration,
    /// `window`: clients come back over so much time.
    pub window: Duration,
    /// Why, for people.
    pub reason: Box<str>,
    /// Where to come back to.
    pub url: Option<Box<str>>,
}
