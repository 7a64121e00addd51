//! Casts on their way to the tails.

use std::collections::VecDeque;

use super::{Cursor, Filter, Payload, Post};
use crate::time::{Duration, Instant};

/// How many casts wait for tails to look. A node that looks a thousand casts late has nothing left to animate.
pub const CASTS_MAX: usize = 1024;
/// How many bytes of casts wait; the newest one does, however long.
pub const CAST_OCTETS_MAX: u64 = 1 << 20;
/// How long a cast waits. A node looks within milliseconds; who comes later is told what has long passed.
pub const CAST_AGE_MAX: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
struct Cast<P> {
    at: Instant,
    post: Post<P>,
}

/// The last few casts, numbered for the cursors' sake alone: who falls behind misses some.
#[derive(Clone, Debug)]
pub(super) struct Casts<P> {
    waiting: VecDeque<Cast<P>>,
    octets: u64,
    /// How many have ever been published: the newest one waiting has this number.
    published: u64,
}

impl<P: Payload> Casts<P> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), octets: 0, published: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn publish(&mut self, post: Post<P>, now: Instant) {
        self.octets += post.payload.octets();
        self.published += 1;
        self.waiting.push_back(Cast { at: now, post });
        while self.waiting.len() > CASTS_MAX || (self.octets > CAST_OCTETS_MAX && self.waiting.len() > 1) {
            self.drop_oldest();
        }
    }

    /// When the next cast is due to go.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|cast| cast.at + CAST_AGE_MAX)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|cast| now.since(cast.at) >= CAST_AGE_MAX) {
            self.drop_oldest();
        }
    }

    /// Nothing is handed on from one log epoch to the next.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.octets = 0;
    }

    fn drop_oldest(&mut self) {
        if let Some(cast) = self.waiting.pop_front() {
            self.octets -= cast.post.payload.octets();
        }
    }

    /// What has been cast since the cursor's last look.
    pub(super) fn since(&self, cursor: &mut Cursor, filter: &Filter) -> Vec<Post<P>> {
        let Some(handed_out) = cursor.cast.replace(self.published) else { return Vec::new() };
        // A cursor that another engine had moved on would count from above.
        let fresh = usize::try_from(self.published.saturating_sub(handed_out)).unwrap_or(usize::MAX);
        let skipped = self.waiting.len().saturating_sub(fresh);
        let fresh = self.waiting.iter().skip(skipped);
        fresh.map(|cast| &cast.post).filter(|post| filter.from(&post.subject).is_some()).cloned().collect()
    }
}
