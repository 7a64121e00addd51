//! Frames that no right peer writes. Every one of them must end its link and nothing else.

use super::packet::{Down, DownBody, Packet, Up, UpBody};
use super::plan::Draws;
use everwire_core::Random;

const UP: &[&str] = &[
    "",
    "sned 1 1 1",
    "send 0 0 1",
    "send 9007199254740990 0 1",
    "send 1 0 9007199254740991",
    "send 1 1 1 1",
    "send 01 0 1",
    "seen 9007199254740991 0 0",
    "seen 0 9007199254740991 0",
    "seen 0 0 9007199254740991",
    "seen -1 0 0",
    "join room%2",
    "page 1 room_0 5 0",
    "page 1 room_0 5 257",
    "pong",
    "ping 9007199254740992",
    "more 16384",
    "vis 2",
    "ack 1 1",
    "push 0 1 1",
    "bye 9007199254740991",
    "hello",
];

const DOWN: &[&str] = &[
    "",
    "akc 1 1",
    "ack 9007199254740991 9007199254740991",
    "ack 9007199254740990 1",
    "ack 0 0 0:x",
    "push 9007199254740000 9007199254740001 9007199254740001",
    "push 9 5 7",
    "push 0 5 7",
    "advance 9007199254740000 9007199254740001",
    "advance 2 1",
    "joined nowhere 9007199254740991",
    "denied nowhere forbidden",
    "page 77 end",
    "reply",
    "send 1 0 1",
    "more 16384",
    "ping 1 2",
    "welcome",
    "lost",
    "goaway 1",
];

/// One that comes up.
pub(super) fn up(pick: u8, salt: u64) -> Up {
    let line = UP[usize::from(pick) % UP.len()];
    frame(line, salt, UpBody::Unreadable)
}

/// One that comes down.
pub(super) fn down(pick: u8, salt: u64) -> Down {
    let line = DOWN[usize::from(pick) % DOWN.len()];
    frame(line, salt, DownBody::Unreadable)
}

fn frame<B>(line: &str, salt: u64, body: B) -> Packet<B> {
    let bodied = ["send", "hello", "push", "page 77", "reply", "welcome", "lost", "goaway"];
    if bodied.iter().any(|verb| line.starts_with(verb)) {
        // A body that cannot be read, whatever the line says.
        let octets = 2 + Random::new(salt).below(40);
        return Packet::with_body(line.as_bytes().to_vec(), octets, false, body);
    }
    Packet::bare(line.as_bytes().to_vec(), body)
}
