//! Upwards: from the application's hands into the log. Chapters 6 and 7 of `docs/PROTOCOL.md`.
//!
//! [`Sending`] is the client's side: it gives the numbers, follows each message until its exit and sends again what
//! was not settled. [`Settling`] is the node's, for one link: it holds each `send` against what the link has carried,
//! turns it into engine calls and their answers into `ack`s.

mod greeting;
mod issued;
mod link;
mod message;
mod record;
mod room;
mod sending;
mod settling;
mod submitting;
mod verdicts;
mod waiting;

pub use greeting::{Hello, NotWelcome, Producing, Welcome};
pub use message::{Dropped, Exit, Exited, Outgoing, REQUEST_TIME, REQUEST_TIME_MAX, Unwritten};
pub use record::{NotARecord, Numbered, Record};
pub use sending::{Gate, LinkEnd, Sending, Written};
pub use settling::{Ended, Judgement, Settling};
pub use verdicts::Ack;
pub use waiting::Waiting;

use crate::time::Duration;

/// How many numbers may be unacknowledged on a link: a round trip of 200 ms at 160,000 messages a second. [LIM-8]
pub const WINDOW_MESSAGES_MAX: u64 = 32_768;
/// Below so many unacknowledged octets another message may begin. It bounds a node's memory together with the longest
/// message, and is the product of bandwidth and delay of 160 Mbit/s and 200 ms. [LIM-9] [CRED-5]
pub const WINDOW_BYTES_MAX: u64 = 4 << 20;
/// So many settled numbers are told at once, or so many octets: an eighth of a window, so that a client gets its receipts
/// and its room little by little. [ACK-7]
pub const ACK_MESSAGES: u64 = 4096;
/// See [`ACK_MESSAGES`].
pub const ACK_BYTES: u64 = 524_288;
/// Room of less than this fraction of what is out, and of less than a full frame, waits for more room.
const SCRAP: u64 = 32;
/// So many exited refusals are let go at once: half of what the engine keeps, so that the other half still finds room
/// while the release is on its way. [SEND-14]
pub const UNRELEASED_MAX: u64 = 128;
/// How long fewer exited refusals may wait for the next `send` to take their release along. [SEND-14]
pub const RELEASE_DELAY: Duration = Duration::from_secs(1);
/// A frame that may have ended a link with 1006 is longer than this: shorter ones pass everywhere. [REF-9]
pub const LONG_FRAME_BYTES: u64 = 65_536;
/// So many links in a row that broke under a long frame are its doing. [REF-9]
pub const LONG_FRAME_LINKS: u8 = 3;
/// While a message is tried alone, another frame may have so many octets at most, so that a 1009 is the message's own.
/// [REF-9]
pub const ALONE_FRAME_BYTES_MAX: u64 = 1024;
/// How long a settled number may wait for its `ack`. [ACK-7]
pub const ACK_DELAY: Duration = Duration::from_millis(10);
/// How long an engine is left alone that was full or did not answer. It has room again by a release, which does not
/// wait, or by the age of what it holds, which is a matter of seconds. [SEND-22]
pub const RETRY_DELAY: Duration = Duration::from_millis(250);
/// How long a call is repeated whose outcome is not known. [SEND-22]
pub const UNANSWERED_MAX: Duration = Duration::from_secs(60);
/// After so much quiet a record is refreshed, well before an hour unused would make it one that may go. [NODE-11]
pub const REFRESH_DELAY: Duration = Duration::from_secs(20 * 60);
