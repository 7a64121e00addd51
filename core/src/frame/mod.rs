//! The frames of `everwire.v1`: header lines to fields and back. `docs/PROTOCOL.md` §3 is the grammar.
//!
//! Only the header line is read here, never a body: [`split`] says where the line ends and what follows it, and
//! [`FromClient::parse`] and [`FromServer::parse`] hold line and lengths against the specification. Everything that can
//! be decided from one frame alone is: spelling, ranges, order within the line, presence and length of the body. What
//! needs the state of a link (gaps, credit, what is unanswered) or a JSON parser (the elements of a body) is left to
//! those who have them; [`Payload`] says what the header promised.
//!
//! **A frame is accepted if and only if writing its fields gives back the same header line.** There is one spelling of
//! everything, so equal rooms are equal strings and both ends agree on every octet.

mod error;
mod field;
mod header;
mod parse;
mod write;

pub use error::{End, FrameError};
pub use field::{Code, Grant, Numbers, PageMark, Refusals, Room, Wait, Window, is_subject};
pub use header::{FromClient, FromServer, Payload};
pub use parse::{Body, Form, Frame, Shape, split};

/// The highest number there is: both JSON and a JavaScript number hold every integer up to it exactly. [NUM-1]
pub const NUMBER_MAX: u64 = (1 << 53) - 1;
/// Octets of a header line without its LF. 1,024 numbers of 16 digits take 17,408. [LIM-1]
pub const HEADER_BYTES_MAX: usize = 32_768;
/// Octets of one message if the server says nothing else: larger files do not travel as messages. [LIM-2]
pub const MESSAGE_BYTES_DEFAULT: u64 = 1 << 20;
/// The least that a server may set for one message. [LIM-2]
pub const MESSAGE_BYTES_LEAST: u64 = 1 << 10;
/// The most that a server may set for one message. [LIM-2]
pub const MESSAGE_BYTES_MOST: u64 = 64 << 20;
/// Octets of the body of a text frame with several messages: a longer frame would keep pings waiting. [LIM-4]
pub const BATCH_BYTES_MAX: u64 = 65_536;
/// Octets at which a writer here ends such a body. With its header line the frame is then below 65,536 octets, up to which
/// Chromium hands a frame between its network process and a page in one piece (`kSmallMessageThreshhold` in its
/// `services/network/websocket.cc`): one that is a little longer takes a third more time a message.
pub const BATCH_BYTES_FILLED: u64 = 57_344;
/// Messages in one frame: keeps the header line within its limit. [LIM-5]
pub const BATCH_MESSAGES_MAX: usize = 1024;
/// Messages in one `page` frame, and messages asked for in one page. [LIM-5] [LIM-14]
pub const PAGE_MESSAGES_MAX: usize = 256;
/// Octets of a `hello` frame: what a stranger may make a node hold, and as much as its table allows. [LIM-6]
pub const HELLO_BYTES_MAX: u64 = 262_144;
/// Octets of a `welcome` frame: 257 rooms with grants and 256 refusals fit twice. [LIM-7]
pub const WELCOME_BYTES_MAX: u64 = 262_144;
/// Refused numbers in one `ack`, as many as an engine keeps. [LIM-10] [ACK-4]
pub const REFUSALS_MAX: usize = 256;
/// Octets of the body of `goaway` and `auth`. [LIM-17]
pub const OBJECT_BYTES_MAX: u64 = 65_536;
/// Octets of the body of `lost`: 257 subjects of 128 octets, escaped. [LIM-17]
pub const LOST_BYTES_MAX: u64 = 131_072;
/// Octets of a subject, before percent-encoding. [FRM-11]
pub const SUBJECT_BYTES_MAX: usize = 128;
/// Octets of a room in a header line: a subject with every octet encoded. A longer one could not be echoed in `denied`.
pub const ROOM_BYTES_MAX: usize = 3 * SUBJECT_BYTES_MAX;
/// Octets of a code. The grammar's rule `code`.
pub const CODE_BYTES_MAX: usize = 32;
/// Octets of a grant. The grammar's rule `grant`.
pub const GRANT_BYTES_MAX: usize = 128;
/// The longest time that a `goaway` can ask for, in milliseconds; a longer one is cut to it. [AWAY-1]
pub const WAIT_MS_MAX: u32 = 600_000;
/// The shortest window of a `goaway`, in milliseconds: with a shorter one everybody would be back at once. [AWAY-1]
pub const WINDOW_MS_MIN: u32 = 1_000;

/// Octets of a frame where messages may have `message_bytes_max`. `hello`, `welcome` and `lost`
/// have limits of their own. [LIM-3]
pub const fn frame_bytes_max(message_bytes_max: u64) -> u64 {
    let content = if message_bytes_max > BATCH_BYTES_MAX { message_bytes_max } else { BATCH_BYTES_MAX };
    content.saturating_add(HEADER_BYTES_MAX as u64)
}
