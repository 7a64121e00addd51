//! What a process wants done.

use std::borrow::Cow;

use everwire_core::engine::{Call, Subject};
use everwire_core::frame::Form;
use everwire_core::session::Secret;
use everwire_core::session::node::{AskId, CallId, RunId};

use crate::hooks::{Access, Kind};
use crate::payload::Payload;

/// A link of this process, as its driver calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Who has asked the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A link.
    Link(LinkId),
    /// The process itself.
    Process,
}

/// What a [`crate::Process`] wants done. Orders of one link are carried out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Write a WebSocket message.
    Write {
        /// Where.
        link: LinkId,
        /// Which kind.
        form: Form,
        /// It.
        octets: Vec<u8>,
    },
    /// A link has come to its `welcome`, which is written next.
    Welcomed {
        /// It.
        link: LinkId,
        /// Whose it is.
        identity: Subject,
    },
    /// Read from the transport, or leave it alone. It reads at first. [NODE-14]
    Reading {
        /// Where.
        link: LinkId,
        /// Whether.
        on: bool,
    },
    /// Write a close frame behind what has been written, and tell [`crate::Process::closed`] when the transport is closed. [CLOSE-11]
    Close {
        /// Where.
        link: LinkId,
        /// The code.
        code: u16,
        /// The reason.
        reason: Cow<'static, str>,
        /// Go on reading and discarding until the peer's close, the end of the stream, or 10 s; otherwise drop the
        /// transport at once.
        lingers: bool,
    },
    /// Nothing will come of this link any more.
    Forget {
        /// It.
        link: LinkId,
    },
    /// Find out who this is; then [`crate::Process::authenticated`].
    Authenticate {
        /// Who asks.
        link: LinkId,
        /// The question.
        id: AskId,
        /// The credential.
        token: Option<Secret>,
        /// Whether it is a renewal on a living link.
        renewal: bool,
    },
    /// Ask whether this identity may; then [`crate::Process::authorised`] with as many answers.
    Authorise {
        /// Who asks.
        link: LinkId,
        /// The question.
        id: AskId,
        /// Whom it is about.
        identity: Subject,
        /// The rooms, and what for.
        rooms: Vec<(Subject, Access)>,
    },
    /// Run the application's hook on a message; then [`crate::Process::examined`].
    Examine {
        /// Who asks.
        link: LinkId,
        /// The question.
        id: AskId,
        /// The sender.
        identity: Subject,
        /// What it is.
        kind: Kind,
        /// Where it goes, if that is known.
        subject: Option<Subject>,
        /// It.
        message: Payload,
    },
    /// Run the handler of a request; then [`crate::Process::ran`].
    Run {
        /// The run.
        run: RunId,
        /// Who asks.
        identity: Subject,
        /// It.
        request: Payload,
    },
    /// Have the engine carry this out; then [`crate::Process::answered`].
    Call {
        /// Who asks.
        asker: Asker,
        /// The call.
        id: CallId,
        /// What is asked.
        call: Call<Payload>,
    },
    /// Draw 128 random bits; then [`crate::Process::drawn`].
    Draw,
    /// A page has come into view or gone out of it. [VIS-2]
    Visible {
        /// Whose.
        link: LinkId,
        /// Which.
        on: bool,
    },
}
