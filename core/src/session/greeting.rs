//! `hello` and `welcome` whole, as their bodies are read. Chapter 5 of `docs/PROTOCOL.md`.
//!
//! Whoever parses the JSON makes these; what the tables say of ranges and of members together is checked here, once for
//! every parser. What needs the state of an end is checked by the machines.

use std::collections::BTreeSet;

use super::down::{Amount, Loss, Place, ROOMS_MAX};
use super::up::Producing;
use super::{Broken, Secret};
use crate::engine::{LogEpoch, Producer, RefusalCode, Subject};
use crate::frame::{CODE_BYTES_MAX, GRANT_BYTES_MAX, NUMBER_MAX, REFUSALS_MAX, ROOM_BYTES_MAX, Room};
use crate::frame::{MESSAGE_BYTES_LEAST, MESSAGE_BYTES_MOST};

/// Octets of a token. [LIM-15]
pub const TOKEN_BYTES_MAX: usize = 16_384;
/// Names of features of one end. [LIM-18]
pub const FEATURES_MAX: usize = 32;
/// Requests without an answer. [LIM-12]
pub const REQUESTS_MAX: usize = 256;
/// Characters of a log epoch's name. The table of `hello`.
pub const EPOCH_BYTES_MAX: usize = 64;

/// A room of `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wished {
    /// The room. It may be no subject: that is answered by `denied`. [FRM-11]
    pub room: Subject,
    /// `None`: from now on.
    pub from: Option<u64>,
    /// What was given with `from`.
    pub grant: Option<Secret>,
}

/// The body of `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The credential.
    pub token: Option<Secret>,
    /// The producer in use.
    pub producer: Producer,
    /// The spare.
    pub successor: Option<Producer>,
    /// This link's number.
    pub link: u64,
    /// The lowest number that has not exited.
    pub oldest: u64,
    /// The highest number given.
    pub written: u64,
    /// Which life of the producer's record this client knows.
    pub born: Option<u64>,
    /// The log in which the positions were given.
    pub epoch: Option<LogEpoch>,
    /// What was received.
    pub position: Option<u64>,
    /// The rooms.
    pub rooms: Vec<Wished>,
    /// Requests without an answer.
    pub pending: Vec<u64>,
    /// What earlier links have pushed and the application has not processed.
    pub held: Amount,
    /// Whether a page is being looked at.
    pub visible: bool,
    /// Extensions that the client would use.
    pub features: Vec<Box<str>>,
}

/// What a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one message. [LIM-2]
    pub message: u32,
    /// Rooms of one link besides the client's own subject. [LIM-11]
    pub rooms: u16,
}

/// The body of `welcome`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The client's authenticated name, and its own subject.
    pub identity: Subject,
    /// Which of the two producers is in force.
    pub producing: Producing,
    /// The link whose claim made its record.
    pub born: u64,
    /// The highest number that is settled.
    pub mark: u64,
    /// Every refused number from `oldest` to `mark`.
    pub refused: Vec<(u64, RefusalCode)>,
    /// The highest number that may be written.
    pub credit: u64,
    /// The log.
    pub epoch: LogEpoch,
    /// Where pushes begin.
    pub position: u64,
    /// The whole filter in force.
    pub rooms: Vec<Place>,
    /// What of `hello` is not in it.
    pub denied: Vec<(Subject, Box<str>)>,
    /// What is gone.
    pub lost: Option<Loss>,
    /// Whether a stored message survives a crash of the server.
    pub durable: bool,
    /// The node pings after so much silence, in milliseconds; as it was written. [NUM-4]
    pub heartbeat: u64,
    /// The reconnect window, in milliseconds; 0: none; as it was written. [NUM-4]
    pub window: u64,
    /// What the server takes.
    pub limits: Limits,
    /// When the credential must have been renewed, in milliseconds from now.
    pub expires: Option<u64>,
    /// The node's clock, in milliseconds since 1970, for display only.
    pub time: u64,
    /// Extensions in use on this link.
    pub features: Vec<Box<str>>,
}

fn is_code(text: &str) -> bool {
    let code = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    (1..=CODE_BYTES_MAX).contains(&text.len()) && text.bytes().all(code)
}

fn is_unreserved(text: &str, bytes_max: usize) -> bool {
    let unreserved = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(unreserved)
}

fn are_features(features: &[Box<str>]) -> bool {
    features.len() <= FEATURES_MAX && features.iter().all(|feature| is_code(feature))
}

/// Whether this can be a token. [LIM-15]
pub fn is_token(text: &str) -> bool {
    (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic())
}

fn ascending(numbers: impl IntoIterator<Item = u64>, from: u64, upto: u64) -> bool {
    let mut least = from;
    numbers.into_iter().all(|n| {
        let fits = n >= least && n <= upto;
        least = n.saturating_add(1);
        fits
    })
}

fn hold(holds: bool, clause: &'static str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { clause }) }
}

impl Hello {
    /// Holds the members against the table, each and together. [ERR-11]
    pub fn check(&self) -> Result<(), Broken> {
        hold(self.token.as_ref().is_none_or(|token| is_token(token.reveal())), "LIM-15")?;
        hold((1..=NUMBER_MAX).contains(&self.link), "ERR-11")?;
        hold(self.written < NUMBER_MAX, "ERR-11")?;
        hold(self.oldest >= 1 && self.oldest <= self.written + 1, "ERR-11")?;
        hold(self.successor != Some(self.producer), "ERR-11")?;
        hold(self.successor.is_some() == (self.written > 0), "ERR-11")?;
        hold(self.born.is_some() == (self.written > 0), "ERR-11")?;
        hold(self.born.is_none_or(|born| born >= 1 && born < self.link), "ERR-11")?;
        hold(
            self.epoch.as_ref().is_none_or(|epoch| is_unreserved(epoch.as_str(), EPOCH_BYTES_MAX)),
            "ERR-11",
        )?;
        hold(self.position.is_some() == self.epoch.is_some(), "ERR-11")?;
        hold(self.position.is_none_or(|position| position <= NUMBER_MAX), "NUM-1")?;
        let bare = self.written == 0 && self.rooms.iter().all(|room| room.from.is_none());
        hold(self.epoch.is_some() || bare, "HELLO-7")?;
        let rooms: BTreeSet<_> = self.rooms.iter().map(|wished| &wished.room).collect();
        hold(self.rooms.len() <= ROOMS_MAX + 1 && rooms.len() == self.rooms.len(), "ERR-11")?;
        // What is no subject is answered by a denial, unless no header line could hold it. It keeps `welcome` short, too.
        let nameable = |wished: &Wished| Room::encoded_bytes(wished.room.as_str()) <= ROOM_BYTES_MAX;
        hold(self.rooms.iter().all(nameable), "FRM-11")?;
        hold(self.rooms.iter().all(|wished| wished.from.is_none_or(|from| from <= NUMBER_MAX)), "NUM-1")?;
        let grants = self.rooms.iter().filter_map(|wished| wished.grant.as_ref());
        hold(grants.map(Secret::reveal).all(|grant| is_unreserved(grant, GRANT_BYTES_MAX)), "ERR-11")?;
        hold(self.pending.len() <= REQUESTS_MAX, "LIM-12")?;
        hold(ascending(self.pending.iter().copied(), 1, self.written), "ERR-11")?;
        hold(self.held.is_holdable(), "ERR-11")?;
        hold(are_features(&self.features), "LIM-18")
    }
}

impl Welcome {
    /// Holds the members against the table, each and together; what depends on the `hello` that it answers is the
    /// client's to check. [WELC-2]
    pub fn check(&self) -> Result<(), Broken> {
        let subject = |subject: &Subject| Room::encode(subject.as_str()).is_some();
        hold(subject(&self.identity) && !self.identity.as_str().starts_with('_'), "WELC-2")?;
        hold((1..=NUMBER_MAX).contains(&self.born), "WELC-2")?;
        hold(self.mark < NUMBER_MAX && self.credit <= NUMBER_MAX && self.credit >= self.mark, "CRED-2")?;
        hold(self.refused.len() <= REFUSALS_MAX, "LIM-10")?;
        hold(ascending(self.refused.iter().map(|(n, _)| *n), 1, self.mark), "WELC-2")?;
        hold(self.refused.iter().all(|(_, code)| is_code(code.as_str())), "WELC-2")?;
        hold(is_unreserved(self.epoch.as_str(), EPOCH_BYTES_MAX), "WELC-2")?;
        hold(self.position <= NUMBER_MAX, "NUM-1")?;
        hold(self.rooms.len() <= ROOMS_MAX + 1 && self.denied.len() <= ROOMS_MAX + 1, "WELC-2")?;
        hold(self.rooms.iter().all(|place| place.from <= NUMBER_MAX && subject(&place.subject)), "WELC-2")?;
        let grants = self.rooms.iter().filter_map(|place| place.grant.as_ref());
        hold(grants.map(Secret::reveal).all(|grant| is_unreserved(grant, GRANT_BYTES_MAX)), "WELC-2")?;
        hold(self.denied.iter().all(|(_, code)| is_code(code)), "WELC-2")?;
        let message = u64::from(self.limits.message);
        hold((MESSAGE_BYTES_LEAST..=MESSAGE_BYTES_MOST).contains(&message), "LIM-2")?;
        hold((1..=ROOMS_MAX).contains(&usize::from(self.limits.rooms)), "LIM-11")?;
        let numbers = [self.heartbeat, self.window, self.expires.unwrap_or(0), self.time];
        hold(numbers.iter().all(|number| *number <= NUMBER_MAX), "NUM-1")?;
        hold(are_features(&self.features), "LIM-18")
    }
}
