//! What the engine is told about: who writes, where to, under which fence.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The numbering source of one client's outgoing messages: 128 random bits, known to client and server alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Producer(pub [u8; 16]);

/// A producer is a secret and may appear in no log line.
impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as it stands.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Where a message is addressed: a room, an identity, or, beginning with `_`, a place of the server's own.
    /// Compared octet by octet; its form is checked by whoever takes it from a frame.
    Subject
}

impl Subject {
    /// Whether it is a place of the server's own, such as an inbox: no client joins it, pages it or writes to it.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with('_')
    }
}

name! {
    /// The life of one log. Positions, marks and numbers mean nothing outside the epoch in which they were given.
    LogEpoch
}

name! {
    /// Why a message was refused.
    RefusalCode
}

/// Whom the server takes a client for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The authenticated name.
    pub name: Arc<str>,
    /// Whether it was derived from the producer. Anybody can have any number of these, so when the records of all
    /// are too many theirs go first.
    pub anonymous: bool,
}

impl Identity {
    /// Somebody who has shown a credential.
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), anonymous: false }
    }

    /// Somebody of whom only the producer is known, under a name derived from it.
    pub fn anonymous(name: &str) -> Self {
        Self { name: name.into(), anonymous: true }
    }
}

/// The arguments of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Whose record.
    pub producer: Producer,
    /// Who claims it.
    pub identity: Identity,
    /// The subject of the producer's private inbox, `_` and a one-way function of the producer: the engine must know it
    /// to let the inbox go with the record. [REQ-4]
    pub inbox: Subject,
    /// The link that will write under it.
    pub link: u64,
    /// The lowest number that has not exited at the client.
    pub oldest: u64,
    /// The highest number that the client has given; 0 if none.
    pub written: u64,
    /// Which life of the record the client means: the link whose claim made it. None while it has given no number.
    pub born: Option<u64>,
}

/// Under what an `append` or a `refuse` is made. It stands on its own, so that a call that was issued long ago is
/// judged by what it knew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The log epoch of the link's claim.
    pub epoch: LogEpoch,
    /// Whose record.
    pub producer: Producer,
    /// The link that the client has this message from.
    pub link: u64,
    /// The lowest number that has not exited at the client, as last read.
    pub oldest: u64,
}

/// A set of (subject, from): the messages with that subject and a number above `from`. A clone shares it until one of
/// the two changes, so that every call can carry its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter(Arc<BTreeMap<Subject, u64>>);

impl Filter {
    /// A filter that nothing passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// This filter with another subject, or with another `from` for one that it has.
    #[must_use]
    pub fn with(mut self, subject: Subject, from: u64) -> Self {
        self.insert(subject, from);
        self
    }

    /// Adds a subject, or gives it another `from`.
    pub fn insert(&mut self, subject: Subject, from: u64) {
        Arc::make_mut(&mut self.0).insert(subject, from);
    }

    /// Takes a subject out.
    pub fn remove(&mut self, subject: &Subject) {
        if self.0.contains_key(subject) {
            Arc::make_mut(&mut self.0).remove(subject);
        }
    }

    /// From where on a subject passes, if it does.
    pub fn from(&self, subject: &Subject) -> Option<u64> {
        self.0.get(subject).copied()
    }

    /// Whether this message passes.
    pub fn passes(&self, subject: &Subject, s: u64) -> bool {
        self.from(subject).is_some_and(|from| s > from)
    }

    /// Whether it is a clone of this one, so that nobody need compare the two.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// All of it, in the order of the subjects.
    pub fn iter(&self) -> impl Iterator<Item = (&Subject, u64)> {
        self.0.iter().map(|(subject, from)| (subject, *from))
    }

    /// How many subjects it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing passes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [SEC-4]
    #[test]
    fn a_producer_is_never_printed() {
        let claim = Claim {
            producer: Producer([0x5d; 16]),
            identity: Identity::named("user_123"),
            inbox: "_inbox".into(),
            link: 1,
            oldest: 1,
            written: 0,
            born: None,
        };
        let printed = format!("{claim:?}");
        assert!(
            printed.contains("[redacted]") && !printed.contains("93") && !printed.contains("5d"),
            "{printed}"
        );
    }
}
