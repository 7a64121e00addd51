//! A call to the engine as a value, and the answer to it.
//!
//! A node that only says what it would ask lets its driver decide when that reaches an engine: at once, later, twice, or
//! never.

use std::sync::Arc;

use super::{
    Appended, Claim, Claimed, Cursor, Direction, Engine, Failure, Fence, Filter, Limit, LogEpoch, Payload,
    Post, Producer, Read, RefusalAnswer, RefusalCode, Span, Subject, Tailed,
};
use crate::time::Instant;

/// One of the eight methods of [`Engine`], with its arguments. A clone shares filter and batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call<P> {
    /// [`Engine::claim`], the only one that must not be carried out twice. [ENG-5]
    Claim(Claim),
    /// [`Engine::append`].
    Append {
        /// Under what.
        fence: Fence,
        /// The first message's number.
        n: u64,
        /// The messages.
        batch: Arc<[Post<P>]>,
    },
    /// [`Engine::refuse`].
    Refuse {
        /// Under what.
        fence: Fence,
        /// The number.
        n: u64,
        /// Why.
        code: RefusalCode,
    },
    /// [`Engine::read`].
    Read {
        /// The log epoch of the link's claim.
        epoch: LogEpoch,
        /// What passes.
        filter: Filter,
        /// Between which numbers.
        span: Span,
        /// How much.
        limit: Limit,
        /// Which way.
        direction: Direction,
    },
    /// [`Engine::tail`].
    Tail {
        /// The log epoch of the link's claim.
        epoch: LogEpoch,
        /// What passes.
        filter: Filter,
        /// Where the tail stands; the answer brings it back, moved.
        cursor: Cursor,
        /// How much.
        limit: Limit,
    },
    /// [`Engine::trimmed`].
    Trimmed {
        /// The log epoch of the link's claim.
        epoch: LogEpoch,
        /// The subjects.
        filter: Filter,
    },
    /// [`Engine::publish`].
    Publish {
        /// The log epoch of the link's claim.
        epoch: LogEpoch,
        /// What is cast.
        cast: Post<P>,
    },
    /// [`Engine::forget`].
    Forget {
        /// Whose record.
        producer: Producer,
    },
}

/// The answer to the [`Call`] of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<P> {
    /// To a claim.
    Claim(Result<Claimed, Failure>),
    /// To an append.
    Append(Result<Appended, Failure>),
    /// To a refusal.
    Refuse(Result<RefusalAnswer, Failure>),
    /// To a read.
    Read(Result<Read<P>, Failure>),
    /// To a look at the tail, with the cursor for the next one.
    Tail(Result<(Tailed<P>, Cursor), Failure>),
    /// To the question what has been discarded.
    Trimmed(Result<Vec<(Subject, u64)>, Failure>),
    /// To a cast.
    Publish(Result<(), Failure>),
    /// To the end of a record.
    Forget(Result<(), Failure>),
}

impl<P: Payload> Call<P> {
    /// Has the engine answer it.
    pub fn carry_out(&self, engine: &mut impl Engine<P>, now: Instant) -> Answer<P> {
        match self {
            Self::Claim(claim) => Answer::Claim(engine.claim(claim, now)),
            Self::Append { fence, n, batch } => Answer::Append(engine.append(fence, *n, batch, now)),
            Self::Refuse { fence, n, code } => Answer::Refuse(engine.refuse(fence, *n, code, now)),
            Self::Read { epoch, filter, span, limit, direction } => {
                Answer::Read(engine.read(epoch, filter, *span, *limit, *direction, now))
            }
            Self::Tail { epoch, filter, cursor, limit } => {
                let mut cursor = cursor.clone();
                let tailed = engine.tail(epoch, filter, &mut cursor, *limit, now);
                Answer::Tail(tailed.map(|tailed| (tailed, cursor)))
            }
            Self::Trimmed { epoch, filter } => Answer::Trimmed(engine.trimmed(epoch, filter, now)),
            Self::Publish { epoch, cast } => Answer::Publish(engine.publish(epoch, cast.clone(), now)),
            Self::Forget { producer } => Answer::Forget(engine.forget(producer, now)),
        }
    }

    /// What the node is told where the engine did not answer, whether it has carried the call out or not.
    pub fn unanswered(&self) -> Answer<P> {
        let failure = Failure::Unanswered;
        match self {
            Self::Claim(_) => Answer::Claim(Err(failure)),
            Self::Append { .. } => Answer::Append(Err(failure)),
            Self::Refuse { .. } => Answer::Refuse(Err(failure)),
            Self::Read { .. } => Answer::Read(Err(failure)),
            Self::Tail { .. } => Answer::Tail(Err(failure)),
            Self::Trimmed { .. } => Answer::Trimmed(Err(failure)),
            Self::Publish { .. } => Answer::Publish(Err(failure)),
            Self::Forget { .. } => Answer::Forget(Err(failure)),
        }
    }
}
