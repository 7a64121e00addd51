//! What the engine has settled and the client has not been told.

use std::collections::BTreeMap;

use super::settling::Ack;
use crate::engine::{RefusalCode, Refused};
use crate::frame::REFUSALS_MAX;
use crate::time::Instant;

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
