//! Whether the link is alive: heartbeats, the answers expected to them, and the verdict.

use crate::pipe::{FLIGHT_MIN, Pipe};
use crate::rhythm::Rhythm;
use crate::rtt::Rtt;
use crate::time::{Duration, Instant};

/// A probe at most this often: each costs a frame, and where only answers settle messages a busy link is always suspect. With
/// the deadline of an answer behind it, a link that goes silent while messages are sent is replaced within 3.5 s; at 5 s between
/// two probes it took up to 6.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// No deadline for an answer is longer than this, however often a verdict was wrong, and whatever else comes meanwhile: a link
/// can bring what others say and no longer take anything.
const REPLY_MAX: Duration = Duration::from_secs(60);
/// A timer that fires so much later than it was due says more about this machine than about the link.
pub(crate) const LATE: Duration = Duration::from_secs(1);
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
    /// The answer to a heartbeat: the server has read what was written before it, so many messages and bytes in all.
    Answer {
        /// Over the life of the wire.
        messages: u64,
        /// On this link.
        bytes: u64,
    },
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
    messages: u64,
    bytes: u64,
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
    last_probe: Option<Instant>,
    beat: Option<Beat>,
    /// A late timer has excused the link once since it was heard.
    excused: bool,
    pipe: Pipe,
    rhythm: Rhythm,
    /// When so much was last under way that it may have been a queue.
    queued_at: Instant,
    /// When an own message that came back last told the round trip: one that was under way with it tells nothing new.
    told_at: Instant,
    /// Answers in a row that were the first frame after the beat, and in time.
    answers: u8,
    learned: bool,
    /// Verdicts since the last answer: what unlearns. An own message that comes back does not count, or a server that
    /// sends those back and never answers would cost links for ever.
    verdicts: u8,
    /// Verdicts since anything was confirmed; each doubles the deadline.
    doublings: u8,
}

impl Liveness {
    pub(crate) fn new(config: LivenessConfig) -> Self {
        Self {
            config,
            rtt: Rtt::default(),
            last_out: Instant::default(),
            last_in: Instant::default(),
            last_beat: Instant::default(),
            last_probe: None,
            beat: None,
            excused: false,
            pipe: Pipe::default(),
            rhythm: Rhythm::default(),
            queued_at: Instant::default(),
            told_at: Instant::default(),
            answers: 0,
            learned: false,
            verdicts: 0,
            doublings: 0,
        }
    }

    /// A new link has opened.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.last_out = now;
        self.last_in = now;
        self.last_beat = now;
        self.last_probe = None;
        self.beat = None;
        self.excused = false;
        self.pipe.begin();
        self.rhythm.forget();
        self.queued_at = now;
        self.told_at = now;
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

    /// When something suspicious may be asked about: a question that is under way answers every suspicion.
    #[inline(never)] // smaller: asked for in several places
    fn probe_due(&self, suspicious: Instant) -> Option<Instant> {
        let next = self.last_probe.map_or(suspicious, |last| suspicious.max(last + PROBE_EVERY));
        (self.expects() && self.beat.is_none()).then_some(next)
    }

    /// When the oldest unsettled message, written at `oldest`, has waited for longer than a round trip explains.
    pub(crate) fn unsettled_due(&self, oldest: Option<Instant>) -> Option<Instant> {
        self.probe_due(oldest? + self.rtt.suspicion())
    }

    /// When steady inbound traffic has been silent for too long.
    pub(crate) fn quiet_due(&self) -> Option<Instant> {
        self.probe_due(self.last_in + self.rhythm.quiet_after()?)
    }

    /// Whether a probe would tell anything, and is not one too many; if so, it counts.
    pub(crate) fn probe(&mut self, now: Instant) -> bool {
        let due = self.probe_due(now) == Some(now);
        if due {
            self.last_probe = Some(now);
        }
        due
    }

    /// The end of the traffic is being asked about.
    pub(crate) fn asked_about_quiet(&mut self) {
        self.rhythm.forget();
    }

    /// How long an answer may take that stands behind so many unconfirmed bytes.
    #[inline(never)] // smaller: asked for in several places
    fn patience(&self, bytes: u64) -> Duration {
        let doubled = self.rtt.deadline().times(1 << self.doublings.min(6));
        (doubled + self.pipe.drain(bytes)).min(REPLY_MAX)
    }

    /// A message was written.
    pub(crate) fn wrote(&mut self, bytes: u32, now: Instant) {
        self.last_out = now;
        self.pipe.wrote(u64::from(bytes), now);
        self.note_queue(now);
    }

    fn note_queue(&mut self, now: Instant) {
        if self.pipe.unconfirmed() >= FLIGHT_MIN {
            self.queued_at = now;
        }
    }

    /// An own message that was written at `at` has come back; so many bytes written behind it are still in flight, the
    /// first of them since `next`.
    pub(crate) fn echoed(&mut self, at: Instant, in_flight_bytes: u64, next: Option<Instant>, now: Instant) {
        self.note_queue(now);
        self.confirmed(self.pipe.written().saturating_sub(in_flight_bytes), next, now);
        if at > self.told_at && self.is_round_trip(at > self.queued_at, now.since(at)) {
            self.rtt.sample(now.since(at));
            self.told_at = now;
        }
    }

    /// Behind a queue that took its time it is none.
    fn is_round_trip(&self, unqueued: bool, span: Duration) -> bool {
        unqueued || span <= self.rtt.deadline()
    }

    /// The server has read the first so many bytes of this link.
    #[inline(never)] // smaller: asked for in several places
    pub(crate) fn confirmed(&mut self, bytes: u64, next: Option<Instant>, now: Instant) {
        self.doublings = 0;
        self.pipe.confirm(bytes, next, self.rtt.smoothed(), now);
    }

    /// A heartbeat was written behind so many messages.
    pub(crate) fn beat(&mut self, messages: u64, now: Instant) {
        if self.beat.is_some() {
            // The one before was never answered.
            self.answers = 0;
        }
        self.last_out = now;
        self.last_beat = now;
        let deadline = now + self.patience(self.pipe.unconfirmed());
        let bytes = self.pipe.written();
        self.beat = Some(Beat { at: now, messages, bytes, deadline, unheard: true });
    }

    /// A frame came in.
    pub(crate) fn heard(&mut self, is_heartbeat: bool, is_echo: bool, now: Instant) -> Heard {
        self.last_in = now;
        self.excused = false;
        if !is_heartbeat && !is_echo {
            self.rhythm.arrived(now);
        }
        let Some(mut beat) = self.beat.take() else { return Heard::Life };
        if !is_heartbeat {
            // A big message may stand in front of the answer: every frame restarts the clock. What was written behind
            // the question holds nothing up.
            let patience = self.patience(self.pipe.unconfirmed_of(beat.bytes));
            beat.unheard = false;
            beat.deadline = beat.deadline.max(now + patience).min(beat.at + REPLY_MAX);
            self.beat = Some(beat);
            return Heard::Life;
        }
        self.verdicts = 0;
        if beat.unheard && now <= beat.deadline {
            let span = now.since(beat.at);
            if self.is_round_trip(self.pipe.unconfirmed_of(beat.bytes) < FLIGHT_MIN, span) {
                self.rtt.sample(span);
            }
            self.answers = self.answers.saturating_add(1);
            self.learned |= self.answers >= LEARN_AFTER;
        } else {
            self.answers = 0;
        }
        Heard::Answer { messages: beat.messages, bytes: beat.bytes }
    }

    /// The answer is overdue since `due`.
    pub(crate) fn overdue(&mut self, due: Instant, now: Instant) -> Overdue {
        if now.since(due) > LATE && !self.excused {
            // Once: on a hidden page every timer is late, and between two timers queued frames have been delivered.
            self.excused = true;
            return Overdue::AskAgain;
        }
        self.beat = None;
        self.pipe.doubt();
        self.doublings = self.doublings.saturating_add(1);
        self.verdicts = self.verdicts.saturating_add(1);
        let unlearned = self.config.expect_reply == ExpectReply::Learn && self.verdicts >= UNLEARN_AFTER;
        if unlearned {
            self.learned = false;
            self.answers = 0;
            self.verdicts = 0;
            self.doublings = 0;
        }
        Overdue::Dead { unlearned }
    }
}
