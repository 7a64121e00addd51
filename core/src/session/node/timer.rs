//! Every timer of a link that does not hang on a queue of its own: one enum, one array.

use crate::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum NodeTimer {
    /// When `hello` has not come in time. [HELLO-12]
    Hello,
    /// When it is too late to begin a claim. [HELLO-16]
    Claim,
    /// When the engine has not answered what `welcome` needs.
    Welcome,
    /// When a replica that lags has had its time to catch up. [EPOCH-6]
    Behind,
    /// When a replica that lags is worth another look.
    Lag,
    /// When nothing has come for so long that the client is asked. [LIVE-3]
    Ping,
    /// When a ping has gone unanswered for too long. [LIVE-4]
    Verdict,
    /// When the grace after `expires` is over. [AUTH-5]
    Expires,
    /// When the time of `goaway` is up. [AWAY-9]
    Leave,
    /// When what has been read has had its time to be finished. [BYE-2]
    Finish,
    /// When the transport must have taken something. [CODE-4007]
    Stuck,
    /// When a link that asks too often is read from again. [NODE-9]
    Pace,
}

impl NodeTimer {
    /// Every timer, in the order in which those due at the same time are handled.
    const ALL: [Self; 12] = [
        Self::Hello,
        Self::Claim,
        Self::Welcome,
        Self::Behind,
        Self::Lag,
        Self::Ping,
        Self::Verdict,
        Self::Expires,
        Self::Leave,
        Self::Finish,
        Self::Stuck,
        Self::Pace,
    ];
}

/// The deadlines that are set.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeTimers([Option<Instant>; NodeTimer::ALL.len()]);

impl NodeTimers {
    pub(super) fn set(&mut self, timer: NodeTimer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    /// Sets it unless it is set.
    pub(super) fn start(&mut self, timer: NodeTimer, at: Instant) {
        self.0[timer as usize].get_or_insert(at);
    }

    pub(super) fn stop(&mut self, timer: NodeTimer) {
        self.0[timer as usize] = None;
    }

    pub(super) fn stop_all(&mut self) {
        self.0 = Default::default();
    }

    pub(super) fn at(&self, timer: NodeTimer) -> Option<Instant> {
        self.0[timer as usize]
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes the earliest timer that is due, with the time at which it was due.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(NodeTimer, Instant)> {
        let due = self.next().filter(|at| *at <= now)?;
        let timer = NodeTimer::ALL.into_iter().find(|timer| self.at(*timer) == Some(due))?;
        self.stop(timer);
        Some((timer, due))
    }
}
