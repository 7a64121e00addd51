//! What a wire can be doing and what can happen to it: one table.
//!
//! [`Phase::next`] is the whole truth about transitions. The state × event matrix is a golden file
//! (`core/tests/snapshots`), and the diagram in `docs/DESIGN.md` is generated from it.

use crate::codes::State;

/// What a wire is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Made, and not yet told to connect.
    Idle,
    /// The host is asking for url, token and protocols.
    Asking,
    /// A socket is connecting.
    Dialling,
    /// The socket has opened; nothing has proved yet that it is of use.
    Proving,
    /// The link is in use.
    Open,
    /// There is no link; the next dial is scheduled.
    Waiting,
    /// The closing handshake runs.
    Closing,
    /// For good.
    Closed,
}

/// What can happen to a wire, after the policies (close codes, attempts, drain) have had their say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The application wants the wire.
    Connect,
    /// The host has made a socket.
    Dialled,
    /// The socket opened.
    LinkOpened,
    /// A first frame came, or a silent link stayed up.
    Proved,
    /// The dial failed or the link ended, and the wire will try again.
    Lost,
    /// The dial failed or the link ended, and the wire must not try again.
    Finished,
    /// The next dial is due: the wait is over, or something cut it short.
    Redial,
    /// The application closes and nothing is left to write.
    Shut,
    /// The closing handshake is over, or has taken too long.
    HandshakeOver,
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The wire is now in this phase.
    To(Phase),
    /// Late or repeated news that changes nothing.
    Ignored,
    /// Cannot happen: the machine filters it before it comes here. A property test holds it to that.
    Never,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::Asking,
        Self::Dialling,
        Self::Proving,
        Self::Open,
        Self::Waiting,
        Self::Closing,
        Self::Closed,
    ];

    /// The transition table.
    pub const fn next(self, event: Event) -> Step {
        use Event as E;
        use Phase as P;
        use Step::{Ignored, Never, To};
        match (self, event) {
            (P::Idle, E::Connect) => To(P::Asking),
            (P::Asking, E::Dialled) => To(P::Dialling),
            (P::Dialling, E::LinkOpened) => To(P::Proving),
            (P::Proving, E::Proved) => To(P::Open),
            (P::Asking | P::Dialling | P::Proving | P::Open, E::Lost) => To(P::Waiting),
            (P::Asking | P::Dialling | P::Proving | P::Open | P::Waiting, E::Finished) => To(P::Closed),
            (P::Waiting, E::Redial) => To(P::Asking),
            // A link that has opened is closed with a handshake; anything younger is abandoned.
            (P::Proving | P::Open, E::Shut) => To(P::Closing),
            (P::Idle | P::Asking | P::Dialling | P::Waiting, E::Shut) => To(P::Closed),
            (P::Closing, E::HandshakeOver) => To(P::Closed),

            (
                P::Asking | P::Dialling | P::Proving | P::Open | P::Waiting | P::Closing | P::Closed,
                E::Connect,
            ) => Ignored,
            (P::Closing | P::Closed, E::Shut) => Ignored,

            (P::Idle, E::Dialled | E::LinkOpened | E::Proved | E::Lost | E::Finished | E::Redial)
            | (P::Asking, E::LinkOpened | E::Proved | E::Redial)
            | (P::Dialling, E::Dialled | E::Proved | E::Redial)
            | (P::Proving | P::Open, E::Dialled | E::LinkOpened | E::Redial)
            | (P::Open, E::Proved)
            | (P::Waiting, E::Dialled | E::LinkOpened | E::Proved | E::Lost)
            | (
                P::Closing | P::Closed,
                E::Dialled | E::LinkOpened | E::Proved | E::Lost | E::Finished | E::Redial,
            )
            | (
                P::Idle | P::Asking | P::Dialling | P::Proving | P::Open | P::Waiting | P::Closed,
                E::HandshakeOver,
            ) => Never,
        }
    }

    /// What the user is told.
    pub const fn state(self, offline: bool, draining: bool) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Closing => State::Closing,
            _ if draining => State::Closing,
            Self::Idle | Self::Asking | Self::Dialling | Self::Proving => State::Connecting,
            Self::Open => State::Open,
            Self::Waiting if offline => State::Offline,
            Self::Waiting => State::Waiting,
        }
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Dialled,
        Self::LinkOpened,
        Self::Proved,
        Self::Lost,
        Self::Finished,
        Self::Redial,
        Self::Shut,
        Self::HandshakeOver,
    ];
}
