//! What a client can be doing and what can happen to it: one table. §20 of `docs/PROTOCOL.md`.
//!
//! That the application has closed is no phase of its own: until everything has left, the wire goes on as it was
//! [SEND-7], and what is *closing* in §20 is any of these with that wish on the record.

use crate::codes::State;

/// What a client is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Made, and not yet told to connect.
    Idle,
    /// The host is asking for url and token.
    Asking,
    /// A socket is connecting.
    Dialling,
    /// `hello` is written.
    Greeting,
    /// `welcome` has come: the link is in use.
    Open,
    /// In use, and the server has asked to be left.
    Leaving,
    /// There is no link; the next dial is due at a time.
    Waiting,
    /// The page is put away: no link, no dial, no timer.
    Suspended,
    /// Everything has left, `bye` is written, and the node's close is awaited.
    Closing,
    /// For good.
    Closed,
}

/// What can happen to it, after the close codes and the counts have had their say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The application wants the wire.
    Connect,
    /// The host has made a socket.
    Dialled,
    /// It has opened, with the subprotocol.
    LinkOpened,
    /// A `welcome` was carried out.
    Welcomed,
    /// A `goaway` has come.
    Goaway,
    /// The dial failed, or the link has ended or is left; the wire goes on.
    Ended,
    /// The next dial is due, or something cut the wait short.
    Due,
    /// The page is put away.
    Suspend,
    /// The page is back.
    Resume,
    /// The page is back, and the next dial may not be yet. [AWAY-12]
    Defer,
    /// The wire must not go on.
    Finish,
    /// The application has closed and everything has left.
    Shut,
    /// The node has closed behind `bye`, or took too long.
    HandshakeOver,
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client is now in this phase.
    To(Phase),
    /// Late or repeated news. [STATE-2]
    Ignored,
    /// Cannot happen: the machine filters it before it comes here. A property test holds it to that.
    Never,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 10] = [
        Self::Idle,
        Self::Asking,
        Self::Dialling,
        Self::Greeting,
        Self::Open,
        Self::Leaving,
        Self::Waiting,
        Self::Suspended,
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
            (P::Dialling, E::LinkOpened) => To(P::Greeting),
            (P::Greeting, E::Welcomed) => To(P::Open),
            (P::Open, E::Goaway) => To(P::Leaving),
            (P::Asking | P::Dialling | P::Greeting | P::Open | P::Leaving, E::Ended) => To(P::Waiting),
            (P::Waiting, E::Due) => To(P::Asking),
            (
                P::Idle
                | P::Asking
                | P::Dialling
                | P::Greeting
                | P::Open
                | P::Leaving
                | P::Waiting
                | P::Suspended,
                E::Finish,
            ) => To(P::Closed),
            (
                P::Idle | P::Asking | P::Dialling | P::Greeting | P::Open | P::Leaving | P::Waiting,
                E::Suspend,
            ) => To(P::Suspended),
            (P::Suspended, E::Resume) => To(P::Asking),
            (P::Suspended, E::Defer) => To(P::Waiting),
            // A link that has opened is left with a word; anything younger is abandoned.
            (P::Greeting | P::Open | P::Leaving, E::Shut) => To(P::Closing),
            (P::Idle | P::Asking | P::Dialling | P::Waiting | P::Suspended, E::Shut) => To(P::Closed),
            (P::Closing, E::HandshakeOver | E::Suspend) => To(P::Closed),

            // A second `goaway` on a link. [ERR-26]
            (P::Leaving, E::Goaway) => Ignored,
            (
                P::Asking
                | P::Dialling
                | P::Greeting
                | P::Open
                | P::Leaving
                | P::Waiting
                | P::Suspended
                | P::Closing
                | P::Closed,
                E::Connect,
            ) => Ignored,
            (P::Suspended | P::Closed, E::Suspend) => Ignored,
            (
                P::Idle
                | P::Asking
                | P::Dialling
                | P::Greeting
                | P::Open
                | P::Leaving
                | P::Waiting
                | P::Closing
                | P::Closed,
                E::Resume,
            ) => Ignored,
            (P::Closing | P::Closed, E::Shut | E::Finish) => Ignored,

            (P::Idle, E::Dialled | E::LinkOpened | E::Welcomed | E::Goaway | E::Ended | E::Due)
            | (P::Asking, E::LinkOpened | E::Welcomed | E::Goaway | E::Due)
            | (P::Dialling, E::Dialled | E::Welcomed | E::Goaway | E::Due)
            | (P::Greeting, E::Dialled | E::LinkOpened | E::Goaway | E::Due)
            | (P::Open | P::Leaving, E::Dialled | E::LinkOpened | E::Welcomed | E::Due)
            | (P::Waiting, E::Dialled | E::LinkOpened | E::Welcomed | E::Goaway | E::Ended)
            | (
                P::Suspended | P::Closing | P::Closed,
                E::Dialled | E::LinkOpened | E::Welcomed | E::Goaway | E::Ended | E::Due,
            )
            | (
                P::Idle
                | P::Asking
                | P::Dialling
                | P::Greeting
                | P::Open
                | P::Leaving
                | P::Waiting
                | P::Suspended
                | P::Closed,
                E::HandshakeOver,
            )
            | (
                P::Idle
                | P::Asking
                | P::Dialling
                | P::Greeting
                | P::Open
                | P::Leaving
                | P::Waiting
                | P::Closing
                | P::Closed,
                E::Defer,
            ) => Never,
        }
    }

    /// Whether the link is in use. [STATE-1]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Leaving)
    }

    /// What the user is told.
    pub const fn state(self, offline: bool, draining: bool) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Closing => State::Closing,
            _ if draining => State::Closing,
            Self::Idle | Self::Asking | Self::Dialling | Self::Greeting => State::Connecting,
            Self::Open | Self::Leaving => State::Open,
            Self::Waiting if offline => State::Offline,
            Self::Waiting | Self::Suspended => State::Waiting,
        }
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 13] = [
        Self::Connect,
        Self::Dialled,
        Self::LinkOpened,
        Self::Welcomed,
        Self::Goaway,
        Self::Ended,
        Self::Due,
        Self::Suspend,
        Self::Resume,
        Self::Defer,
        Self::Finish,
        Self::Shut,
        Self::HandshakeOver,
    ];
}
