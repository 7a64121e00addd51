//! What must hold, judged by what applications call and hear and by the log, never by what a machine believes.

use std::collections::BTreeMap;
use std::fmt;

use everwire_core::Instant;

/// What went wrong first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise: one of few, so that shrinking keeps to it.
    pub what: &'static str,
    /// The rest of the story.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.detail)
    }
}

pub(super) type Checked<T = ()> = Result<T, Violation>;

macro_rules! broken {
    ($what:literal, $($detail:tt)*) => {
        Err(Violation { what: $what, detail: format!($($detail)*) })
    };
}
pub(super) use broken;

/// A room or a client's own subject, by its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A room.
    Room(u8),
    /// Somebody's own subject.
    User(u8),
    /// Requests, inboxes and whatever is nobody's to read.
    Server,
}

/// How a message left, as its sender was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Stored,
    Refused,
    Unknown,
    InDoubt,
    NeverWritten,
}

/// How a request ended for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Answer,
    Failed,
    InDoubt,
}

/// Priority and key: among messages of one rank what came first goes first. The newest of a key takes the place of the
/// one that waits, so between keys there is no order.
pub(super) type Rank = (u8, Option<u32>);

#[derive(Debug)]
struct Sent {
    client: u8,
    place: Place,
    rank: Rank,
    request: bool,
    told: Option<Told>,
    /// The log in which it was stored.
    stored_epoch: u32,
    unbacked: bool,
    stored: u8,
    runs: u8,
    ran_at: Option<Instant>,
    reply: Option<Reply>,
}

#[derive(Debug)]
struct Stored {
    epoch: u32,
    s: u64,
    place: Place,
    id: u32,
}

/// A client's time in a place, in lengths of the log.
#[derive(Clone, Copy, Debug)]
struct Stay {
    /// What was stored before that is not its.
    asked: usize,
    /// From here on there may be no hole behind the first that it was given.
    whole: usize,
    /// What is stored from here on must come; `None` before the application has heard that it is in.
    owed: Option<usize>,
    /// The application has left or was put out.
    ended: Option<usize>,
    /// From where on it has been told that it is in: below what it asked for, if it has left and come back before the
    /// server had heard of either.
    from: Option<u64>,
}

#[derive(Debug, Default)]
struct Reader {
    stays: BTreeMap<Place, Vec<Stay>>,
    /// By place in the log.
    got: Vec<bool>,
    /// The last handler that was started: epoch and s.
    last: Option<(u32, u64)>,
    /// The log of the last link, and of the one before it was reported as changed.
    epoch: Option<u32>,
    closed: Option<usize>,
}

/// Everything that has happened, as far as somebody outside can know it.
#[derive(Debug)]
pub(super) struct Facts {
    sent: Vec<Sent>,
    log: Vec<Stored>,
    /// Where each epoch begins in `log`, and its numbers.
    epochs: Vec<BTreeMap<u64, usize>>,
    by_place: BTreeMap<Place, Vec<usize>>,
    readers: Vec<Reader>,
    /// Per client and rank the last message that was stored.
    order: BTreeMap<(u8, Rank), u32>,
    durable: bool,
    /// Handlers that were started.
    pub(super) handlers: u64,
}

impl Facts {
    pub(super) fn new(clients: u8, durable: bool) -> Self {
        Self {
            sent: Vec::new(),
            log: Vec::new(),
            epochs: vec![BTreeMap::new()],
            by_place: BTreeMap::new(),
            readers: (0..clients).map(|_| Reader::default()).collect(),
            order: BTreeMap::new(),
            durable,
            handlers: 0,
        }
    }

    // ---- upwards ----

    /// The application has handed over a message; answers its name.
    pub(super) fn submitted(&mut self, client: u8, place: Place, rank: Rank, request: bool) -> u32 {
        self.sent.push(Sent {
            client,
            place,
            rank,
            request,
            told: None,
            stored_epoch: 0,
            unbacked: false,
            stored: 0,
            runs: 0,
            ran_at: None,
            reply: None,
        });
        self.sent.len() as u32 - 1
    }

    /// It was not taken: nothing of it may ever be seen.
    pub(super) fn rejected(&mut self, id: u32) {
        let sent = &mut self.sent[id as usize];
        sent.told = Some(Told::NeverWritten);
        sent.reply = Some(Reply::Failed);
    }

    /// The sender is told.
    pub(super) fn exited(&mut self, id: u32, told: Told) -> Checked {
        let sent = &mut self.sent[id as usize];
        if let Some(before) = sent.told {
            return broken!("settled twice", "message {id} left as {before:?} and again as {told:?}");
        }
        sent.told = Some(told);
        match told {
            Told::Stored if sent.stored == 0 => broken!("false receipt", "message {id} is in no log"),
            Told::Refused | Told::NeverWritten if sent.stored > 0 => {
                broken!("false refusal", "message {id} left as {told:?} and is in the log")
            }
            _ => Ok(()),
        }
    }

    /// The sender is told that a receipt is no longer backed.
    pub(super) fn unbacked(&mut self, id: u32) -> Checked {
        let epoch = self.epoch();
        let sent = &mut self.sent[id as usize];
        if self.durable || sent.told != Some(Told::Stored) || sent.stored_epoch == epoch {
            return broken!("needless doubt", "message {id} is reported as no longer backed");
        }
        sent.unbacked = true;
        Ok(())
    }

    /// A client is in use under the present log: what it was told under another must have been taken back.
    pub(super) fn opened(&mut self, client: u8, epoch: u32) -> Checked {
        let reader = &mut self.readers[client as usize];
        let before = reader.epoch.replace(epoch);
        if before.is_none_or(|before| before == epoch) {
            return Ok(());
        }
        let kept = |sent: &&Sent| {
            sent.client == client
                && sent.told == Some(Told::Stored)
                && sent.stored_epoch < epoch
                && !sent.unbacked
        };
        match self.sent.iter().position(|sent| kept(&sent)) {
            Some(id) => broken!("receipt not taken back", "message {id} was stored in a log that is gone"),
            None => Ok(()),
        }
    }

    /// The log has taken a message.
    pub(super) fn stored(&mut self, s: u64, place: Place, id: u32) -> Checked {
        let at = self.log.len();
        let epoch = self.epoch();
        self.log.push(Stored { epoch, s, place, id });
        self.epochs[epoch as usize].insert(s, at);
        self.by_place.entry(place).or_default().push(at);
        let sent = &mut self.sent[id as usize];
        sent.stored += 1;
        sent.stored_epoch = epoch;
        if sent.stored > 1 {
            return broken!("stored twice", "message {id} is in the log again, as {s}");
        }
        if let Some(told @ (Told::Refused | Told::NeverWritten)) = sent.told {
            return broken!("false refusal", "message {id} left as {told:?} and is stored as {s}");
        }
        if sent.place != place {
            return broken!("misplaced", "message {id} for {:?} is stored in {place:?}", sent.place);
        }
        // What is refused leaves no trace here, and what is dropped leaves a hole: the rest keeps its order.
        let last = self.order.insert((sent.client, sent.rank), id);
        match last {
            Some(last) if last > id => {
                broken!("out of order", "message {id} is stored behind {last} of the same sender")
            }
            _ => Ok(()),
        }
    }

    /// A crash has taken the log; what is stored from now on is in another.
    pub(super) fn new_epoch(&mut self) {
        self.epochs.push(BTreeMap::new());
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epochs.len() as u32 - 1
    }

    // ---- requests ----

    /// A handler of the server has begun.
    pub(super) fn ran(&mut self, id: u32, now: Instant) -> Checked {
        let sent = &mut self.sent[id as usize];
        sent.ran_at.get_or_insert(now);
        sent.runs += 1;
        if sent.runs > 1 { broken!("run twice", "request {id}") } else { Ok(()) }
    }

    /// Whether a handler of the server has run for it before then.
    pub(super) fn ran_before(&self, id: u32, then: Instant) -> bool {
        self.sent[id as usize].ran_at.is_some_and(|at| at < then)
    }

    /// Who asked is told.
    pub(super) fn replied(&mut self, id: u32, reply: Reply) -> Checked {
        let sent = &mut self.sent[id as usize];
        if let Some(before) = sent.reply {
            return broken!("answered twice", "request {id}: {before:?}, then {reply:?}");
        }
        sent.reply = Some(reply);
        match reply {
            Reply::Answer if sent.runs == 0 => broken!("false answer", "request {id} has not been run"),
            Reply::Failed if sent.runs > 0 => broken!("false failure", "request {id} has been run"),
            _ => Ok(()),
        }
    }

    // ---- downwards ----

    /// The application wishes to be in a room.
    pub(super) fn wished(&mut self, client: u8, place: Place) {
        let at = self.log.len();
        let stays = self.readers[client as usize].stays.entry(place).or_default();
        if stays.last().is_none_or(|stay| stay.ended.is_some()) {
            stays.push(Stay { asked: at, whole: at, owed: None, ended: None, from: None });
        }
    }

    /// The application hears that it is in, and perhaps from where on.
    pub(super) fn joined(&mut self, client: u8, place: Place, from: Option<u64>) {
        let at = self.log.len();
        self.wished(client, place);
        let stays = self.readers[client as usize].stays.entry(place).or_default();
        if let Some(stay) = stays.last_mut() {
            stay.owed.get_or_insert(at);
            stay.from = from.or(stay.from);
        }
    }

    /// The application leaves, or hears that it is out.
    pub(super) fn left(&mut self, client: u8, place: Place) {
        let at = self.log.len();
        let stays = self.readers[client as usize].stays.entry(place).or_default();
        if let Some(stay) = stays.last_mut() {
            stay.ended.get_or_insert(at);
        }
    }

    /// The application hears that something of a place is gone. `gone` says up to which number the log has discarded.
    pub(super) fn lost(&mut self, client: u8, place: Place, gone: u64, epoch_changed: bool) -> Checked {
        let at = self.log.len();
        let epoch = self.epoch();
        let reader = &mut self.readers[client as usize];
        let Some(stay) = reader.stays.get_mut(&place).and_then(|stays| stays.last_mut()) else {
            return broken!("needless loss", "client {client} was never in {place:?}");
        };
        let owed = stay.owed.unwrap_or(stay.asked);
        let missing = self.by_place.get(&place).into_iter().flatten().any(|index| {
            let stored = &self.log[*index];
            let told = stay.from.is_some_and(|from| stored.epoch == epoch && stored.s > from);
            let theirs = (told || *index >= stay.asked) && !reader.got.get(*index).copied().unwrap_or(false);
            theirs && (stored.epoch != epoch || stored.s <= gone)
        });
        if !missing && !epoch_changed {
            return broken!("needless loss", "client {client} misses nothing of {place:?} since {owed}");
        }
        stay.owed = stay.owed.map(|_| at);
        stay.whole = at;
        Ok(())
    }

    /// A handler has been started.
    pub(super) fn started(&mut self, client: u8, epoch: u32, s: u64, place: Place, id: u32) -> Checked {
        self.handlers += 1;
        let found = self.epochs.get(epoch as usize).and_then(|numbers| numbers.get(&s)).copied();
        let Some(index) = found else {
            return broken!("invented", "client {client} was given {epoch}/{s}, which nobody stored");
        };
        let stored = &self.log[index];
        if stored.place != place || stored.id != id {
            return broken!("mixed up", "client {client} was given {id} in {place:?} as {epoch}/{s}");
        }
        let reader = &mut self.readers[client as usize];
        if reader.got.len() < self.log.len() {
            reader.got.resize(self.log.len(), false);
        }
        if std::mem::replace(&mut reader.got[index], true) {
            return broken!("delivered twice", "client {client} was given {epoch}/{s} again");
        }
        if reader.last.is_some_and(|last| last > (epoch, s)) {
            return broken!("delivered out of order", "client {client}: {epoch}/{s} after {:?}", reader.last);
        }
        reader.last = Some((epoch, s));
        let first = reader.stays.get(&place).and_then(|stays| stays.first());
        if first.is_none_or(|stay| index < stay.asked) {
            return broken!(
                "history",
                "client {client} was given {epoch}/{s} of {place:?} from before it joined"
            );
        }
        Ok(())
    }

    // ---- the end ----

    /// The application closes its wire: nothing more is owed to it.
    pub(super) fn closed(&mut self, client: u8) {
        let at = self.log.len();
        self.readers[client as usize].closed.get_or_insert(at);
    }

    /// Everything is healed and at rest.
    pub(super) fn finish(&self, now: Instant) -> Checked {
        if let Some(id) = self.sent.iter().position(|sent| sent.told.is_none()) {
            let client = self.sent[id].client;
            return broken!("never settled", "message {id} of client {client}, at {} s", secs(now));
        }
        if let Some(id) = self.sent.iter().position(|sent| sent.request && sent.reply.is_none()) {
            return broken!("never answered", "request {id}, at {} s", secs(now));
        }
        for (client, reader) in self.readers.iter().enumerate().filter(|(_, reader)| reader.closed.is_none())
        {
            for (place, stays) in &reader.stays {
                for stay in stays {
                    self.delivered(client, *place, reader, stay, stays.len())?;
                }
            }
        }
        Ok(())
    }

    fn delivered(&self, client: usize, place: Place, reader: &Reader, stay: &Stay, stays: usize) -> Checked {
        // What was on its way when it left may be cut off.
        if stay.ended.is_some() {
            return Ok(());
        }
        // Of what was stored while it waited to be let in, it may have all from some point on.
        let mut begun = false;
        for index in self.by_place.get(&place).into_iter().flatten().filter(|index| **index >= stay.whole) {
            let got = reader.got.get(*index).copied().unwrap_or(false);
            let Stored { epoch, s, id, .. } = self.log[*index];
            if !got && (begun || stay.owed.is_some_and(|owed| *index >= owed)) {
                return broken!("lost", "client {client} never got {epoch}/{s} of {place:?} (message {id})");
            }
            // To one who has left and come back, stragglers of the earlier stay may come first.
            begun |= got && stays == 1;
        }
        Ok(())
    }

    /// How many messages were submitted.
    pub(super) fn messages(&self) -> usize {
        self.sent.len()
    }
}

pub(super) fn secs(at: Instant) -> u64 {
    at.as_micros() / 1_000_000
}
