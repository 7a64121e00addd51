//! The engine behind all nodes, and what of it tells one state from another.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use everwire_core::engine::{
    Answer, Appended, Call, Claim, Claimed, Direction, Engine as _, Fence, Filter, Identity, Limit, LogEpoch,
    Memory, MemoryConfig, Payload, Producer, Read, Refused, Span, Subject,
};

use super::{LINKS_MAX, NOW, TICKETS, client_of};
use crate::Bug;

/// What is stored: the ticket, which no two messages share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Body(pub(crate) u32);

impl Payload for Body {
    fn octets(&self) -> u64 {
        100
    }
}

/// What the engine would answer about one producer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known {
    link: u64,
    born: u64,
    mark: u64,
    floor: u64,
    refused: Vec<Refused>,
}

/// All that any later answer can depend on. When a record was used is left out: no cap is ever reached here, so which
/// record would go first is no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// The tickets of each client in their order.
    pub(crate) log: Vec<u32>,
    records: BTreeMap<Producer, Known>,
    /// How far each producer has ever been settled in this epoch. It outlives a forgotten record.
    marks: BTreeMap<Producer, u64>,
}

/// The engine, with what it has answered of itself. Whoever shares one shares the work of asking.
#[derive(Clone)]
pub(crate) struct Server {
    engine: Memory<Body>,
    /// Which log epoch this is, counted from 0.
    pub(crate) epoch: u8,
    named: BTreeSet<Producer>,
    seen: Seen,
    /// What the epochs before have ended with.
    past: Vec<Seen>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.past).entry(&self.seen).finish()
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        (&self.seen, &self.past) == (&other.seen, &other.past)
    }
}

impl Hash for Server {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seen.hash(state);
        self.past.hash(state);
    }
}

fn name(epoch: u8) -> LogEpoch {
    format!("e{epoch}").as_str().into()
}

pub(crate) fn room() -> Subject {
    "room".into()
}

/// The claim of a producer, of which nothing but the producer says whose it is.
pub(crate) fn claim(producer: Producer, link: u64, oldest: u64, written: u64, born: Option<u64>) -> Claim {
    let client = client_of(producer);
    let inbox = format!("_inbox.{}.{}", client, producer.0[1]).as_str().into();
    let identity = Identity::named(&format!("user_{client}"));
    Claim { producer, identity, inbox, link, oldest, written, born }
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            engine: Memory::new(MemoryConfig::default(), name(0)),
            epoch: 0,
            named: BTreeSet::new(),
            seen: Seen::default(),
            past: Vec::new(),
        }
    }

    /// Which epoch, counted from 0, has this name.
    pub(crate) fn epoch_of(&self, epoch: &LogEpoch) -> u8 {
        (0..=self.epoch).find(|at| name(*at) == *epoch).expect("an epoch that there was")
    }

    /// What an epoch has come to.
    pub(crate) fn seen(&self, epoch: u8) -> &Seen {
        self.past.get(usize::from(epoch)).unwrap_or(&self.seen)
    }

    pub(crate) fn logs(&self) -> impl Iterator<Item = &[u32]> {
        self.past.iter().chain([&self.seen]).map(|seen| seen.log.as_slice())
    }

    /// How far a producer was settled in an epoch.
    pub(crate) fn mark(&self, epoch: u8, producer: &Producer) -> u64 {
        self.seen(epoch).marks.get(producer).copied().unwrap_or(0)
    }

    /// Whether refusals of a producer are kept.
    pub(crate) fn keeps_refusals(&self, producer: &Producer) -> bool {
        self.seen.records.get(producer).is_some_and(|known| !known.refused.is_empty())
    }

    /// The engine after a call, and its answer.
    pub(crate) fn carry_out(&self, call: &Call<Body>, bug: Bug) -> (Self, Answer<Body>) {
        let mut next = self.clone();
        if let Call::Claim(claim) = call {
            next.named.insert(claim.producer);
        }
        let answer = call.carry_out(&mut next.engine, NOW);
        next.look(bug);
        (next, answer)
    }

    /// Everything is lost, and the next log has another name. [ENG-2]
    pub(crate) fn restart(&self, bug: Bug) -> Self {
        let mut next = self.clone();
        next.past.push(Seen { records: BTreeMap::new(), ..core::mem::take(&mut next.seen) });
        next.epoch += 1;
        next.engine.restart(name(next.epoch));
        next.look(bug);
        next
    }

    pub(crate) fn forget(&self, producer: &Producer, bug: Bug) -> Self {
        let mut next = self.clone();
        let _ = next.engine.forget(producer, NOW);
        next.look(bug);
        next
    }

    /// Asks the engine about itself. The bug is off meanwhile, for it might lie.
    fn look(&mut self, bug: Bug) {
        bug.off();
        let mut probe = self.engine.clone();
        let epoch = probe.epoch().clone();
        let (span, limit) =
            (Span { after: 0, before: u64::MAX }, Limit { messages: usize::MAX, octets: u64::MAX });
        let filter = Filter::new().with(room(), 0);
        let read = probe.read(&epoch, &filter, span, limit, Direction::Upwards, NOW);
        let Ok(Read::Interval(interval)) = read else { unreachable!("nothing is ever discarded: {read:?}") };
        self.seen.log = interval.messages.into_iter().map(|message| message.payload.0).collect();
        // Whose message came first is no difference: nothing upwards is told of it.
        self.seen.log.sort_by_key(|ticket| ticket / TICKETS);
        self.seen.records = self
            .named
            .iter()
            .filter_map(|producer| Some((*producer, known(&mut probe, *producer)?)))
            .collect();
        for (producer, known) in &self.seen.records {
            let mark = self.seen.marks.entry(*producer).or_default();
            *mark = known.mark.max(*mark);
        }
        bug.on();
    }
}

/// What is on record of a producer, by what the engine answers. It changes the record: ask a copy.
fn known(probe: &mut Memory<Body>, producer: Producer) -> Option<Known> {
    let epoch = probe.epoch().clone();
    // An empty append changes nothing, and is answered only to the link that holds the record.
    let (link, mark, refused) = (1..LINKS_MAX).find_map(|link| {
        let fence = Fence { epoch: epoch.clone(), producer, link, oldest: 1 };
        match probe.append(&fence, 1, &[], NOW) {
            Ok(Appended::Duplicate { mark, refusals }) => Some((link, mark, refusals)),
            _ => None,
        }
    })?;
    let mut claims = (1..=mark + 1).zip(LINKS_MAX..);
    let (floor, born) = claims.find_map(|(oldest, link)| {
        match probe.claim(&claim(producer, link, oldest, u64::from(u32::MAX), None), NOW) {
            Ok(Claimed::Claimed { born, .. }) => Some((oldest, born)),
            _ => None,
        }
    })?;
    Some(Known { link, born, mark, floor, refused })
}
