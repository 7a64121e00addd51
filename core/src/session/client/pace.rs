//! When to dial again. [AWAY-4] to [AWAY-12]

use crate::random::Random;
use crate::spread::{SPREAD_MIN, Spread, Window};
use crate::time::{Duration, Instant};

/// No wait of its own is longer. [AWAY-11]
const WAIT_MAX: Duration = Duration::from_secs(30);
/// The first window of the backoff, and of a lone loss.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The window of the first try after a second loss: RFC 6455 §7.2.3.
const WAIT_FURTHER: Duration = Duration::from_secs(5);
/// A loss is lone if there was none so long before it; and one dial without a wait is all in so much time.
const LONE: Duration = Duration::from_secs(60);
/// An advertised window is no instruction: it is cut to this. [AWAY-5]
const ADVERTISED_MAX: Duration = Duration::from_secs(30);
/// The longest window that can be asked for. [AWAY-1]
const WINDOW_MAX: Duration = Duration::from_secs(600);
/// 10.0, in tenths.
const BUDGET_MAX: u32 = 100;
/// What a dial without a wait costs, in tenths.
const BUDGET_COST: u32 = 10;
/// An open link of this age earns a tenth.
const BUDGET_GOOD: Duration = Duration::from_secs(60);

/// Why a dial is needed, as far as its wait goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// An own verdict, or something on this side.
    Local,
    /// 1006, or 1000 without a `bye`.
    Unexplained,
    /// The server goes, or cannot be reached: everybody comes back with this client.
    Crowded,
    /// Anything else.
    Backoff,
}

/// All that waits depend on; it outlives links and instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Tries since the last reset.
    attempt: u32,
    undelayed_at: Option<Instant>,
    lost_at: Option<Instant>,
    budget: u32,
    /// What `welcome` said; zero: nothing.
    advertised: Duration,
    sticky: Option<Spread>,
    /// The last link ended by a local cause or an own verdict.
    local: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            attempt: 0,
            undelayed_at: None,
            lost_at: None,
            budget: BUDGET_MAX,
            advertised: Duration::ZERO,
            sticky: None,
            local: false,
        }
    }
}

impl Pace {
    /// Tries since the last reset.
    pub(super) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// A `welcome` ends the phase [AWAY-7]; it says what window the server would like.
    pub(super) fn welcomed(&mut self, advertised: Duration) {
        self.sticky = None;
        self.advertised = advertised;
    }

    /// The link has been open for so long that failures before it are forgotten.
    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// A `goaway` begins a phase: answers φ. [AWAY-2]
    pub(super) fn goaway(&mut self, window: Duration, now: Instant, random: &mut Random) -> Instant {
        let spread = begin(window, now, random);
        self.sticky = Some(spread);
        spread.anchor()
    }

    /// A `window=` in a close reason begins one, unless one runs that is half as wide. [AWAY-5]
    pub(super) fn instructed(&mut self, window: Duration, now: Instant, random: &mut Random) {
        let window = window.max(SPREAD_MIN).min(WINDOW_MAX);
        if self.sticky.is_none_or(|spread| spread.window().times(2) < window) {
            self.sticky = Some(begin(window, now, random));
        }
    }

    /// The last link has ended, by something on this side or not.
    pub(super) fn link_ended(&mut self, local: bool) {
        self.local = local;
    }

    /// Whether a server has said when to come back.
    pub(super) fn spreading(&self) -> bool {
        self.sticky.is_some()
    }

    /// Until when nothing but the application may cut a wait short. [AWAY-12]
    pub(super) fn held_until(&self, now: Instant) -> Option<Instant> {
        self.sticky.as_ref().and_then(|spread| spread.held_until(now))
    }

    /// A dial has failed before the link opened: perhaps everybody's does. [AWAY-5]
    pub(super) fn dial_failed(&self) -> Ground {
        if self.local { Ground::Backoff } else { Ground::Crowded }
    }

    /// When the next dial is due. A link that did not live for 10 s is a failed try, whatever window the server names:
    /// `failed` says so. [AWAY-7]
    pub(super) fn due(&mut self, ground: Ground, failed: bool, now: Instant, random: &mut Random) -> Instant {
        if ground == Ground::Crowded && self.sticky.is_none() && self.advertised > Duration::ZERO {
            self.sticky = Some(begin(self.advertised.min(ADVERTISED_MAX), now, random));
        }
        let Some(mut spread) = self.sticky else { return now + self.own(ground, now, random) };
        let due = spread.next(now);
        self.sticky = Some(spread);
        if failed {
            return due.max(now + self.own(Ground::Backoff, now, random));
        }
        self.count();
        due
    }

    fn own(&mut self, ground: Ground, now: Instant, random: &mut Random) -> Duration {
        let exponential = WAIT_FIRST.times(1 << self.attempt.min(5)).min(WAIT_MAX);
        let window = match ground {
            Ground::Local if self.take_undelayed(now) => {
                self.count();
                return Duration::ZERO;
            }
            Ground::Local => WAIT_FIRST,
            Ground::Unexplained => {
                let lone = self.lost_at.is_none_or(|at| now.since(at) > LONE);
                self.lost_at = Some(now);
                if lone { WAIT_FIRST } else { exponential.max(WAIT_FURTHER) }
            }
            Ground::Crowded | Ground::Backoff => exponential,
        };
        self.count();
        random.within(window - Duration::from_micros(1))
    }

    /// Counts a try that waits for nothing.
    pub(super) fn count(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
    }

    /// Whether a dial may start without any wait, for a local cause; pays for it.
    pub(super) fn take_undelayed(&mut self, now: Instant) -> bool {
        let recent = self.undelayed_at.is_some_and(|at| now.since(at) < LONE);
        !recent && self.take_budget(now)
    }

    /// As [`Self::take_undelayed`], for what the user does or wished, or a token: the budget alone limits it.
    pub(super) fn take_budget(&mut self, now: Instant) -> bool {
        if self.budget < BUDGET_COST {
            return false;
        }
        self.budget -= BUDGET_COST;
        self.undelayed_at = Some(now);
        true
    }

    /// A link was open for so long.
    pub(super) fn earn(&mut self, open: Duration) {
        let tenths = open.as_micros() / BUDGET_GOOD.as_micros();
        self.budget = self.budget.saturating_add(u32::try_from(tenths).unwrap_or(BUDGET_MAX)).min(BUDGET_MAX);
    }
}

fn begin(window: Duration, now: Instant, random: &mut Random) -> Spread {
    Spread::begin(Window::Instructed(window.max(SPREAD_MIN)), WAIT_MAX, now, random)
}
