//! The timers of a client that are set, not worked out: one enum, one array.

use crate::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Alarm {
    /// When url and token, and then the socket, have taken too long. [TIME-3]
    Connect,
    /// When a `welcome` has taken too long. [WELC-3]
    Welcome,
    /// When the next dial is due.
    Redial,
    /// When a link is to be left after a `goaway`. [AWAY-2]
    Leave,
    /// When a socket that takes nothing more has not said why.
    Mute,
    /// When a link has lived for so long that failures before it are forgotten. [AWAY-7]
    Stable,
    /// When it has lived for so long that errors before it are forgotten. [CLOSE-6]
    Lived,
    /// When the credential is to be renewed. [AUTH-4]
    Renew,
    /// When the application's `close` waits no longer. [SEND-7]
    Drain,
    /// When the node's close behind `bye` has taken too long. [BYE-4]
    Handshake,
    /// When a transport's buffer that was too full for messages is looked at again.
    Look,
}

impl Alarm {
    /// In the order in which those due at the same time are handled.
    const ALL: [Self; 11] = [
        Self::Connect,
        Self::Welcome,
        Self::Redial,
        Self::Leave,
        Self::Mute,
        Self::Stable,
        Self::Lived,
        Self::Renew,
        Self::Drain,
        Self::Handshake,
        Self::Look,
    ];
}

/// The deadlines that are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    at: [Option<Instant>; Alarm::ALL.len()],
    /// The earliest of them, which is asked for with every message.
    next: Option<Instant>,
}

impl Alarms {
    pub(super) fn set(&mut self, alarm: Alarm, at: Instant) {
        self.put(alarm, Some(at));
    }

    pub(super) fn stop(&mut self, alarm: Alarm) {
        self.put(alarm, None);
    }

    fn put(&mut self, alarm: Alarm, at: Option<Instant>) {
        self.at[alarm as usize] = at;
        self.next = self.at.iter().flatten().min().copied();
    }

    /// All but the one that belongs to no link.
    pub(super) fn stop_for_link(&mut self) {
        let drain = self.at(Alarm::Drain);
        self.stop_all();
        self.put(Alarm::Drain, drain);
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn at(&self, alarm: Alarm) -> Option<Instant> {
        self.at[alarm as usize]
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Takes the earliest that is due.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Alarm> {
        let due = self.next().filter(|at| *at <= now)?;
        let alarm = Alarm::ALL.into_iter().find(|alarm| self.at(*alarm) == Some(due))?;
        self.stop(alarm);
        Some(alarm)
    }
}
