//! What the machine is told to be, and what it wants done.

use super::notice::{Notice, Unbacked, Why};
use super::page::{PageFailure, PageId};
use super::standing::Standing;
use crate::codes::State;
use crate::engine::{LogEpoch, Producer, Subject};
use crate::frame::{Form, FromClient, PageMark, Room};
use crate::limiter::Rate;
use crate::outbox::{OutboxConfig, Ticket};
use crate::session::Hello;
use crate::session::down::{Element, Loss, Place, Seat, Started, Taken};
use crate::session::up::{Dropped, Exited, Written};
use crate::sorted::SortedMap;
use crate::time::Duration;

/// How a wire behaves. Whoever builds it checks the ranges; the machine clamps what would break it.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The bounds of what waits.
    pub outbox: OutboxConfig,
    /// The longest message that is sent, whatever the server takes.
    pub message_bytes_max: u32,
    /// The longest message that the host can take: a server that stores longer ones is no server for it. [LIM-21]
    pub takes_bytes_max: u32,
    /// A ping goes out after so much quiet, 1 to 600 s. [LIVE-6]
    pub interval: Duration,
    /// How long the providers, and then the socket, may take. [TIME-3]
    pub connect_timeout: Duration,
    /// Above so many octets in the transport's buffer no message, request, page or cast is written.
    pub high_water: u64,
    /// Whether there is a token that could be asked for again.
    pub has_token: bool,
    /// Dials in a row that may fail before the wire closes; 0 never gives up.
    pub attempts_max: u32,
    /// How many messages and casts may be written; `None`: as many as there are. What has a number is sent again without
    /// regard to it.
    pub rate: Option<Rate>,
    /// Whether a wait lasts for as long as the page is hidden, as it should on a phone.
    pub rests_hidden: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            outbox: OutboxConfig::default(),
            message_bytes_max: 1 << 20,
            takes_bytes_max: 64 << 20,
            interval: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(20),
            high_water: 1 << 20,
            has_token: false,
            attempts_max: 0,
            rate: None,
            rests_hidden: false,
        }
    }
}

/// What the host has found behind the header line of a frame. It parses bodies; the machine never sees them.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Nothing, or what nobody has to know.
    None,
    /// Of a `welcome`.
    Welcome(&'a crate::session::Welcome),
    /// Of a `lost`.
    Lost {
        /// `logEpoch`.
        epoch: &'a LogEpoch,
        /// The rest.
        loss: &'a Loss,
    },
    /// Of a `goaway`.
    Goaway {
        /// It has a `url` that [`may_follow`](super::may_follow) lets it follow. [AWAY-8]
        redirect: bool,
    },
    /// Of an `auth`.
    Auth {
        /// In milliseconds from now.
        expires: Option<u64>,
        /// It answers an `auth`.
        renewed: bool,
    },
    /// Of a `push`, `page`, `reply` or `cast`: each element.
    Elements(&'a [Element]),
    /// No JSON, of the wrong type, a required member missing or mistyped, not UTF-8. [ERR-6]
    Unreadable,
}

/// A message that nobody keeps. [CAST-1]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// The host's name for it.
    pub ticket: Ticket,
    /// The octets of the frame's body.
    pub bytes: u32,
    /// Text or binary.
    pub form: Form,
}

/// A frame to be written: the header line is [`Outbound::head`], the body is the host's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// `hello`, all but the token, which the host has. [FRM-14]
    Hello(Box<Hello>),
    /// `send`: the body is the array of the messages, `null` for a withdrawn one; or the one message in binary.
    Send(Written),
    /// `seen`.
    Seen {
        /// Everything up to here is processed.
        s: u64,
        /// Messages processed since `hello`.
        count: u64,
        /// Octets of them.
        bytes: u64,
    },
    /// `join`.
    Join(Subject),
    /// `leave`.
    Leave(Subject),
    /// `page`.
    Page {
        /// The answer's name on this link.
        id: u64,
        /// The room.
        subject: Subject,
        /// The newest below it.
        before: u64,
        /// How many.
        count: u16,
    },
    /// `cast`.
    Cast(Cast),
    /// `ping`.
    Ping(u64),
    /// `pong`.
    Pong(u64),
    /// `more`: the next frame on this link is the long one. [LIVE-13]
    More(u64),
    /// `auth`, with the token that the host was asked for.
    Auth,
    /// `vis`.
    Vis(bool),
    /// `bye`.
    Bye(u64),
}

impl Outbound {
    /// Which kind of WebSocket message it is: binary only if its one message is. [TRN-4] [FRM-8]
    pub fn form(&self) -> Form {
        match self {
            Self::Send(Written { form, .. }) | Self::Cast(Cast { form, .. }) => *form,
            _ => Form::Text,
        }
    }

    /// Appends the header line, and its LF if a body follows.
    pub fn head(&self, out: &mut Vec<u8>) {
        let encoded = match self {
            Self::Join(subject) | Self::Leave(subject) | Self::Page { subject, .. } => {
                Room::encode(subject.as_str()).unwrap_or_default()
            }
            _ => String::new(),
        };
        let room = Room::new(encoded.as_bytes());
        let frame = match (self, room) {
            (Self::Hello(_), _) => FromClient::Hello,
            (Self::Send(written), _) => written.frame,
            (Self::Seen { s, count, bytes }, _) => FromClient::Seen { s: *s, count: *count, bytes: *bytes },
            (Self::Join(_), Ok(room)) => FromClient::Join { room },
            (Self::Leave(_), Ok(room)) => FromClient::Leave { room },
            (Self::Page { id, before, count, .. }, Ok(room)) => {
                FromClient::Page { id: *id, room, before: *before, count: *count }
            }
            (Self::Cast(_), _) => FromClient::Cast,
            (Self::Ping(x), _) => FromClient::Ping { x: *x },
            (Self::Pong(x), _) => FromClient::Pong { x: *x },
            (Self::More(bytes), _) => FromClient::More { bytes: *bytes },
            (Self::Auth, _) => FromClient::Auth,
            (Self::Vis(visible), _) => FromClient::Vis { visible: *visible },
            (Self::Bye(s), _) => FromClient::Bye { s: *s },
            // What is no subject was rejected at the call. [FRM-11]
            (Self::Join(_) | Self::Leave(_) | Self::Page { .. }, Err(_)) => return,
        };
        frame.write(out);
    }
}

/// How a link is to be closed. A browser can write 1000 and 3000 to 4999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: u16,
    /// The reason: the clause, or nothing. Never the peer's octets. [CLOSE-2]
    pub reason: &'static str,
}

/// A `welcome`, carried out: one step of the host's record. [WELC-4]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The link.
    pub link: u64,
    /// The producer in force.
    pub producer: Producer,
    /// Whether that is the one that was the successor.
    pub succeeded: bool,
    /// The link whose claim made its record.
    pub born: u64,
    /// The log.
    pub epoch: LogEpoch,
    /// Where pushes begin.
    pub position: u64,
    /// The client's own subject.
    pub own: Subject,
    /// The rooms on the record, the own subject among them.
    pub seats: SortedMap<Subject, Seat>,
    /// Those that had been wished for and are joined now.
    pub joined: Vec<Subject>,
    /// Whether a stored message survives a crash of the server.
    pub durable: bool,
    /// The longest message that the server takes.
    pub message_bytes_max: u32,
    /// The rooms that it takes.
    pub rooms_max: u16,
    /// Its clock, for display.
    pub time: u64,
    /// How many dials it took since the last reset.
    pub attempts: u32,
}

/// What the machine wants done. **Note it on the [`Record`](super::Record), then carry it out.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for url and token and make a socket; then `handle_dialled` or `handle_dial_failed`. The number is on the
    /// record first. [HELLO-3] [HELLO-10]
    Dial {
        /// The number of the link to be.
        link: u64,
        /// Use the `url` of the last `goaway`, this once. [AWAY-8]
        redirected: bool,
    },
    /// Write a frame, if this link is still there.
    Write {
        /// Which one.
        link: u64,
        /// What.
        frame: Outbound,
    },
    /// No event of this link matters any more, but the `close` that may come behind a `bye`. Close it, or, if it has
    /// not opened yet, when it opens. [CLOSE-9]
    Leave {
        /// Which one.
        link: u64,
        /// How; `None` if it is gone already or has never opened.
        close: Option<Close>,
    },
    /// Ask for a fresh token; then `handle_renewed` or `handle_renewal_failed`. [AUTH-4]
    Renew {
        /// For this link.
        link: u64,
    },
    /// For the record alone.
    Keep(Box<Standing>),
    /// For the record alone: what of the numbered messages has become of links that broke. [REF-9]
    Alone {
        /// Until this number has exited, messages go one at a time.
        until: Option<u64>,
        /// Links in a row that broke under a long frame.
        broken_links: u8,
        /// `null` is written in place of the lowest unsettled one.
        withdrawn: bool,
    },
    /// For the record alone: numbers begin anew under these. [WELC-5] [CLOSE-8]
    Produce {
        /// The producer.
        producer: Producer,
        /// Its spare.
        successor: Producer,
    },
    /// A message has left.
    Exited {
        /// How.
        exited: Exited,
        /// Whether a stored one survives a crash of the server. [ACK-8]
        durable: bool,
    },
    /// A `welcome` is carried out.
    Opened(Box<Opened>),
    /// A push is in the host's hands: it keeps the elements of the frame in hand that [`Taken::fresh`] names.
    Received(Taken),
    /// Nothing for this client up to here.
    Advanced {
        /// Its position.
        upto: u64,
    },
    /// Start a handler; then `handle_settled`.
    Start(Started),
    /// A room is joined.
    Joined(Place),
    /// A room is left, as the server says.
    Denied {
        /// The room.
        subject: Subject,
        /// Why.
        code: Box<str>,
    },
    /// Something of these is gone: the application must load them afresh. [LOST-4]
    Lost {
        /// The subjects.
        subjects: Vec<Subject>,
        /// Where they begin anew, if that is not part of the [`Opened`] that follows.
        from: Option<u64>,
    },
    /// These receipts are no longer backed. [EPOCH-4]
    Unbacked(Box<Unbacked>),
    /// A request is answered by the frame in hand. [REQ-9]
    Answered {
        /// Which one.
        ticket: Ticket,
        /// Its number.
        n: u64,
    },
    /// A request with a number is no longer waited for. Its message exits by itself, or has.
    Unanswered {
        /// Which one.
        ticket: Ticket,
        /// Its number.
        n: u64,
        /// Why.
        why: Dropped,
    },
    /// A part of a page is in the frame in hand.
    Paged {
        /// Which one.
        page: PageId,
        /// Whether it is the last, and what lies below.
        mark: PageMark,
        /// The numbers of the elements.
        numbers: Vec<u64>,
    },
    /// A page will not come.
    PageFailed {
        /// Which one.
        page: PageId,
        /// Why.
        why: PageFailure,
    },
    /// The elements of the frame in hand are casts.
    Casts,
    /// What the user is told of the state has changed.
    StateChanged(State),
    /// A link that was in use has ended, or the wire has closed for good.
    Ended {
        /// The link, or 0 if there was none.
        link: u64,
        /// Why.
        why: Why,
        /// The close code, or 0.
        code: u16,
        /// When the next dial is due; `None`: never.
        retry: Option<Duration>,
    },
    /// A dial is scheduled. [AWAY-12]
    Reconnecting {
        /// Which one since the last reset; the first is 1.
        attempt: u32,
        /// After which delay.
        delay: Duration,
        /// Why.
        why: Why,
        /// The close code, or 0.
        code: u16,
    },
    /// Something the user should hear of.
    Notice(Notice),
}
