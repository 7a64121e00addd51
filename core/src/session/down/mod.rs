//! Downwards: from the log to the handlers, exactly once and in order for as long as the page and the log live.
//!
//! [`Reader`] is the client's half and [`Feed`] the node's. **Only the client keeps a position**: a node is told one in
//! every `hello` and forgets it with the link, so any node can go on where another left off. Between the two stands the
//! window of [`Amount`]s, which spans links: what earlier links have pushed and no handler has finished still counts.
//!
//! What goes wrong at the other end is a [`Violation`], and then the state is as if the frame had never come.

mod feed;
mod joins;
mod opening;
mod pending;
mod reader;
mod record;
mod rooms;

pub(in crate::session) use feed::head_call;
pub use feed::{Answer, Feed, Look, Outbound};
pub use joins::Verdict;
pub use opening::{Asked, Behind, Opened, Opening, Standing};
pub use pending::{Delivery, Entry, Pending, Share};
pub use reader::Reader;
pub use record::{Element, Fresh, Hello, Loss, Persisted, Record, Report, Started, Taken, Welcome};
pub use rooms::{Place, Seat, Unfit, Wish};

use crate::engine::Payload;
use crate::time::Duration;

/// Messages pushed and not processed, over all links. [LIM-8]
pub const WINDOW_MESSAGES: u64 = 8192;
/// Octets of pushes from which on no further one may begin. [LIM-9]
pub const WINDOW_OCTETS: u64 = 1 << 20;
/// What one frame counts as at most, so that one stuck message of the default size does not shut the window. [CRED-9]
pub const FRAME_OCTETS_COUNTED_MAX: u64 = 262_144;
/// Octets that earlier links can have left: a window and the frame that overshot it. [CRED-10]
pub const HELD_OCTETS_MAX: u64 = WINDOW_OCTETS - 1 + FRAME_OCTETS_COUNTED_MAX;
/// Rooms of a link besides the client's own subject. [LIM-11]
pub const ROOMS_MAX: usize = 256;
/// How long processing may wait to be reported while less than half a window is outstanding. [CRED-14]
pub const SEEN_DELAY: Duration = Duration::from_millis(10);
/// After how long a handler, or a shut window, is reported. [POS-14] [CRED-17]
pub const STUCK_AFTER: Duration = Duration::from_secs(60);
/// How long a node's scan may be ahead of what it has told. The limit is 30 s, and timers are late. [POS-12]
pub const ADVANCE_EVERY: Duration = Duration::from_secs(25);

/// A payload of which a node can tell what frame it needs. Its octets are those of its JSON text, or of the envelope
/// line, the LF and the content.
pub trait Content: Payload {
    /// Whether it needs a binary frame of its own. [FRM-8]
    fn is_binary(&self) -> bool;
}

/// How much has been pushed, or processed, or is outstanding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Octets of push bodies, a frame counted as at most [`FRAME_OCTETS_COUNTED_MAX`].
    pub octets: u64,
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            octets: self.octets.saturating_add(other.octets),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            octets: self.octets.saturating_sub(other.octets),
        }
    }

    /// Whether earlier links can have left so much.
    pub(in crate::session) fn is_holdable(self) -> bool {
        self.messages <= WINDOW_MESSAGES && self.octets <= HELD_OCTETS_MAX
    }

    /// Whether with so much outstanding a push of so many messages may be written. [CRED-10]
    pub(in crate::session) fn admits(self, messages: u64) -> bool {
        self.messages.saturating_add(messages) <= WINDOW_MESSAGES && self.octets < WINDOW_OCTETS
    }
}

/// What the other end did against the protocol. The link is closed with 4002.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// An interval that begins above what has been received. [POS-3]
    Gap,
    /// A header whose numbers are out of order. [POS-2]
    Order,
    /// A body with another number of elements than the header says. [POS-7]
    Elements,
    /// A push beyond the window. [CRED-10]
    Window,
    /// Totals of `seen`, or its s, that fall or exceed. [CRED-16]
    Totals,
    /// A frame at a time when it may not come.
    Unexpected,
    /// A `joined` below what has been received. [ROOM-5]
    From,
    /// A `welcome` whose positions or rooms do not answer `hello`. [WELC-9] [WELC-10]
    Welcome,
    /// A loss of nothing, of something twice, of a foreign epoch, or below what has been received. [LOST-7]
    Lost,
    /// A `join` of a room while one is unanswered. [ROOM-3]
    JoinUnanswered,
}
