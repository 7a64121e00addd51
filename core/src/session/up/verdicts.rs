//! What the engine has settled and the client has not been told.

use std::collections::BTreeMap;

use crate::engine::{RefusalCode, Refused};
use crate::frame::{Code, FromServer, REFUSALS_MAX, Refusals};
use crate::time::Instant;

/// What stands for a hook's code that is spelled against the grammar. [REF-8]
pub(super) const FAILED: &str = "failed";

/// An `ack` to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Everything up to here is settled.
    pub n: u64,
    /// The highest number that the client may write.
    pub credit: u64,
    /// Every number refused since the last `ack`.
    pub refused: Vec<Refused>,
}

impl Ack {
    /// Appends the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let refused: Vec<_> =
            self.refused.iter().filter_map(|(n, code)| Some((*n, spelled(code)?))).collect();
        FromServer::Ack { n: self.n, credit: self.credit, refused: Refusals::new(&refused) }.write(out);
    }
}

/// `Settling::judge` lets no code into the engine that is misspelled; a number left out would be a false receipt.
fn spelled(code: &RefusalCode) -> Option<Code<'_>> {
    Code::new(code.as_str().as_bytes()).or(Code::new(FAILED.as_bytes())).ok()
}

/// The verdicts behind the last `ack`. Nothing gets in here but by an answer of the engine. [ACK-1] [NODE-5]
#[derive(Clone, Debug)]
pub(super) struct Verdicts {
    /// The last `ack`'s n, or `welcome.mark`.
    pub(super) acked: u64,
    /// The mark as last answered.
    pub(super) mark: u64,
    /// The first number that waits for its `ack` was settled then.
    pub(super) since: Option<Instant>,
    /// The octets of the numbers behind `acked`.
    pub(super) bytes: u64,
    refused: BTreeMap<u64, RefusalCode>,
}

impl Verdicts {
    pub(super) fn new(mark: u64) -> Self {
        Self { acked: mark, mark, since: None, bytes: 0, refused: BTreeMap::new() }
    }

    pub(super) fn settle(&mut self, mark: u64, bytes: u64, now: Instant) {
        if mark > self.mark {
            self.mark = mark;
            self.bytes += bytes;
            self.since.get_or_insert(now);
        }
    }

    /// Notes refusals, of which those are of interest that this link has not told.
    pub(super) fn refuse(&mut self, refused: impl IntoIterator<Item = Refused>) {
        self.refused.extend(refused.into_iter().filter(|(n, _)| *n > self.acked));
    }

    /// The numbers that the next `ack` may tell: up to the 256th refused one. [ACK-4]
    pub(super) fn next(&self) -> u64 {
        self.refused.keys().nth(REFUSALS_MAX - 1).copied().unwrap_or(self.mark).min(self.mark)
    }

    /// Takes what the next `ack` tells: up to `n`, whose numbers have so many octets together.
    pub(super) fn tell(&mut self, n: u64, bytes: u64, credit: u64, now: Instant) -> Ack {
        let later = self.refused.split_off(&(n + 1));
        let refused = core::mem::replace(&mut self.refused, later).into_iter().collect();
        self.acked = n;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.since = (self.mark > n).then_some(now);
        Ack { n, credit, refused }
    }
}
