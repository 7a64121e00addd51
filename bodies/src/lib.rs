//! The JSON of `everwire.v1`, strictly: what header lines leave to whoever parses bodies.
//!
//! **Objects**: [`read_hello`], [`read_welcome`], [`read_lost`], [`read_goaway`], [`read_token`] and [`read_renewal`] give
//! what the machines of either end take, held against the tables of `docs/PROTOCOL.md`; the `write_` of each gives the
//! shortest spelling, so that what the tables allow fits the limits of chapter 4.
//!
//! **Arrays**: [`split`] gives the elements of a body, each with all that is to be known of it; [`envelope_line`] the one
//! of a binary frame. [`Element::judge`] is the node's look at it and [`Element::accept`] the client's;
//! [`Envelope::stamp`] writes what the node must write into it and leaves every other octet where it was.
//!
//! The octets may be anything: one pass finds whether they are JSON, without recursion and in time that grows with their
//! number (times its logarithm, for the comparison of member names); what is kept beside them is bounded by a few times
//! their length. Two verdicts are apart everywhere: a [`BodyError`] closes the link, a [`Flaw`] concerns one message. [ERR-6] [REF-6]

mod answer;
mod element;
mod elements;
mod error;
mod json;
mod objects;
mod stamp;

pub use answer::{Receipt, ReceiptState, answer, failure};
pub use element::{Element, Envelope, Flaw, Judged};
pub use elements::{element, envelope_line, join, split};
pub use error::BodyError;
pub use objects::{
    Goaway, Lost, Renewal, read_goaway, read_hello, read_lost, read_renewal, read_token, read_welcome,
    write_goaway, write_hello, write_lost, write_renewal, write_token, write_welcome,
};
pub use stamp::STAMP_BYTES_MAX;
