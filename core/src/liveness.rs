//! Whether the link is alive: heartbeats, the answers expected to them, and the verdict.

use crate::rtt::Rtt;
use crate::time::{Duration, Instant};

/// A probe for a reason other than the clock (back online, woken) at most this often.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// No deadline for an answer is longer than this, however often a verdict was wrong.
const REPLY_MAX: Duration = Duration::from_secs(60);
/// A timer that fires so much later than it was due says more about this machine than about the link.
const LATE: Duration = Duration::from_secs(1);
/// What is written and unconfirmed may stand in front of the heartbeat on a link of this many bytes a second.
const RATE_ASSUMED: u64 = 16_000;
/// So many answers in a row make a server one that answers.
const LEARN_AFTER: u8 = 3;
/// So many verdicts in a row that rest on a missing answer alone make it one that does not.
const UNLEARN_AFTER: u8 = 2;

/// Whether the server answers heartbeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpectReply {
    /// It never does: a silent link is never given up for silence.
    No,
    /// It always does.
    Yes,
    /// Find out.
    #[default]
    Learn,
}

/// How the link is watched.
#[derive(Clone, Copy, Debug)]
pub struct LivenessConfig {
    /// The time between heartbeats; zero sends none.
    pub interval: Duration,
    /// Whether answers are expected.
    pub expect_reply: ExpectReply,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), expect_reply: ExpectReply::Learn }
    }
}

/// What a frame meant for the liveness of its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A sign of life.
    Life,
    /// The answer to a heartbeat: the server has read what was written before it, so many messages in all.
    Answer(u64),
}

/// What an overdue answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// This machine was late, not the server: ask again.
    AskAgain,
    /// The link is dead.
    Dead {
        /// The server is no longer expected to answer.
        unlearned: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    at: Instant,
    /// How many messages had been written before it. Not a time: the clock may stand still between two writes.
    written: u64,
    deadline: Instant,
    /// Nothing has been heard since.
    unheard: bool,
}

/// The state that belongs to one link, and what has been learned over many.
#[derive(Clone, Debug)]
pub(crate) struct Liveness {
    config: LivenessConfig,
    pub(crate) rtt: Rtt,
    last_out: Instant,
    last_in: Instant,
    last_beat: Instant,
    beat: Option<Beat>,
    /// Answers in a row that were the first frame after the beat, and in time.
    answers: u8,
    learned: bool,
    /// Verdicts since the last answer; each doubles the deadline.
    verdicts: u8,
}

impl Liveness {
    pub(crate) fn new(config: LivenessConfig) -> Self {
        Self {
            config,
            rtt: Rtt::default(),
            last_out: Instant::default(),
            last_in: Instant::default(),
            last_beat: Instant::default(),
            beat: None,
            answers: 0,
            learned: false,
            verdicts: 0,
        }
    }

    /// A new link has opened.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.last_out = now;
        self.last_in = now;
        self.last_beat = now;
        self.beat = None;
        self.answers = 0;
    }

    fn expects(&self) -> bool {
        match self.config.expect_reply {
            ExpectReply::No => false,
            ExpectReply::Yes => true,
            ExpectReply::Learn => self.learned,
        }
    }

    /// When the next heartbeat is due: one interval after the last frame out or in, whichever is older, and never
    /// within one interval of the last heartbeat. `None`: none is wanted, or the answer to the last is still awaited,
    /// for the clock of a question starts once.
    pub(crate) fn beat_due(&self) -> Option<Instant> {
        let interval = self.config.interval;
        (interval > Duration::ZERO && self.reply_due().is_none())
            .then(|| (self.last_out.min(self.last_in) + interval).max(self.last_beat + interval))
    }

    /// When the answer is overdue, if one is expected.
    pub(crate) fn reply_due(&self) -> Option<Instant> {
        self.beat.filter(|_| self.expects()).map(|beat| beat.deadline)
    }

    /// Whether a probe that no clock asked for would tell anything, and is not one too many.
    pub(crate) fn may_probe(&self, now: Instant) -> bool {
        self.expects() && self.beat.is_none() && now.since(self.last_beat) >= PROBE_EVERY
    }

    fn patience(&self, unconfirmed_bytes: u64) -> Duration {
        let drain = Duration::from_micros(unconfirmed_bytes.saturating_mul(1_000_000) / RATE_ASSUMED);
        let doubled = self.rtt.deadline().times(1 << self.verdicts.min(6));
        (doubled + drain).min(REPLY_MAX)
    }

    /// A message was written.
    pub(crate) fn wrote(&mut self, now: Instant) {
        self.last_out = now;
    }

    /// A heartbeat was written behind so many messages, and so many bytes of which nothing has been confirmed.
    pub(crate) fn beat(&mut self, written: u64, unconfirmed_bytes: u64, now: Instant) {
        if self.beat.is_some() {
            // The one before was never answered.
            self.answers = 0;
        }
        self.last_out = now;
        self.last_beat = now;
        let deadline = now + self.patience(unconfirmed_bytes);
        self.beat = Some(Beat { at: now, written, deadline, unheard: true });
    }

    /// A frame came in.
    pub(crate) fn heard(&mut self, is_heartbeat: bool, unconfirmed_bytes: u64, now: Instant) -> Heard {
        self.last_in = now;
        let patience = self.patience(unconfirmed_bytes);
        let Some(beat) = &mut self.beat else { return Heard::Life };
        if !is_heartbeat {
            // A big message may stand in front of the answer: every frame restarts the clock.
            beat.unheard = false;
            beat.deadline = beat.deadline.max(now + patience);
            return Heard::Life;
        }
        let beat = *beat;
        self.beat = None;
        self.verdicts = 0;
        if beat.unheard && now <= beat.deadline {
            self.rtt.sample(now.since(beat.at));
            self.answers = self.answers.saturating_add(1);
            self.learned |= self.answers >= LEARN_AFTER;
        } else {
            self.answers = 0;
        }
        Heard::Answer(beat.written)
    }

    /// The answer is overdue since `due`.
    pub(crate) fn overdue(&mut self, due: Instant, now: Instant) -> Overdue {
        if now.since(due) > LATE {
            return Overdue::AskAgain;
        }
        self.beat = None;
        self.verdicts = self.verdicts.saturating_add(1);
        let unlearned = self.config.expect_reply == ExpectReply::Learn && self.verdicts >= UNLEARN_AFTER;
        if unlearned {
            self.learned = false;
            self.answers = 0;
            self.verdicts = 0;
        }
        Overdue::Dead { unlearned }
    }
}
