//! What a link can be doing at its node and what can happen to it: one table. [§20]
//!
//! [`NodePhase::next`] is the whole truth about transitions. The state × event matrix is a golden file
//! (`core/tests/snapshots`).

/// What a link is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodePhase {
    /// It has opened; `hello` is awaited.
    Fresh,
    /// `hello` has come: the client is being authenticated, authorised, and claimed for.
    Claiming,
    /// `welcome` is written; the link is served.
    Open,
    /// `goaway` is written; the link is served until its time is up.
    Draining,
    /// Nothing more is read. What has been read is being finished.
    Finishing,
    /// Closed. Only the answer to an engine call under way still matters, for requests that it has stored.
    Ended,
}

/// What can happen to a link, after the checks of each frame have had their say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// A `hello` that is well formed.
    Hello,
    /// `welcome` is written.
    Welcomed,
    /// The server drains.
    Drain,
    /// The client has said its last word.
    Bye,
    /// The time of `goaway` is up.
    TimeUp,
    /// All that was read has a verdict, or the time for it is over.
    Finished,
    /// The node closes: a protocol error, a verdict, a fence, another log epoch, a failure, the application's wish.
    End,
    /// The transport is closed.
    Closed,
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStep {
    /// The link is now in this phase.
    To(NodePhase),
    /// News that changes nothing.
    Ignored,
    /// Cannot happen: the machine filters it before it comes here. A property test holds it to that.
    Never,
}

impl NodePhase {
    /// Every phase.
    pub const ALL: [Self; 6] =
        [Self::Fresh, Self::Claiming, Self::Open, Self::Draining, Self::Finishing, Self::Ended];

    /// The transition table.
    pub const fn next(self, event: NodeEvent) -> NodeStep {
        use NodeEvent as E;
        use NodePhase as P;
        use NodeStep::{Ignored, Never, To};
        match (self, event) {
            (P::Fresh, E::Hello) => To(P::Claiming),
            (P::Claiming, E::Welcomed) => To(P::Open),
            (P::Open, E::Drain) => To(P::Draining),
            // The claim, if made, ends by itself. [BYE-2]
            (P::Claiming, E::Bye) => To(P::Ended),
            (P::Open | P::Draining, E::Bye) => To(P::Finishing),
            (P::Draining, E::TimeUp) => To(P::Finishing),
            (P::Finishing, E::Finished) => To(P::Ended),
            (P::Fresh | P::Claiming | P::Open | P::Draining | P::Finishing, E::End | E::Closed) => {
                To(P::Ended)
            }

            // A link that is not open yet is told when it is, or turned away; no link is told twice.
            (P::Fresh | P::Claiming | P::Draining | P::Finishing | P::Ended, E::Drain) => Ignored,
            (P::Ended, E::End | E::Closed) => Ignored,

            (P::Claiming | P::Open | P::Draining | P::Finishing | P::Ended, E::Hello)
            | (P::Fresh | P::Open | P::Draining | P::Finishing | P::Ended, E::Welcomed)
            | (P::Fresh | P::Finishing | P::Ended, E::Bye)
            | (P::Fresh | P::Claiming | P::Open | P::Finishing | P::Ended, E::TimeUp)
            | (P::Fresh | P::Claiming | P::Open | P::Draining | P::Ended, E::Finished) => Never,
        }
    }
}

impl NodeEvent {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::Hello,
        Self::Welcomed,
        Self::Drain,
        Self::Bye,
        Self::TimeUp,
        Self::Finished,
        Self::End,
        Self::Closed,
    ];
}
