//! What waits for the engine's verdict, and the call that asks for it.

use super::settling::Judgement;
use crate::engine::{Call, Fence, Post};
use crate::time::Instant;

/// A message that was read and is not settled.
#[derive(Clone, Debug)]
pub(super) struct Pending<P> {
    pub(super) bytes: u64,
    /// `None` too while the message itself is in a call.
    pub(super) judgement: Option<Judgement<P>>,
}

/// A call and whether its answer is awaited; otherwise it waits to be issued again.
#[derive(Clone, Debug)]
pub(super) struct Issued<P> {
    pub(super) call: Call<P>,
    pub(super) awaited: bool,
    pub(super) since: Instant,
    pub(super) failed_at: Instant,
}

impl<P> Issued<P> {
    pub(super) fn fence(&self) -> Option<&Fence> {
        match &self.call {
            Call::Append { fence, .. } | Call::Refuse { fence, .. } => Some(fence),
            _ => None,
        }
    }

    /// What it would store.
    pub(super) fn batch(&self) -> &[Post<P>] {
        match &self.call {
            Call::Append { batch, .. } => batch,
            _ => &[],
        }
    }
}
