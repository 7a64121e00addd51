//! The engine, and somebody who writes into it.

use core::fmt;
use std::hash::{Hash, Hasher};

use everwire_core::engine::{
    Appended, Claim, Claimed, Engine as _, Fence, Identity, LogEpoch, Memory, MemoryConfig, Payload, Post,
    Producer, Subject,
};
use everwire_core::session::down::Content;

use super::NOW;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) octets: u64,
}

impl Payload for Body {
    fn octets(&self) -> u64 {
        self.octets
    }
}

impl Content for Body {
    fn is_binary(&self) -> bool {
        false
    }
}

/// Whose messages these are does not matter here.
const WRITER: Producer = Producer([1; 16]);
const READER: Producer = Producer([2; 16]);

/// The engine with all that was ever stored in it, from which everything else of it follows.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) engine: Memory<Body>,
    written: u64,
    /// By epoch, what was stored under which number.
    pub(crate) stored: Vec<Vec<(u64, Subject)>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.stored).finish()
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        self.stored == other.stored
    }
}

impl Hash for Server {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.stored.hash(state);
    }
}

fn claim(producer: Producer, link: u64) -> Claim {
    let (inbox, identity) = (Subject::from("_inbox"), Identity::named("somebody"));
    Claim { producer, identity, inbox, link, oldest: 1, written: 0, born: None }
}

impl Server {
    pub(crate) fn new(messages_max: usize) -> Self {
        let config = MemoryConfig { messages_max, ..MemoryConfig::default() };
        let mut server = Self { engine: Memory::new(config, "e0".into()), written: 0, stored: vec![] };
        server.begin();
        server
    }

    fn begin(&mut self) {
        self.written = 0;
        self.stored.push(vec![]);
        self.engine.claim(&claim(WRITER, 1), NOW).expect("an engine at hand");
    }

    pub(crate) fn restart(&mut self) {
        self.engine.restart(format!("e{}", self.stored.len()).as_str().into());
        self.begin();
    }

    pub(crate) fn post(&mut self, subject: &Subject, octets: u64) {
        let fence = Fence { epoch: self.engine.epoch().clone(), producer: WRITER, link: 1, oldest: 1 };
        let post = Post::new(subject.clone(), Body { octets });
        self.written += 1;
        let appended = self.engine.append(&fence, self.written, &[post], NOW);
        let Ok(Appended::Stored { numbers, .. }) = appended else { unreachable!("{appended:?}") };
        self.stored.last_mut().expect("an epoch").push((numbers[0], subject.clone()));
    }

    /// A reader's link claims: the epoch and the head.
    pub(crate) fn claim(&mut self, link: u64) -> Option<(LogEpoch, u64)> {
        match self.engine.claim(&claim(READER, link), NOW) {
            Ok(Claimed::Claimed { epoch, head, .. }) => Some((epoch, head)),
            _ => None,
        }
    }

    /// What was stored in the epoch of this name, and how manyth epoch that is.
    pub(crate) fn stored(&self, epoch: &LogEpoch) -> (usize, &[(u64, Subject)]) {
        let named = |at: &usize| format!("e{at}") == epoch.as_str();
        let at = (0..self.stored.len()).find(named).expect("an epoch that there was");
        (at, &self.stored[at])
    }
}
