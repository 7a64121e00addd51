//! The questions to the driver that are open: for hooks and for the authentication.

use std::collections::BTreeMap;

use super::input::AskId;
use crate::engine::Subject;
use crate::time::{Duration, Instant};

/// How long a hook may take. [TIME-2]
pub(super) const HOOK_MAX: Duration = Duration::from_secs(10);

/// A message on its way through the hook.
#[derive(Clone, Debug)]
pub(super) struct Draft<P> {
    pub(super) n: u64,
    pub(super) subject: Option<Subject>,
    pub(super) request: bool,
    pub(super) payload: P,
    /// How often the hook has failed on it.
    pub(super) failures: u8,
}

/// What a question is for.
#[derive(Clone, Debug)]
pub(super) enum Question<P> {
    /// Who `hello` is.
    Identity,
    /// Who renews.
    Renewal,
    /// These rooms of `hello`, by their places in it.
    Hello(Vec<usize>),
    /// The filter anew.
    Filter(Vec<Subject>),
    /// A room to be joined.
    Join(Subject),
    /// The page with this id.
    Page(u64),
    /// A message.
    Message(Draft<P>),
    /// A cast.
    Cast,
}

impl<P> Question<P> {
    pub(super) const fn is_identity(&self) -> bool {
        matches!(self, Self::Identity | Self::Renewal)
    }

    pub(super) const fn is_rooms(&self) -> bool {
        matches!(self, Self::Hello(_) | Self::Filter(_) | Self::Join(_) | Self::Page(_))
    }

    pub(super) const fn is_message(&self) -> bool {
        matches!(self, Self::Message(_) | Self::Cast)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Asks<P> {
    asked: u64,
    /// All have the same time, so the first is due first.
    open: BTreeMap<AskId, (Instant, Question<P>)>,
}

impl<P> Asks<P> {
    pub(super) fn new() -> Self {
        Self { asked: 0, open: BTreeMap::new() }
    }

    pub(super) fn ask(&mut self, question: Question<P>, now: Instant) -> AskId {
        let id = AskId(self.asked);
        self.asked += 1;
        self.open.insert(id, (now + HOOK_MAX, question));
        id
    }

    /// What an answer is to, if it is of this kind and still waited for.
    pub(super) fn take(&mut self, id: AskId, fits: impl Fn(&Question<P>) -> bool) -> Option<Question<P>> {
        self.open.get(&id).filter(|(_, question)| fits(question))?;
        self.open.remove(&id).map(|(_, question)| question)
    }

    pub(super) fn keep(&mut self, fits: impl Fn(&Question<P>) -> bool) {
        self.open.retain(|_, (_, question)| fits(question));
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.first_key_value().map(|(_, (due, _))| *due)
    }

    /// The next question that has not been answered in time.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(AskId, Question<P>)> {
        let first = self.open.first_entry().filter(|first| first.get().0 <= now)?;
        let (id, (_, question)) = first.remove_entry();
        Some((id, question))
    }
}
