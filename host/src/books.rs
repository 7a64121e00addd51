//! Which links look at which subject, and whose they are: so that a message wakes its readers and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::engine::{Producer, Subject};

use crate::link::Listed;
use crate::order::LinkId;

#[derive(Debug, Default)]
pub(crate) struct Books {
    subjects: BTreeMap<Subject, BTreeSet<LinkId>>,
    producers: BTreeMap<Producer, BTreeSet<LinkId>>,
    identities: BTreeMap<Subject, BTreeSet<LinkId>>,
}

impl Books {
    pub(crate) fn readers(&self, subject: &Subject) -> Vec<LinkId> {
        listed(&self.subjects, subject)
    }

    pub(crate) fn of_producer(&self, producer: &Producer) -> Vec<LinkId> {
        listed(&self.producers, producer)
    }

    pub(crate) fn of_identity(&self, identity: &Subject) -> Vec<LinkId> {
        listed(&self.identities, identity)
    }

    /// How many subjects somebody looks at.
    pub(crate) fn subjects(&self) -> usize {
        self.subjects.len()
    }

    /// A link is found under other names from now on.
    pub(crate) fn list(&mut self, link: LinkId, before: &Listed, now: &Listed) {
        if !before.filter.is_same(&now.filter) {
            for (subject, _) in before.filter.iter().filter(|(subject, _)| now.filter.from(subject).is_none())
            {
                remove(&mut self.subjects, subject, link);
            }
            for (subject, _) in now.filter.iter().filter(|(subject, _)| before.filter.from(subject).is_none())
            {
                self.subjects.entry(subject.clone()).or_default().insert(link);
            }
        }
        replace(&mut self.subjects, &before.inbox, &now.inbox, link);
        replace(&mut self.producers, &before.producer, &now.producer, link);
        replace(&mut self.identities, &before.identity, &now.identity, link);
    }
}

fn listed<K: Ord>(book: &BTreeMap<K, BTreeSet<LinkId>>, key: &K) -> Vec<LinkId> {
    book.get(key).map(|links| links.iter().copied().collect()).unwrap_or_default()
}

fn replace<K: Ord + Clone>(
    book: &mut BTreeMap<K, BTreeSet<LinkId>>,
    before: &Option<K>,
    now: &Option<K>,
    link: LinkId,
) {
    if before == now {
        return;
    }
    if let Some(before) = before {
        remove(book, before, link);
    }
    if let Some(now) = now {
        book.entry(now.clone()).or_default().insert(link);
    }
}

fn remove<K: Ord>(book: &mut BTreeMap<K, BTreeSet<LinkId>>, key: &K, link: LinkId) {
    if let Some(links) = book.get_mut(key) {
        links.remove(&link);
        if links.is_empty() {
            book.remove(key);
        }
    }
}
