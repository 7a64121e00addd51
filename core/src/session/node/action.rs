//! What the machine wants done, and the frames that it writes.

use std::borrow::Cow;

use super::input::{AskId, CallId};
use crate::engine::{Call, LogEpoch, Message, Payload, Producer, Subject};
use crate::frame::{Code, Form, FromServer, Grant, Numbers, PageMark, Room, Wait, Window};
use crate::session::down::{Content, Loss};
use crate::session::up::Ack;
use crate::session::{Secret, Welcome};

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAction<P> {
    /// Find out who this is; then [`super::Node::handle_authenticated`].
    Authenticate {
        /// The question.
        id: AskId,
        /// The credential.
        token: Option<Secret>,
        /// The producer to derive [`super::Persona`] for.
        producer: Producer,
        /// And the spare, if `hello` names one.
        successor: Option<Producer>,
        /// Whether it is a renewal on a living link.
        renewal: bool,
    },
    /// Ask the application whether this identity may; then [`super::Node::handle_authorised`] with as many answers.
    Authorise {
        /// The question.
        id: AskId,
        /// Who asks.
        identity: Subject,
        /// What for.
        purpose: Purpose,
        /// Which rooms. Subjects of the server and of identities never get here. [ROOM-11] [PAGE-6]
        rooms: Vec<Asking>,
    },
    /// Run the application's hook on a message or a cast; then [`super::Node::handle_examined`].
    Examine {
        /// The question.
        id: AskId,
        /// The message's number; `None` for a cast.
        n: Option<u64>,
        /// Where it goes; `None` for a request and for a message without `receiver`.
        subject: Option<Subject>,
        /// Whether it is a request.
        request: bool,
        /// It, stamped.
        payload: P,
    },
    /// Have the engine carry this out; then [`super::Node::handle_answer`]. The calls of a link are carried out in the order
    /// in which they are given; but if one fails, that changes nothing for the next.
    Call {
        /// The call.
        id: CallId,
        /// What is asked.
        call: Call<P>,
    },
    /// Run the handler of a request; see [`super::Origin`]. It may come after [`NodeAction::Close`]. [SEND-23]
    Run(Request<P>),
    /// Write this frame.
    Write(NodeFrame<P>),
    /// Read from the transport, or leave it alone: too much waits to be taken, or it asks too often. It reads at first.
    /// [NODE-9] [NODE-14]
    Reading(bool),
    /// Whether the page is being looked at has changed, for presence. [VIS-2]
    Visible(bool),
    /// Write a close frame behind what has been written. Nothing that comes in matters any more. [CLOSE-11]
    Close {
        /// The code.
        code: u16,
        /// The reason.
        reason: Cow<'static, str>,
        /// Whether to go on reading and discarding until the peer's close, the end of the stream, or 10 s; if not, the
        /// transport is dropped at once.
        lingers: bool,
    },
}

/// What an authorisation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The rooms of `hello`, with what the client says it was given.
    Hello,
    /// A `join`.
    Join,
    /// A `page`: reading the room's history.
    Page,
    /// The filter anew, in a renewal.
    Renewal,
}

/// A room to be authorised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The room.
    pub room: Subject,
    /// In `hello`, the client's `from`; it holds if the grant does, or if the identity could page the room back to it.
    /// [ROOM-10]
    pub from: Option<u64>,
    /// In `hello`, what was given with it, under `hello.logEpoch`.
    pub grant: Option<Secret>,
}

/// A request to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<P> {
    /// Whose.
    pub producer: Producer,
    /// The link that carried it.
    pub link: u64,
    /// Its number.
    pub n: u64,
    /// Who asks.
    pub identity: Subject,
    /// Where the answer goes.
    pub inbox: Subject,
    /// The log in which the inbox is.
    pub epoch: LogEpoch,
    /// The octets of an answer at most.
    pub limit: u32,
    /// It.
    pub payload: P,
}

/// A frame to be written. [`NodeFrame::head`] makes its header line; the body is the driver's.
///
/// A frame of more than [`super::ANNOUNCED_ABOVE`] octets other than `welcome` is announced by `more`: the driver writes
/// that, since it alone knows the length. [LIVE-13]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeFrame<P> {
    /// `welcome`. The driver puts in `time`, and the grants of the rooms. [ROOM-9]
    Welcome(Box<Welcome>),
    /// `ack`.
    Ack(Ack),
    /// `push`: several text messages or one binary one.
    Push {
        /// Where the interval begins.
        after: u64,
        /// Where it ends.
        upto: u64,
        /// The messages.
        messages: Vec<Message<P>>,
    },
    /// `advance`.
    Advance {
        /// Where the interval begins.
        after: u64,
        /// Where it ends.
        upto: u64,
    },
    /// `joined`. The driver puts in the grant. [ROOM-9]
    Joined {
        /// The room.
        room: Subject,
        /// Messages above it are pushed.
        from: u64,
    },
    /// `denied`.
    Denied {
        /// The room as it stands in a header line: it may be no subject.
        room: Box<str>,
        /// Why.
        code: Box<str>,
    },
    /// `page`, an answer or a part of one: several text messages or one binary one.
    Page {
        /// The question.
        id: u64,
        /// What follows.
        mark: PageMark,
        /// The messages.
        messages: Vec<Message<P>>,
    },
    /// `page id !code`.
    PageRefused {
        /// The question.
        id: u64,
        /// Why.
        code: Box<str>,
    },
    /// `reply`.
    Reply {
        /// The request.
        n: u64,
        /// Its answer.
        payload: P,
    },
    /// `cast`: several text messages or one binary one.
    Cast(Vec<P>),
    /// `ping`.
    Ping {
        /// Comes back in the `pong`.
        x: u64,
    },
    /// `pong`.
    Pong {
        /// Of the `ping`.
        x: u64,
    },
    /// `auth`.
    Auth {
        /// `expires`, in milliseconds from now.
        expires: Option<u64>,
        /// Whether it answers an `auth`.
        renewed: bool,
    },
    /// `goaway`.
    Goaway {
        /// `in`.
        leave_in: Wait,
        /// `window`.
        window: Window,
        /// `reason`.
        reason: Box<str>,
        /// `url`.
        url: Option<Box<str>>,
    },
    /// `lost`.
    Lost {
        /// The link's log epoch.
        epoch: LogEpoch,
        /// What is gone.
        loss: Loss,
    },
}

impl<P: Content> NodeFrame<P> {
    /// The messages of its body, if it has messages.
    pub fn payloads(&self) -> impl Iterator<Item = &P> {
        let (messages, payloads) = match self {
            Self::Push { messages, .. } | Self::Page { messages, .. } => (&messages[..], &[][..]),
            Self::Reply { payload, .. } => (&[][..], core::slice::from_ref(payload)),
            Self::Cast(payloads) => (&[][..], &payloads[..]),
            _ => (&[][..], &[][..]),
        };
        messages.iter().map(|message| &message.payload).chain(payloads)
    }

    /// Which kind of WebSocket message it is: binary only if its one message is. [TRN-4] [FRM-8]
    pub fn form(&self) -> Form {
        if self.is_binary() { Form::Binary } else { Form::Text }
    }

    /// Whether it is a binary frame: its one message is binary.
    pub fn is_binary(&self) -> bool {
        self.payloads().next().is_some_and(Content::is_binary)
    }

    /// Whether its body is an array of messages, or the one binary message.
    pub fn has_messages(&self) -> bool {
        matches!(self, Self::Push { .. } | Self::Page { .. } | Self::Reply { .. } | Self::Cast(_))
    }

    /// The octets of that body: with brackets and commas, or those of the one binary message.
    pub fn message_octets(&self) -> u64 {
        if !self.has_messages() {
            return 0;
        }
        let octets = self.payloads().fold(0u64, |sum, payload| sum.saturating_add(Payload::octets(payload)));
        let commas = (self.payloads().count() as u64).saturating_sub(1);
        if self.is_binary() { octets } else { octets.saturating_add(2 + commas) }
    }

    /// Appends the header line, and its LF if a body follows. `grant` is that of a `joined`.
    pub fn head(&self, grant: Option<&Secret>, out: &mut Vec<u8>) {
        let numbers: Vec<u64>;
        let encoded: String;
        match self {
            Self::Welcome(_) => FromServer::Welcome.write(out),
            Self::Ack(ack) => ack.write(out),
            Self::Push { after, upto, messages } => {
                numbers = messages.iter().map(|message| message.s).collect();
                FromServer::Push { after: *after, upto: *upto, numbers: Numbers::new(&numbers) }.write(out);
            }
            Self::Advance { after, upto } => {
                FromServer::Advance { after: *after, upto: *upto }.write(out);
            }
            Self::Joined { room, from } => {
                encoded = Room::encode(room.as_str()).unwrap_or_default();
                let Ok(room) = Room::new(encoded.as_bytes()) else { return };
                let grant = grant.and_then(|grant| Grant::new(grant.reveal().as_bytes()).ok());
                FromServer::Joined { room, from: *from, grant }.write(out);
            }
            Self::Denied { room, code } => {
                let (Ok(room), Ok(code)) = (Room::new(room.as_bytes()), Code::new(code.as_bytes())) else {
                    return;
                };
                FromServer::Denied { room, code }.write(out);
            }
            Self::Page { id, mark, messages } => {
                numbers = messages.iter().map(|message| message.s).collect();
                FromServer::Page { id: *id, mark: *mark, numbers: Numbers::new(&numbers) }.write(out);
            }
            Self::PageRefused { id, code } => {
                let Ok(code) = Code::new(code.as_bytes()) else { return };
                FromServer::PageRefused { id: *id, code }.write(out);
            }
            Self::Reply { n, .. } => FromServer::Reply { n: *n }.write(out),
            Self::Cast(_) => FromServer::Cast.write(out),
            Self::Ping { x } => FromServer::Ping { x: *x }.write(out),
            Self::Pong { x } => FromServer::Pong { x: *x }.write(out),
            Self::Auth { .. } => FromServer::Auth.write(out),
            Self::Goaway { leave_in, window, .. } => {
                FromServer::Goaway { leave_in: *leave_in, window: *window }.write(out);
            }
            Self::Lost { .. } => FromServer::Lost.write(out),
        }
    }
}
