//! Every timer of a wire: one enum, one array.

use crate::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Timer {
    /// When a dial has taken too long: the providers' answers, then the socket's `open`.
    Connect,
    /// When an open socket without a frame has stayed up long enough to be used.
    Prove,
    /// When the next dial is due.
    Backoff,
    /// When the next heartbeat is due.
    Heartbeat,
    /// When an expected answer to a heartbeat is overdue.
    Reply,
    /// When the oldest unsettled message has waited for longer than a round trip explains.
    Unsettled,
    /// When steady inbound traffic has been silent for too long.
    Quiet,
    /// When a socket that takes nothing more has not said why.
    Mute,
    /// When a link has been open for so long that earlier failures are forgotten.
    Stable,
    /// When more may be written: of the backlog, by the rate limit, or into a buffer that was full.
    Pace,
    /// When something that waits may be too late.
    Expire,
    /// When `close()` stops waiting for the outbox to empty.
    Drain,
    /// When the closing handshake has taken too long.
    Handshake,
}

impl Timer {
    /// Every timer, in the order in which those due at the same time are handled.
    pub const ALL: [Self; 13] = [
        Self::Connect,
        Self::Prove,
        Self::Backoff,
        Self::Heartbeat,
        Self::Reply,
        Self::Unsettled,
        Self::Quiet,
        Self::Mute,
        Self::Stable,
        Self::Pace,
        Self::Expire,
        Self::Drain,
        Self::Handshake,
    ];
}

/// The end of time stands for "not set": a plain number is half as large as an `Option` of it, in memory and in code.
const NEVER: Instant = Instant::from_micros(u64::MAX);

/// The deadlines that are set.
#[derive(Clone, Debug)]
pub(crate) struct Timers([Instant; Timer::ALL.len()]);

impl Default for Timers {
    fn default() -> Self {
        Self([NEVER; Timer::ALL.len()])
    }
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = at;
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.set(timer, NEVER);
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn at(&self, timer: Timer) -> Option<Instant> {
        Some(self.0[timer as usize]).filter(|at| *at < NEVER)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().copied().min().filter(|at| *at < NEVER)
    }

    /// Takes the earliest timer that is due, with the time at which it was due.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<(Timer, Instant)> {
        let due = self.next().filter(|at| *at <= now)?;
        let timer = Timer::ALL.into_iter().find(|timer| self.at(*timer) == Some(due))?;
        self.stop(timer);
        Some((timer, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expire_in_order_of_time_then_of_kind() {
        let at = Instant::from_micros;
        let mut timers = Timers::default();
        timers.set(Timer::Pace, at(5));
        timers.set(Timer::Heartbeat, at(7));
        timers.set(Timer::Connect, at(7));
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.expire(at(4)), None);
        assert_eq!(timers.expire(at(7)), Some((Timer::Pace, at(5))));
        assert_eq!(timers.expire(at(7)), Some((Timer::Connect, at(7))));
        assert_eq!(timers.expire(at(7)), Some((Timer::Heartbeat, at(7))));
        assert_eq!(timers.expire(at(7)), None);
        assert_eq!(timers.next(), None);
    }

    /// A clock that has arrived there stands still: whatever it sets would be due at once, for ever.
    #[test]
    fn nothing_is_due_at_the_end_of_time() {
        let end = Instant::from_micros(u64::MAX);
        let mut timers = Timers::default();
        timers.set(Timer::Backoff, end);
        assert_eq!((timers.next(), timers.at(Timer::Backoff), timers.expire(end)), (None, None, None));
        timers.set(Timer::Backoff, Instant::from_micros(u64::MAX - 1));
        assert_eq!(timers.expire(end).map(|(timer, _)| timer), Some(Timer::Backoff));
    }
}
