//! Casts of a client on their way through the hook.

use std::collections::VecDeque;

use super::input::AskId;
use crate::engine::Post;

/// Casts that wait for the hook. One more is dropped, as a cast may be. [CAST-1]
const WAITING_MAX: usize = 64;

#[derive(Clone, Debug)]
enum Cast<P> {
    Asked(AskId),
    Passed(Post<P>),
    Dropped,
}

/// In the order in which they came, however the hook answers. [CAST-5]
#[derive(Clone, Debug)]
pub(super) struct Casts<P>(VecDeque<Cast<P>>);

impl<P> Casts<P> {
    pub(super) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.len() < WAITING_MAX
    }

    pub(super) fn push(&mut self, id: AskId) {
        self.0.push_back(Cast::Asked(id));
    }

    /// What the hook says: `None` drops it.
    pub(super) fn decide(&mut self, id: AskId, passed: Option<Post<P>>) {
        let open = self.0.iter_mut().find(|cast| matches!(cast, Cast::Asked(asked) if *asked == id));
        if let Some(cast) = open {
            *cast = passed.map_or(Cast::Dropped, Cast::Passed);
        }
    }

    /// The next one to be published.
    pub(super) fn next(&mut self) -> Option<Post<P>> {
        loop {
            if let Cast::Asked(_) = self.0.front()? {
                return None;
            }
            if let Cast::Passed(post) = self.0.pop_front()? {
                return Some(post);
            }
        }
    }
}
