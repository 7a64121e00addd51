//! What of the machine outlives links and instances besides messages, positions and rooms: counts and the backoff.

use super::notice::Why;
use super::pace::Pace;
use crate::time::{Duration, Instant};

/// So many ends with 4002 of one kind without progress end the wire. [CLOSE-6]
pub(super) const BROKEN_MAX: u8 = 3;
/// So many links without progress upwards are reported. [CLOSE-10]
pub(super) const STALLED_LINKS: u8 = 5;
/// So many links without `welcome`, or ends with 4004, are reported. [WELC-2] [CODE-4004]
pub(super) const REPORT_AFTER: u8 = 3;

/// Where the client stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Idle,
    /// There is a link, or one is dialled.
    Linked,
    Waiting(Instant),
    Suspended,
    /// For good, and why.
    Closed(Why, u16),
}

/// What is known of tokens that were refused. [CLOSE-4]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Credential {
    /// None was.
    #[default]
    Fresh,
    /// One was refused or has expired after a `welcome`: it is not shown again at once, and does not count.
    Stale,
    /// One was refused in answer to `hello`.
    Refused,
    /// So it was, and the dial that runs shows another.
    Replaced,
}

/// Which count an end with 4002 belongs to. [CLOSE-6]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// What was pushed.
    Down = 0,
    /// Any other frame.
    Other = 1,
    /// The node has closed so.
    Node = 2,
}

/// The counts and the backoff, for the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub(super) stage: Stage,
    pub(super) pace: Pace,
    /// The next dial is for the `url` of a `goaway`.
    pub(super) redirected: bool,
    /// Ends with 4002, by [`Count`].
    pub(super) broken: [u8; 3],
    /// Links in a row with the lowest unsettled number written and no rise of the mark.
    pub(super) stalled: u8,
    pub(super) credential: Credential,
    /// The dial that runs was not waited for, because the token was refused.
    pub(super) hurried: bool,
    /// Links in a row that have opened and ended without `welcome`.
    pub(super) unwelcome: u8,
    /// 4004 in a row without `welcome`.
    pub(super) unavailable: u8,
    /// How often the time for `welcome` has doubled. [WELC-3]
    pub(super) patience: u8,
}

impl Standing {
    /// How long a `welcome` may take. [WELC-3]
    pub(super) fn welcome_time(&self) -> Duration {
        const TIME: Duration = Duration::from_secs(20);
        const TIME_MAX: Duration = Duration::from_secs(120);
        TIME.times(1 << self.patience.min(3)).min(TIME_MAX)
    }

    /// Counts an end with 4002; answers how many there have been.
    pub(super) fn count_broken(&mut self, count: Count) -> u8 {
        let counter = &mut self.broken[count as usize];
        *counter = counter.saturating_add(1);
        *counter
    }

    /// Whether progress would change anything. [CLOSE-7]
    pub(super) fn hears_of_received(&self) -> bool {
        self.broken[Count::Down as usize] > 0 || self.broken[Count::Node as usize] > 0
    }

    /// `received` has risen. [CLOSE-6]
    pub(super) fn received_rose(&mut self) {
        self.broken[Count::Down as usize] = 0;
        self.broken[Count::Node as usize] = 0;
    }

    /// Whether a risen mark would change anything.
    pub(super) fn hears_of_mark(&self) -> bool {
        self.stalled > 0 || self.broken[Count::Other as usize] > 0 || self.broken[Count::Node as usize] > 0
    }

    /// The mark has risen. [CLOSE-6] [CLOSE-10]
    pub(super) fn mark_rose(&mut self) {
        self.broken[Count::Other as usize] = 0;
        self.broken[Count::Node as usize] = 0;
        self.stalled = 0;
    }
}
