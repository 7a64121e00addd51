//! JSON (RFC 8259), read where it stands and written in the shortest spelling.
//!
//! A parser of our own, because the protocol asks what the common ones do not tell: whether a value that breaks one of its
//! rules is complete JSON all the same ([REF-6] against [ERR-6]), whether a name is repeated at any depth, and where in
//! the octets a member stands, so that a node can write `sender` and leave the rest alone.

mod names;
mod number;
mod raw;
mod scan;
mod text;
mod write;

pub(crate) use names::{NESTING_MAX, Names};
pub(crate) use number::{Integer, is_finite};
pub(crate) use raw::{Items, Member, Raw, document};
pub(crate) use scan::{NotJson, Scanner, Token, Visit};
pub(crate) use text::Text;
pub(crate) use write::{Object, escaped, list, number, text};
