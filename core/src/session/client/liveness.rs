//! Whether the link is alive. Chapter 13 of `docs/PROTOCOL.md`.

use std::collections::VecDeque;

use super::flight::{FLIGHT_MIN, Flight, Teller};
use crate::gather::take_at;
use crate::mutant::mutant;
use crate::rtt::Rtt;
use crate::time::{Duration, Instant};

/// A frame of more octets is announced. [LIVE-13]
pub(super) const ANNOUNCED_ABOVE: u64 = 16_384;
/// A deadline that is found passed by more says more about this machine than about the link. [LIVE-11]
pub(super) const LATE: Duration = Duration::from_secs(1);
/// For an unsettled number one probe in so much time. [LIVE-7]
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Traffic is not missed any sooner. [LIVE-7]
const QUIET_MIN: Duration = Duration::from_secs(2);
/// So many octets that no `ack` confirms are asked about. [LIVE-6]
const UNREAD_MAX: u64 = 8_192;
/// What comes restarts the time of an answer for so many of its first terms, and what has come since takes its time. [LIVE-8]
const RESTARTS_MAX: u64 = 10;
/// A link of this age on which a ping is answered is no slower than is believed, as long as nothing is under way. [LIVE-10]
const CALM_AFTER: Duration = Duration::from_secs(10);
/// No first term of a deadline is longer. [LIVE-10]
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// A round trip counts as so much at most. [LIVE-16]
const SAMPLE_MAX: Duration = Duration::from_secs(60);
/// How long frames that were already waiting get to be read. [LIVE-11]
const TURN: Duration = Duration::from_millis(1);
/// So much after the node's own ping was due it is asked. [LIVE-6]
const HEARTBEAT_MARGIN: Duration = Duration::from_secs(20);
/// What a `more` may move a deadline by, whatever the rate. [LIVE-14]
const MORE_MAX: Duration = Duration::from_secs(600);
/// … or so many octets a second, if that is longer.
const MORE_RATE: u64 = 4_000;
/// Numbers that stay unsettled for so long while pings are answered are reported. [LIVE-12]
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// So many verdicts in a row during one long frame are reported. [LIVE-17]
const SLOW_AFTER: u8 = 3;
/// Pings without an answer that are remembered: one, and the few that late timers add.
const PINGS_MAX: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Ping {
    x: u64,
    at: Instant,
    /// Octets written before it, and with it.
    before: u64,
    end: u64,
    /// When its time begins: in the future as long as it may still stand in the transport's buffer.
    begins: Instant,
    /// When it began before anything had come that restarted it.
    began: Instant,
    /// Octets heard before it.
    heard: u64,
    left: bool,
}

/// A `send` that is not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Sent {
    last: u64,
    end: u64,
    at: Instant,
    announced: bool,
}

/// What an overdue answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// This machine was late: ask again.
    AskAgain,
    /// It was late again: what waits is read first.
    Wait,
    /// The link is dead.
    Dead,
}

/// One long frame, as far as one is told from another. [LIVE-17]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Long {
    Down { received: u64 },
    Up { oldest: u64 },
}

/// Which way something goes. A verdict that came while a long frame was on its way down is doubted until one has come:
/// what goes up meanwhile excuses nothing. [LIVE-10]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the server.
    Up = 0,
    /// To the client.
    Down = 1,
    /// Nothing was under way that is known of: any progress will do.
    Neither = 2,
}

/// The link's state, and what is learned over many.
#[derive(Clone, Debug)]
pub(super) struct Liveness {
    interval: Duration,
    rtt: Rtt,
    flight: Flight,
    /// Verdicts since there was progress that were followed by a healthy link. [LIVE-10]
    doublings: [u32; 3],
    /// There was a verdict, and no healthy link since.
    judged: Option<Way>,
    slow: Option<(Long, u8)>,

    heartbeat: Duration,
    /// When this link came into use.
    begun: Instant,
    last_in: Instant,
    last_out: Instant,
    last_ping: Instant,
    last_pong: Option<Instant>,
    probed: Option<Instant>,
    written: u64,
    buffered: u64,
    confirmed: u64,
    /// Octets that have come on this link.
    heard: u64,
    pings: Vec<Ping>,
    next_x: u64,
    sent: VecDeque<Sent>,
    excused: bool,
    /// When this end last woke.
    slept_at: Option<Instant>,
    turn: Option<Instant>,
    /// The peer has announced a frame: the time that it is given.
    extra: Duration,
    rhythm: Rhythm,
}

impl Liveness {
    pub(super) fn new(interval: Duration) -> Self {
        let start = Instant::default();
        Self {
            interval: interval.max(Duration::from_secs(1)).min(Duration::from_secs(600)),
            rtt: Rtt::default(),
            flight: Flight::default(),
            doublings: [0; 3],
            judged: None,
            slow: None,
            heartbeat: Duration::ZERO,
            begun: start,
            last_in: start,
            last_out: start,
            last_ping: start,
            last_pong: None,
            probed: None,
            written: 0,
            buffered: 0,
            confirmed: 0,
            heard: 0,
            pings: Vec::new(),
            next_x: 1,
            sent: VecDeque::new(),
            excused: false,
            slept_at: None,
            turn: None,
            extra: Duration::ZERO,
            rhythm: Rhythm::default(),
        }
    }

    /// A link is in use; `hello` was answered after `round_trip`. [LIVE-2]
    pub(super) fn begin(&mut self, round_trip: Duration, heartbeat: Duration, now: Instant) {
        let mut rtt = self.rtt;
        rtt.sample(round_trip.min(SAMPLE_MAX));
        self.flight.begin();
        let mut doublings = self.doublings;
        if let Some(way) = self.judged {
            doublings[way as usize] += 1;
        }
        *self = Self {
            rtt,
            flight: self.flight,
            doublings,
            slow: self.slow,
            heartbeat,
            begun: now,
            last_in: now,
            last_out: now,
            last_ping: now,
            rhythm: Rhythm::begin(now),
            ..Self::new(self.interval)
        };
    }

    /// The mark, or `received`, has risen. [CLOSE-7]
    pub(super) fn progressed(&mut self, way: Way) {
        self.flight.believe(self.doublings[way as usize]);
        self.doublings[way as usize] = 0;
        self.doublings[Way::Neither as usize] = 0;
        if self.judged == Some(way) || self.judged == Some(Way::Neither) {
            self.judged = None;
        }
    }

    /// Smoothed; zero while none has been measured.
    pub(super) fn round_trip(&self) -> Duration {
        self.rtt.smoothed()
    }

    /// The first term of a deadline, as long as nothing was doubted. [LIVE-7]
    pub(super) fn patience(&self) -> Duration {
        self.rtt.deadline()
    }

    fn doubled(&self) -> u32 {
        self.doublings.into_iter().max().unwrap_or(0)
    }

    fn first_term(&self) -> Duration {
        self.rtt.deadline().times(1 << self.doubled().min(6)).min(PATIENCE_MAX)
    }

    /// A frame of so many octets goes out.
    pub(super) fn wrote(&mut self, octets: u64, now: Instant) {
        self.flight.wrote(self.written, now);
        self.written = self.written.saturating_add(octets);
        self.buffered = self.buffered.saturating_add(octets);
        self.last_out = now;
    }

    /// It was a `send` up to this number.
    pub(super) fn sent(&mut self, last: u64, octets: u64, now: Instant) {
        let announced = octets > ANNOUNCED_ABOVE;
        self.sent.push_back(Sent { last, end: self.written, at: now, announced });
    }

    /// Everything up to this number is settled.
    pub(super) fn acked(&mut self, n: u64, now: Instant) {
        let mut through = None;
        while let Some(sent) = self.sent.front().filter(|sent| sent.last <= n) {
            through = Some(sent.end);
            self.sent.pop_front();
        }
        if let Some(through) = through {
            self.flight.confirm(through, self.written, self.rtt.smoothed(), Teller::Ack, now);
            // It has been read, and stands in front of no answer.
            self.confirmed = self.confirmed.max(through);
        }
    }

    /// So much is in the transport's buffer.
    pub(super) fn buffered(&mut self, octets: u64, now: Instant) {
        let fell = octets < self.buffered;
        self.buffered = octets;
        let left = self.written.saturating_sub(octets);
        for ping in self.pings.iter_mut().filter(|ping| !ping.left) {
            if mutant!(ProbeClockRestarts) {
                if fell {
                    (ping.begins, ping.began) = (now, now);
                }
            } else if ping.end <= left {
                ping.left = true;
                ping.begins = ping.begins.min(now);
                ping.began = ping.began.min(now);
            }
        }
    }

    /// A ping goes out: its x, of so many octets.
    pub(super) fn ping(&mut self, octets: impl FnOnce(u64) -> u64, now: Instant) -> u64 {
        let x = self.next_x;
        self.next_x += 1;
        let before = self.written;
        self.wrote(octets(x), now);
        // On a dead link the buffer never empties, so its time has to begin some time.
        let begins = now + self.flight.drain(self.buffered, self.doubled());
        if self.pings.len() == PINGS_MAX {
            take_at(&mut self.pings, 0);
        }
        self.pings.push(Ping {
            x,
            at: now,
            before,
            end: self.written,
            begins,
            began: begins,
            heard: self.heard,
            left: false,
        });
        self.last_ping = now;
        self.rhythm.asked |= self.rhythm.ended_at().is_some_and(|ended| ended <= now);
        x
    }

    /// It was for an unsettled number.
    pub(super) fn probed(&mut self, now: Instant) {
        self.probed = Some(now);
    }

    /// A frame of so many octets has come in; whether it is an answer to a ping, and so says nothing of the traffic.
    pub(super) fn heard(&mut self, octets: u64, answers: bool, now: Instant) {
        self.heard = self.heard.saturating_add(octets);
        if !answers {
            self.rhythm.arrived(now);
        }
        self.last_in = now;
        self.excused = false;
        self.turn = None;
        self.extra = Duration::ZERO;
        for ping in &mut self.pings {
            ping.begins = ping.begins.max(now);
        }
    }

    /// The peer announces a frame. [LIVE-14]
    pub(super) fn announced(&mut self, octets: u64, frame_bytes_max: u64) {
        let counted = octets.min(frame_bytes_max);
        let most = MORE_MAX.max(Duration::from_micros(counted.saturating_mul(1_000_000) / MORE_RATE));
        self.extra = self.flight.drain(counted, self.doubled()).min(most);
    }

    /// A `pong` has come; true if it answers something.
    pub(super) fn pong(&mut self, x: u64, now: Instant) -> bool {
        let Some(ping) = self.pings.iter().find(|ping| ping.x == x).copied() else { return false };
        self.pings.retain(|ping| ping.x > x);
        let queued = ping.end.saturating_sub(self.confirmed) >= FLIGHT_MIN;
        self.flight.confirm(ping.end, self.written, self.rtt.smoothed(), Teller::Pong, now);
        if !queued && self.slept_at.is_none_or(|slept| ping.at >= slept) {
            // Behind so much it is the rate that is measured, not the round trip.
            self.rtt.sample(now.since(ping.at).min(SAMPLE_MAX));
        }
        if ping.at >= self.calm_at() {
            self.doublings[Way::Neither as usize] = 0;
        }
        self.confirmed = self.confirmed.max(ping.end);
        self.last_pong = Some(now);
        true
    }

    /// This end has slept, or its timers are late: what was under way meanwhile measures neither rate nor round trip.
    /// [LIVE-16]
    pub(super) fn slept(&mut self, now: Instant) {
        self.slept_at = Some(now);
        self.flight.slept(self.written);
    }

    /// Whether a ping is unanswered: it answers every suspicion.
    pub(super) fn is_asking(&self) -> bool {
        !self.pings.is_empty()
    }

    /// When the answer to the newest ping is overdue. [LIVE-8]
    pub(super) fn reply_due(&self) -> Option<Instant> {
        let ping = self.pings.last()?;
        if self.turn.is_some() {
            return self.turn;
        }
        let unconfirmed = ping.end.saturating_sub(self.confirmed);
        let octets = if mutant!(NoDrainRate) { ping.end - ping.before } else { unconfirmed };
        let behind = self.flight.drain(octets, self.doubled()) + self.extra;
        // What others say puts the answer off only as long as it may stand in front of it: a link can bring and take nothing.
        let queue = self.flight.drain(self.heard - ping.heard, self.doubled());
        let last = ping.began + self.first_term().times(RESTARTS_MAX) + queue;
        Some((ping.begins + self.first_term()).min(last) + behind)
    }

    /// It is. [LIVE-11]
    pub(super) fn overdue(&mut self, now: Instant) -> Overdue {
        let late = self.reply_due().is_some_and(|due| now.since(due) > LATE);
        if self.turn.is_some() || !late {
            Overdue::Dead
        } else if self.excused {
            self.turn = Some(now + TURN);
            Overdue::Wait
        } else {
            self.excused = true;
            self.slept(now);
            Overdue::AskAgain
        }
    }

    /// The link was given up; true if the same long frame has now cost three in a row. [LIVE-17]
    pub(super) fn judge(&mut self, received: u64, oldest: u64) -> bool {
        self.judged = Some(if self.extra > Duration::ZERO {
            Way::Down
        } else if self.sent.is_empty() {
            Way::Neither
        } else {
            Way::Up
        });
        let first = self.sent.front();
        let long = if self.extra > Duration::ZERO {
            Some(Long::Down { received })
        } else {
            first.filter(|sent| sent.announced).map(|_| Long::Up { oldest })
        };
        let before = self.slow.filter(|(of, _)| Some(*of) == long).map_or(0, |(_, many)| many);
        self.slow = long.map(|long| (long, before.saturating_add(1)));
        before + 1 == SLOW_AFTER && long.is_some()
    }

    /// The link has ended.
    pub(super) fn end(&mut self) {
        self.pings.clear();
        self.sent.clear();
    }

    /// When the next ping is due for mere quiet. [LIVE-6]
    pub(super) fn ping_due(&self) -> Option<Instant> {
        let interval = self.interval;
        let idle = (self.last_out.min(self.last_in) + interval).max(self.last_ping + interval);
        let silence = self.heartbeat + HEARTBEAT_MARGIN;
        let silent = (self.last_in + silence).max(self.last_ping + silence) + self.extra;
        let due = idle.min(silent);
        // The verdict before may have been the network's doing: nobody else asks while nothing is said.
        let doubted = self.doublings[Way::Neither as usize] > 0;
        let due = if doubted { due.min(self.calm_at()) } else { due };
        // Nothing else tells that `seen` and casts have been read: they would add up, and put off a verdict by hours.
        let unread = self.sent.is_empty() && self.written.saturating_sub(self.confirmed) >= UNREAD_MAX;
        (!self.is_asking()).then_some(if unread { self.last_out } else { due })
    }

    fn calm_at(&self) -> Instant {
        self.begun + CALM_AFTER
    }

    /// When the lowest unsettled number has waited for longer than a round trip explains. [LIVE-7]
    pub(super) fn unsettled_due(&self) -> Option<Instant> {
        let suspicious = self.sent.front()?.at + self.patience();
        let next = self.probed.map_or(suspicious, |probed| suspicious.max(probed + PROBE_EVERY));
        (!self.is_asking()).then_some(next)
    }

    /// When traffic has been silent for longer than its rhythm explains. [LIVE-7]
    pub(super) fn quiet_due(&self) -> Option<Instant> {
        let ended = self.rhythm.ended_at().filter(|_| !self.is_asking())?;
        Some(ended + self.extra)
    }

    /// When the store is to be reported as stalled: it would be if no number of this link were settled until then.
    /// [LIVE-12]
    pub(super) fn stalled_due(&self) -> Option<Instant> {
        let since = self.sent.front()?.at;
        let answered = self.last_pong.filter(|pong| *pong > since)?;
        Some(answered.max(since + STALLED_AFTER))
    }
}

/// Gaps that make a rhythm. [LIVE-7]
const GAPS: usize = 16;
/// It has ended after so many times their mean …
const MEANS: u64 = 8;
/// … and not before so many times the longest: a feed that stumbles is waited for, and is still one.
const LONGEST: u64 = 2;

/// The last gaps between frames that are no answers.
#[derive(Clone, Copy, Debug, Default)]
struct Rhythm {
    gaps: [Duration; GAPS],
    sum: Duration,
    many: usize,
    last: Instant,
    asked: bool,
}

impl Rhythm {
    fn begin(now: Instant) -> Self {
        Self { last: now, ..Self::default() }
    }

    fn arrived(&mut self, now: Instant) {
        let gap = now.since(self.last);
        let slot = &mut self.gaps[self.many % GAPS];
        self.sum = self.sum - *slot + gap;
        *slot = gap;
        self.many = if self.many + 1 == 2 * GAPS { GAPS } else { self.many + 1 };
        self.last = now;
        self.asked = false;
    }

    /// When its end is to be asked about, once.
    fn ended_at(&self) -> Option<Instant> {
        let mean = Duration::from_micros(self.sum.as_micros() / GAPS as u64);
        let longest = self.gaps.into_iter().max().unwrap_or_default();
        let silence = mean.times(MEANS).max(longest.times(LONGEST)).max(QUIET_MIN);
        (self.many >= GAPS && !self.asked).then(|| self.last + silence)
    }
}
