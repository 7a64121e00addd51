//! Known bugs that a test can switch on, one at a time, to see that somebody notices.
//!
//! Without the feature `mutants` none of them is compiled: `mutant!(…)` is then the constant `false`. With it one may be
//! on per thread, so that schedules with and without it run side by side.

/// Declares the bugs with their names and what each does.
macro_rules! mutants {
    ($($(#[$doc:meta])* $mutant:ident = $name:literal,)*) => {
        /// A bug that somebody has shipped, or that this design makes easy to write.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant { $($(#[$doc])* $mutant,)* }

        impl Mutant {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$mutant),*];

            /// What it is called on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$mutant => $name),* }
            }
        }
    };
}

mutants! {
    /// The engine stores whatever it is given, whatever its mark says.
    NoDedupe = "no-dedupe",
    /// Duplicates are known by the node that stored the message, not by the engine.
    DedupePerNode = "dedupe-per-node",
    /// Duplicates are forgotten after a while.
    DedupeByWindow = "dedupe-by-window",
    /// A message gets its number when it is handed over.
    NumberAtSubmit = "number-at-submit",
    /// What was unsettled when the link was lost gets fresh numbers.
    Renumber = "renumber",
    /// A refusal is answered and not recorded with the mark.
    RefusalUnrecorded = "refusal-unrecorded",
    /// A refusal does not move the mark: it is tried again, in front of everything else.
    RefusalBlocks = "refusal-blocks",
    /// What is unconfirmed when the link is lost is let go as settled.
    DropOnDisconnect = "drop-on-disconnect",
    /// A message is acknowledged when it has been read.
    AckBeforeAppend = "ack-before-append",
    /// A message counts as processed when it has come.
    SeenOnReceipt = "seen-on-receipt",
    /// A node goes on where the server last wrote to the client, not where the client says it is.
    ServerCursor = "server-cursor",
    /// An interval that begins above the position is taken.
    NoGapCheck = "no-gap-check",
    /// `upto` is the last message's number plus what the node thinks must have come since.
    UptoComputed = "upto-computed",
    /// A joined room is read from when the reader attaches, not from its `from`.
    HistoryBeforeAttach = "history-before-attach",
    /// The engine takes calls of an older link.
    NoFence = "no-fence",
    /// A room's messages are pushed whatever its `from`.
    NoFrom = "no-from",
    /// A position is kept when the log epoch has changed.
    PositionAcrossEpochs = "position-across-epochs",
    /// The backoff is reset when a link opens.
    BackoffResetAtOpen = "backoff-reset-at-open",
    /// Credit is added to what there was.
    CreditIncrement = "credit-increment",
    /// Answers wait for downward credit.
    AnswersBehindCredit = "answers-behind-credit",
    /// A probe that was answered late leads to a new link all the same.
    AnsweredProbeRedials = "answered-probe-redials",
    /// The deadline of a probe does not reckon with the octets in front of it.
    NoDrainRate = "no-drain-rate",
    /// The probe's clock begins anew whenever the transport's buffer falls.
    ProbeClockRestarts = "probe-clock-restarts",
    /// A number goes out before it is on the host's record.
    NumberUnrecorded = "number-unrecorded",
    /// Link numbers begin anew in a restored instance.
    LinkRestarts = "link-restarts",
    /// A restored instance says in `hello` what was seen, not what was received.
    SeenInHello = "seen-in-hello",
    /// A loss is told by the log's first number, not by what was discarded of the filter.
    LostByFirst = "lost-by-first",
}

#[cfg(feature = "mutants")]
std::thread_local! {
    static ON: core::cell::Cell<Option<Mutant>> = const { core::cell::Cell::new(None) };
}

/// Switches one on for this thread, and every other off. What the one before remembered is forgotten.
#[cfg(feature = "mutants")]
pub fn switch(mutant: Option<Mutant>) {
    crate::session::node::forget();
    crate::engine::forget();
    ON.set(mutant);
}

/// Whether it is on.
#[cfg(feature = "mutants")]
pub fn is_on(mutant: Mutant) -> bool {
    ON.get() == Some(mutant)
}

/// Whether it is on: it is not.
#[cfg(not(feature = "mutants"))]
pub const fn is_on(_: Mutant) -> bool {
    false
}

/// Whether this bug is on: a constant `false` in everything that ships.
macro_rules! mutant {
    ($mutant:ident) => {
        $crate::mutant::is_on($crate::mutant::Mutant::$mutant)
    };
}
pub(crate) use mutant;
