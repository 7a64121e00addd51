//! One process: its links, its origin, and what connects them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_bodies::{answer, failure};
use everwire_core::engine::{Answer, Producer, Subject};
use everwire_core::frame::{Code, Form, NUMBER_MAX};
use everwire_core::session::node::{
    CallId, Drain, Node, NodeConfig, Origin, OriginAction, OriginConfig, RunId,
};
use everwire_core::{Duration, Instant};

use crate::books::Books;
use crate::counts::Counts;
use crate::hooks::Reply;
use crate::keys::{Keys, inbox};
use crate::link::{Link, Listed, Outbox};
use crate::order::{Asker, LinkId, Order};
use crate::pace::Pace;
use crate::payload::Payload;

/// Every link looks at the log at least so often, whether something of its own has come or not: its position follows the
/// head, and the client hears of it within 30 s. [POS-12]
const SWEEP_EVERY: Duration = Duration::from_secs(4);

/// How a process serves.
#[derive(Clone, Debug)]
pub struct ProcessConfig {
    /// What every link's node is told. Whether it sees octets is this crate's affair: it does.
    pub node: NodeConfig,
    /// How long a handler may run. [REQ-16]
    pub handler_timeout: Duration,
    /// Messages a second of one link, beyond a burst of [`crate::BURST_MESSAGES`]. [SEND-24]
    pub messages_per_second: u64,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self {
            node: NodeConfig::default(),
            handler_timeout: OriginConfig::default().handler_timeout,
            messages_per_second: 10_000,
        }
    }
}

/// One process of a server, without its sockets, its application and its engine.
///
/// It is driven and calls nobody. Time is what the driver says: microseconds since 1970, and never backwards.
/// 1. [`Process::opened`] when a transport has opened and `everwire.v1` is selected; then [`Process::octets`], [`Process::frame`],
///    [`Process::taken`], [`Process::closed`] as it goes.
/// 2. **After every input, drain [`Process::poll`] until it returns `None`**, and carry out the orders in their order.
/// 3. After the engine has carried out calls, [`Process::grown`] with what they stored or cast, as [`crate::carry_out`] says it.
/// 4. At [`Process::next_deadline`], [`Process::timeout`].
#[derive(Debug)]
pub struct Process {
    pub(crate) config: ProcessConfig,
    pub(crate) keys: Keys,
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) orders: VecDeque<Order>,
    pub(crate) counts: Counts,
    books: Books,
    origin: Origin<Payload>,
    /// When each link wants its time.
    timers: BTreeSet<(Instant, LinkId)>,
    /// Something has been stored since the last look around.
    has_grown: bool,
    swept_at: Instant,
    draining: Option<(Drain, Instant)>,
}

impl Process {
    /// A process that has just started.
    pub fn new(mut config: ProcessConfig, keys: Keys, now: Instant) -> Self {
        config.node.sees_octets = true;
        Self {
            origin: Origin::new(OriginConfig { handler_timeout: config.handler_timeout }),
            config,
            keys,
            links: BTreeMap::new(),
            orders: VecDeque::new(),
            counts: Counts::default(),
            books: Books::default(),
            timers: BTreeSet::new(),
            has_grown: false,
            swept_at: now,
            draining: None,
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`Process::timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        let link = self.timers.first().map(|(due, _)| *due);
        let sweep = self.has_grown.then(|| self.swept_at + SWEEP_EVERY);
        [link, sweep, self.origin.next_deadline()].into_iter().flatten().min()
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        Counts {
            links_open: self.links.len() as u64,
            subjects_read: self.books.subjects() as u64,
            ..self.counts
        }
    }

    // ---- links ----

    /// A transport has opened. The driver names it, and gives no name twice.
    pub fn opened(&mut self, id: LinkId, now: Instant) {
        let mut node = Node::new(self.config.node.clone(), now);
        if let Some((drain, until)) = &self.draining {
            node.handle_drain(Drain { leave_in: until.since(now), ..drain.clone() }, now);
        }
        let link = Link {
            node,
            pace: Pace::new(self.config.messages_per_second, now),
            questions: BTreeMap::new(),
            identity: None,
            epoch: None,
            hello_epoch: None,
            listed: Listed::default(),
            armed: None,
            outbox: Outbox::default(),
            is_closed: false,
        };
        self.links.insert(id, link);
        self.counts.links += 1;
        self.drain_link(id, now);
    }

    /// The octets of the next frame of this link at most: a driver that would have to hold more calls [`Process::too_long`].
    pub fn frame_bytes_max(&self, link: LinkId) -> u64 {
        self.links.get(&link).map_or(0, |link| link.node.frame_bytes_max())
    }

    /// Octets have come, whether a frame is whole with them or not.
    pub fn octets(&mut self, link: LinkId, octets: u64, now: Instant) {
        self.counts.octets_in += octets;
        self.with(link, now, |link| link.node.handle_octets(octets, now));
    }

    /// A WebSocket message has come whole.
    pub fn frame(&mut self, link: LinkId, form: Form, octets: &[u8], now: Instant) {
        self.counts.frames_in += 1;
        let Some(of) = self.links.get_mut(&link) else { return };
        let messages = of.frame(form, octets, now);
        self.counts.messages_in += messages;
        self.drain_link(link, now);
    }

    /// A frame is longer than [`Process::frame_bytes_max`] and has not been read in full. [ERR-5]
    pub fn too_long(&mut self, link: LinkId, now: Instant) {
        self.with(link, now, |link| link.node.handle_too_long(now));
    }

    /// So many octets in all of what was ordered to be written have left for the network.
    pub fn taken(&mut self, link: LinkId, octets: u64, now: Instant) {
        self.with(link, now, |link| {
            link.outbox.take(octets);
            link.node.handle_transport(link.outbox.transport(), now);
        });
    }

    /// The transport is closed.
    pub fn closed(&mut self, link: LinkId, now: Instant) {
        self.with(link, now, |link| {
            link.is_closed = true;
            link.node.handle_closed();
        });
    }

    /// The application or the operator ends a link.
    pub fn end(&mut self, link: LinkId, code: u16, reason: &str, now: Instant) {
        self.with(link, now, |link| link.node.handle_end(code, reason, now));
    }

    /// An identity may no longer read a room: on no link, from now on. What keeps it from coming back is the hook.
    /// [ROOM-20]
    pub fn revoke(&mut self, identity: &Subject, room: &Subject, now: Instant) {
        // Those that have no `welcome` yet are not in the books.
        let greeting = self.links.iter().filter(|(_, link)| link.identity.is_none()).map(|(id, _)| *id);
        let links: Vec<_> = greeting.chain(self.books.of_identity(identity)).collect();
        for link in links {
            self.with(link, now, |link| link.node.handle_revoked(room, now));
        }
    }

    /// Ends every link of an identity. What keeps it from coming back is the hook.
    pub fn expel(&mut self, identity: &Subject, code: u16, reason: &str, now: Instant) {
        for link in self.books.of_identity(identity) {
            self.end(link, code, reason, now);
        }
    }

    /// The process will exit: links are told to leave, and what still runs is answered in time. [AWAY-9] [REQ-15]
    pub fn drain(&mut self, drain: Drain, now: Instant) {
        if self.draining.is_some() {
            return;
        }
        self.origin.handle_drain(drain.leave_in, now);
        self.draining = Some((drain.clone(), now + drain.leave_in));
        self.wake_all(now);
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.with(link, now, |link| link.node.handle_drain(drain.clone(), now));
        }
        self.drain_origin(now);
    }

    /// Whether nothing is left to be done after [`Process::drain`].
    pub fn is_idle(&self) -> bool {
        self.links.is_empty() && self.origin.is_idle()
    }

    // ---- the engine and the clock ----

    /// What the engine has answered.
    pub fn answered(&mut self, asker: Asker, id: CallId, answer: Answer<Payload>, now: Instant) {
        match asker {
            Asker::Link(link) => self.with(link, now, |link| link.node.handle_answer(id, answer, now)),
            Asker::Process => {
                self.origin.handle_answer(id, answer, now);
                self.drain_origin(now);
            }
        }
    }

    /// Something has been stored or cast under these subjects.
    pub fn grown(&mut self, subjects: &BTreeSet<Subject>, now: Instant) {
        if subjects.is_empty() {
            return;
        }
        if self.draining.is_some() {
            // The last word to each client says how far the log has come. [POS-12]
            return self.wake_all(now);
        }
        self.has_grown = true;
        let readers: BTreeSet<_> = subjects.iter().flat_map(|subject| self.books.readers(subject)).collect();
        for link in readers {
            self.with(link, now, |link| link.node.wake(now));
        }
    }

    fn wake_all(&mut self, now: Instant) {
        self.has_grown = false;
        self.swept_at = now;
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.with(link, now, |link| link.node.wake(now));
        }
    }

    /// A deadline may have passed.
    pub fn timeout(&mut self, now: Instant) {
        while let Some((due, link)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, link));
            self.with(link, now, |link| {
                link.armed = None;
                link.look_at_pace(0, now);
                link.node.handle_timeout(now);
            });
        }
        if self.has_grown && self.swept_at + SWEEP_EVERY <= now {
            self.wake_all(now);
        }
        self.origin.handle_timeout(now);
        self.drain_origin(now);
    }

    /// The bits of [`Order::Draw`].
    pub fn drawn(&mut self, bits: [u8; 16], now: Instant) {
        let producer = Producer(bits);
        self.origin.handle_drawn(producer, inbox(&producer), now);
        self.drain_origin(now);
    }

    // ---- requests ----

    /// What a handler says to a request. [REQ-12]
    pub fn ran(&mut self, run: RunId, reply: Reply, now: Instant) {
        let text = match reply {
            Reply::Content { kind, json } => answer(&kind, &json).unwrap_or_else(|| {
                failure(code("failed"), "the handler's answer is no JSON that may be sent")
            }),
            Reply::Failed { code: told, message } => {
                let told = Code::new(told.as_bytes()).unwrap_or_else(|_| code("failed"));
                failure(told, &message)
            }
        };
        self.origin.handle_ran(run, Payload::text(&text), now);
        self.drain_origin(now);
    }

    /// A message of the server itself, to a room or an identity. It is stored, and pushed like every other.
    pub fn post(&mut self, subject: Subject, message: Payload, now: Instant) {
        self.origin.handle_post(subject, message, now);
        self.drain_origin(now);
    }

    fn drain_origin(&mut self, now: Instant) {
        while let Some(action) = self.origin.poll() {
            match action {
                OriginAction::Draw => self.orders.push_back(Order::Draw),
                OriginAction::Call { id, call } => {
                    self.orders.push_back(Order::Call { asker: Asker::Process, id, call });
                }
                OriginAction::Compose { id, code: told } => {
                    let text = failure(code(told), told);
                    self.origin.handle_composed(id, Payload::text(&text), now);
                }
                OriginAction::Ended { producer, link, n } => self.ended(&producer, link, n, now),
            }
        }
    }

    /// A request has been answered.
    fn ended(&mut self, producer: &Producer, number: u64, n: u64, now: Instant) {
        for link in self.books.of_producer(producer) {
            let own = self.links.get(&link).and_then(|link| link.node.producer()).map_or(0, |(_, own)| own);
            let elsewhere = self.origin.running_elsewhere(producer, own);
            self.with(link, now, |link| {
                if own == number {
                    link.node.handle_ran(n, now);
                } else {
                    link.node.handle_elsewhere(elsewhere, now);
                }
            });
        }
    }

    // ---- what follows ----

    pub(crate) fn with(&mut self, id: LinkId, now: Instant, input: impl FnOnce(&mut Link)) {
        let Some(link) = self.links.get_mut(&id) else { return };
        input(link);
        self.drain_link(id, now);
    }

    /// Carries out what a link wants, as far as that is done here, and sets its timer.
    pub(crate) fn drain_link(&mut self, id: LinkId, now: Instant) {
        let Self { config: _, keys, links, orders, counts, books, origin, timers, .. } = self;
        let Some(link) = links.get_mut(&id) else { return };
        let mut runs_begun = false;
        loop {
            let mut wrote = false;
            while let Some(action) = link.node.poll() {
                let mut out = Out { id, keys, orders, counts, origin, wrote: false, now };
                runs_begun |= link.carry_out(action, &mut out);
                wrote |= out.wrote;
            }
            if !wrote {
                break;
            }
            // It may have something to say to that.
            link.node.handle_transport(link.outbox.transport(), now);
        }
        let listed = link.names();
        if !listed.is_same(&link.listed) {
            books.list(id, &link.listed, &listed);
            link.listed = listed;
        }
        let due = [link.node.next_deadline(), link.pace_due()].into_iter().flatten().min();
        if let Some(due) = due.filter(|due| link.armed.is_none_or(|armed| *due < armed)) {
            if let Some(armed) = link.armed.replace(due) {
                timers.remove(&(armed, id));
            }
            timers.insert((due, id));
        }
        if link.is_closed && link.node.is_over() {
            if let Some(armed) = link.armed {
                timers.remove(&(armed, id));
            }
            books.list(id, &link.listed, &Listed::default());
            links.remove(&id);
            orders.push_back(Order::Forget { link: id });
        }
        if runs_begun {
            self.drain_origin(now);
        }
    }
}

/// What a link's actions lead to.
pub(crate) struct Out<'a> {
    pub(crate) id: LinkId,
    pub(crate) keys: &'a Keys,
    pub(crate) orders: &'a mut VecDeque<Order>,
    pub(crate) counts: &'a mut Counts,
    pub(crate) origin: &'a mut Origin<Payload>,
    pub(crate) wrote: bool,
    pub(crate) now: Instant,
}

/// A code of ours.
fn code(code: &'static str) -> Code<'static> {
    match Code::new(code.as_bytes()) {
        Ok(code) => code,
        Err(_) => unreachable!("a code of ours is none"),
    }
}

/// `welcome.time`: milliseconds since 1970.
pub(crate) fn time(now: Instant) -> u64 {
    (now.as_micros() / 1000).min(NUMBER_MAX)
}
