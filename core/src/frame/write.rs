//! Frames to octets.

use super::field::Room;
use super::header::{FromClient, FromServer, Payload};

impl FromClient<'_> {
    /// Appends the header line, and its LF if a body follows, which the caller appends then.
    pub fn write(&self, out: &mut Vec<u8>) {
        debug_assert!(self.check().is_ok(), "a frame that no node would take");
        let mut line = Line(out);
        match *self {
            Self::Hello => line.verb("hello"),
            Self::Send { n, count, oldest } => line.numbers("send", &[n, u64::from(count), oldest]),
            Self::Seen { s, count, bytes } => line.numbers("seen", &[s, count, bytes]),
            Self::Join { room } => line.room("join", room),
            Self::Leave { room } => line.room("leave", room),
            Self::Page { id, room, before, count } => {
                line.numbers("page", &[id]);
                line.word(room.as_str());
                line.number(before);
                line.number(u64::from(count));
            }
            Self::Cast => line.verb("cast"),
            Self::Ping { x } => line.numbers("ping", &[x]),
            Self::Pong { x } => line.numbers("pong", &[x]),
            Self::More { bytes } => line.numbers("more", &[bytes]),
            Self::Auth => line.verb("auth"),
            Self::Vis { visible } => line.numbers("vis", &[u64::from(visible)]),
            Self::Bye { s } => line.numbers("bye", &[s]),
        }
        line.end(self.payload());
    }
}

impl FromServer<'_> {
    /// Appends the header line, and its LF if a body follows, which the caller appends then.
    pub fn write(&self, out: &mut Vec<u8>) {
        debug_assert!(self.check().is_ok(), "a frame that no client would take");
        let mut line = Line(out);
        match *self {
            Self::Welcome => line.verb("welcome"),
            Self::Ack { n, credit, refused } => {
                line.numbers("ack", &[n, credit]);
                for (refused, code) in refused.iter() {
                    line.number(refused);
                    line.verb(":");
                    line.verb(code.as_str());
                }
            }
            Self::Push { after, upto, numbers } => {
                line.numbers("push", &[after, upto]);
                numbers.iter().for_each(|s| line.number(s));
            }
            Self::Advance { after, upto } => line.numbers("advance", &[after, upto]),
            Self::Joined { room, from, grant } => {
                line.room("joined", room);
                line.number(from);
                if let Some(grant) = grant {
                    line.word(grant.as_str());
                }
            }
            Self::Denied { room, code } => {
                line.room("denied", room);
                line.word(code.as_str());
            }
            Self::Page { id, mark, numbers } => {
                line.numbers("page", &[id]);
                line.word(mark.as_str());
                numbers.iter().for_each(|s| line.number(s));
            }
            Self::PageRefused { id, code } => {
                line.numbers("page", &[id]);
                line.word("!");
                line.verb(code.as_str());
            }
            Self::Reply { n } => line.numbers("reply", &[n]),
            Self::Cast => line.verb("cast"),
            Self::Ping { x } => line.numbers("ping", &[x]),
            Self::Pong { x } => line.numbers("pong", &[x]),
            Self::More { bytes } => line.numbers("more", &[bytes]),
            Self::Auth => line.verb("auth"),
            Self::Goaway { leave_in, window } => line.numbers("goaway", &[leave_in.0, window.0]),
            Self::Lost => line.verb("lost"),
        }
        line.end(self.payload());
    }
}

struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    fn verb(&mut self, verb: &str) {
        self.0.extend_from_slice(verb.as_bytes());
    }

    fn word(&mut self, word: &str) {
        self.0.push(b' ');
        self.verb(word);
    }

    fn room(&mut self, verb: &str, room: Room<'_>) {
        self.verb(verb);
        self.word(room.as_str());
    }

    fn numbers(&mut self, verb: &str, numbers: &[u64]) {
        self.verb(verb);
        numbers.iter().for_each(|number| self.number(*number));
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut many = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            many += 1;
            if number == 0 {
                break;
            }
        }
        self.0.push(b' ');
        self.0.extend_from_slice(digits.get(20 - many..).unwrap_or_default());
    }

    fn end(&mut self, payload: Payload) {
        if payload != Payload::None {
            self.0.push(b'\n');
        }
    }
}
