//! The world: who is in it, and what happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use everwire_core::engine::{Call, Engine, Filter, Memory, MemoryConfig, Subject};
use everwire_core::session::client::Phase;
use everwire_core::session::down::Delivery;
use everwire_core::session::node::{NodePhase, RunId};
use everwire_core::{Closed, Duration, Instant};

use super::check::{Checked, Facts, Place, Violation, broken, secs};
use super::counts::Counts;
use super::host::{Host, Socket};
use super::net::Link;
use super::packet::{Down, Names, Note, Up};
use super::plan::{BEGIN, Plan, Trouble, What};
use super::server::{Asker, Hook, Process, Served};
use everwire_core::Random;

/// A time that does not come.
pub(super) const NEVER: Instant = Instant::from_micros(u64::MAX);
/// How long a healed world may take to come to rest: the longest waits are those of a window that a server has asked
/// for, of a machine that sleeps, and of megabytes over the slowest link.
pub(super) const REST_MAX: Duration = Duration::from_secs(4_800);
/// What had begun to go wrong has gone wrong by then.
pub(super) const SETTLE: Duration = Duration::from_secs(15);
/// How long it is watched for afterwards.
pub(super) const WATCH: Duration = Duration::from_secs(45);
/// A client that is turned away right behind each `welcome` comes back ever later: 22 waits of its backoff that sum up to
/// 30 s are rarer than one in 10¹¹, and ten dials may be undelayed.
pub(super) const FLAPS_MAX: usize = 32;
pub(super) const FLAPS_WITHIN: Duration = Duration::from_secs(30);
/// More events than any world needs: a loop without time.
pub(super) const EVENTS_MAX: u64 = 300_000;

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Happens(usize),
    Heal,
    Rest,
    ArriveUp(usize),
    ArriveDown(usize),
    Open(u8, u64, u8),
    Refused(u8, u64),
    ClientTimer(u8, Instant),
    HandlerEnds(u8, Delivery),
    Resume(u8),
    Online(u8),
    Wake(u8),
    NodeTimer(usize),
    OriginTimer(u8, u32),
    Ran(u8, u32, RunId, usize),
    Hook(usize, usize),
    Answer(usize),
    LateCall(usize),
    Call(usize),
    Unstall(u8),
    Gone(u8, u32),
    Drained(usize),
}

/// A connection and its two ends.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) net: Link<Up, Down>,
    pub(super) served: Option<Served>,
    pub(super) identity: Option<Subject>,
    pub(super) node_phase: NodePhase,
    /// The client still holds it.
    pub(super) client_open: bool,
    /// Somebody has written on it who is no right end.
    pub(super) hostile: bool,
    pub(super) eaten: bool,
    pub(super) told_transport: bool,
}

/// Everything.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) now: Instant,
    pub(super) heap: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    pub(super) scheduled: u64,
    pub(super) random: Random,
    pub(super) facts: Facts,
    pub(super) counts: Counts,
    pub(super) names: Names,
    pub(super) hosts: Vec<Host>,
    pub(super) client_phases: Vec<Phase>,
    pub(super) opened: Vec<Instant>,
    pub(super) links: Vec<Conn>,
    pub(super) processes: Vec<Process>,
    pub(super) engine: Memory<Note>,
    pub(super) changes: u64,
    pub(super) hooks: Vec<Option<Hook>>,
    pub(super) answers:
        Vec<Option<(Asker, everwire_core::session::node::CallId, everwire_core::engine::Answer<Note>)>>,
    pub(super) calls: Vec<Option<Call<Note>>>,
    pub(super) late: Vec<Option<(u8, super::server::Asked)>>,
    pub(super) ran: Vec<Note>,
    /// The oldest token of each client that is still good.
    pub(super) tokens: Vec<u32>,
    pub(super) denied: Vec<(u8, u8, Instant)>,
    pub(super) examines: bool,
    pub(super) in_hand: Option<std::rc::Rc<[(Subject, Note)]>>,
    pub(super) casting: Option<Subject>,
    pub(super) draining_clients: u8,
    /// The frame in hand answers a ping.
    pub(super) pong_in_hand: bool,
    /// Frames that no right peer writes, per client: three of them may end a wire.
    pub(super) outrages: Vec<u32>,
    /// Links that were well and have been ended as if they were not.
    pub(super) peace_broken: u32,
    pub(super) rested: Option<(Instant, u32)>,
    pub(super) lines: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(plan: Plan, traced: bool) -> Self {
        let clients = plan.clients;
        let engine = Memory::new(
            MemoryConfig { messages_max: plan.log_max, durable: plan.durable, ..MemoryConfig::default() },
            "e0".into(),
        );
        let examines = plan.happenings.iter().any(|happening| {
            matches!(happening.what, What::Trouble(_, Trouble::HooksFail(..) | Trouble::SlowHooks(..)))
        });
        let hosts: Vec<Host> = (0..clients).map(|client| Host::new(client, &plan)).collect();
        Self {
            now: BEGIN,
            heap: BinaryHeap::with_capacity(1024),
            scheduled: 0,
            random: Random::new(plan.seed ^ 0x0077_6f72_6c64),
            facts: Facts::new(clients, plan.durable),
            counts: Counts::default(),
            names: Names::new(plan.rooms, clients),
            client_phases: hosts.iter().map(|host| host.client.phase()).collect(),
            hosts,
            opened: vec![BEGIN; usize::from(clients)],
            links: Vec::new(),
            processes: (0..plan.nodes).map(|_| Process::new(0)).collect(),
            engine,
            changes: 0,
            hooks: Vec::new(),
            answers: Vec::new(),
            calls: Vec::new(),
            late: Vec::new(),
            ran: Vec::new(),
            tokens: vec![1; usize::from(clients)],
            denied: Vec::new(),
            examines,
            in_hand: None,
            casting: None,
            draining_clients: 0,
            pong_in_hand: false,
            outrages: vec![0; usize::from(clients)],
            peace_broken: 0,
            rested: None,
            lines: traced.then(Vec::new),
            plan,
        }
    }

    pub(super) fn schedule(&mut self, at: Instant, event: Event) {
        self.heap.push(Reverse((at, self.scheduled, event)));
        self.scheduled += 1;
    }

    /// A line of the trace, which is only made if somebody reads it.
    pub(super) fn note(&mut self, now: Instant, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let since = now.since(BEGIN).as_micros();
            lines.push(format!("{:>5}.{:06} {}", since / 1_000_000, since % 1_000_000, line()));
        }
    }

    pub(super) fn run(&mut self) -> Checked {
        for index in 0..self.plan.happenings.len() {
            self.schedule(self.plan.happenings[index].at, Event::Happens(index));
        }
        self.schedule(self.plan.healed, Event::Heal);
        for client in 0..self.plan.clients {
            self.facts.wished(client, Place::User(client));
            self.hosts[usize::from(client)].client.handle_connect(BEGIN);
            self.drain_client(client, BEGIN)?;
        }
        let mut events = 0u64;
        while let Some(Reverse((at, _, event))) = self.heap.pop() {
            events += 1;
            if events > EVENTS_MAX {
                return broken!("livelock", "{events} events by {} s", secs(at) - secs(BEGIN));
            }
            self.now = self.now.max(at);
            if event == Event::Rest {
                if self.rest()? {
                    break;
                }
                continue;
            }
            self.handle(event, self.now)?;
            self.wake_nodes()?;
        }
        self.facts.finish(self.now)
    }

    /// The log or an inbox has grown: every node that lives looks.
    pub(super) fn wake_nodes(&mut self) -> Checked {
        let now = self.now;
        let mut rounds = 0;
        while self.engine.changes() != self.changes {
            self.changes = self.engine.changes();
            for link in 0..self.links.len() {
                let Some(served) = &mut self.links[link].served else { continue };
                if !served.node.is_over() {
                    served.node.wake(now);
                    self.drain_node(link, now)?;
                }
            }
            rounds += 1;
            if rounds > 10_000 {
                return broken!("livelock", "nodes wake each other without end");
            }
        }
        Ok(())
    }

    pub(super) fn handle(&mut self, event: Event, now: Instant) -> Checked {
        match event {
            Event::Happens(index) => {
                let happening = self.plan.happenings[index];
                self.happen(happening, now)
            }
            Event::Heal => self.heal(now),
            Event::Rest => Ok(()),
            Event::ArriveUp(link) => {
                let conn = &mut self.links[link];
                if conn.net.silent {
                    return Ok(());
                }
                if conn.net.stalled > now {
                    let until = conn.net.stalled;
                    self.schedule(until, event);
                    return Ok(());
                }
                if let Some(served) = conn.served.as_mut().filter(|served| !served.reading) {
                    served.unread += 1;
                    return Ok(());
                }
                self.arrive_up(link, now)
            }
            Event::ArriveDown(link) => {
                let conn = &self.links[link];
                if conn.net.silent {
                    return Ok(());
                }
                let client = usize::from(conn.net.client);
                let awake = self.hosts.get(client).map_or(now, |host| host.asleep_until);
                let until = conn.net.stalled.max(awake);
                if until > now {
                    self.schedule(until, event);
                    return Ok(());
                }
                self.arrive_down(link, now)
            }
            Event::Open(client, number, node) => self.open(client, number, node, now),
            Event::Refused(client, number) => {
                let host = &mut self.hosts[usize::from(client)];
                if host.socket == Some(Socket { number, link: None }) {
                    host.socket = None;
                }
                host.client.handle_link_closed(number, Closed::NONE, "", now);
                self.drain_client(client, now)
            }
            Event::ClientTimer(client, due) => {
                let host = &mut self.hosts[usize::from(client)];
                if host.armed != due {
                    return Ok(());
                }
                if host.asleep_until > now {
                    let until = host.asleep_until;
                    self.schedule(until, event);
                    return Ok(());
                }
                host.armed = NEVER;
                self.tell_buffered(client, now);
                self.hosts[usize::from(client)].client.handle_timeout(now);
                self.drain_client(client, now)
            }
            Event::HandlerEnds(client, delivery) => {
                let until = self.hosts[usize::from(client)].asleep_until;
                if until > now {
                    self.schedule(until, event);
                    return Ok(());
                }
                self.handler_ends(client, delivery, now)
            }
            Event::Resume(client) => {
                let host = &mut self.hosts[usize::from(client)];
                host.suspended = false;
                host.client.handle_resume(true, now);
                self.drain_client(client, now)
            }
            Event::Online(client) => {
                let host = &mut self.hosts[usize::from(client)];
                host.offline = false;
                host.client.handle_online(now);
                self.drain_client(client, now)
            }
            Event::Wake(client) => {
                self.hosts[usize::from(client)].client.handle_wake(now);
                self.drain_client(client, now)
            }
            Event::NodeTimer(link) => {
                let Some(served) = &mut self.links[link].served else { return Ok(()) };
                served.armed = NEVER;
                served.node.handle_timeout(now);
                self.drain_node(link, now)
            }
            Event::OriginTimer(process, life) => self.origin_timer(process, life, now),
            Event::Ran(process, life, run, note) => {
                let note = self.ran[note];
                self.ran(process, life, run, note, now)
            }
            Event::Hook(link, hook) => {
                if let Some(hook) = self.hooks[hook].take() {
                    self.answer_hook(link, hook, now)?;
                }
                self.drain_node(link, now)
            }
            Event::Answer(answer) => {
                let Some((asker, id, answer)) = self.answers[answer].take() else { return Ok(()) };
                self.answer(asker, id, answer, now)?;
                match asker {
                    Asker::Link(link) => self.drain_node(link, now),
                    Asker::Origin(process, _) => self.drain_origin(process, now),
                }
            }
            Event::LateCall(call) => {
                if let Some(call) = self.calls[call].take() {
                    self.engine_does(&call, now)?;
                }
                Ok(())
            }
            Event::Call(call) => self.late_call(call, now),
            Event::Unstall(process) => self.unstall(process, now),
            Event::Gone(process, life) => {
                if self.processes[usize::from(process)].life == life {
                    self.crash(process, Duration::from_millis(300), now)?;
                }
                Ok(())
            }
            Event::Drained(link) => {
                self.tell_transport(link, now)?;
                self.drain_node(link, now)
            }
        }
    }

    pub(super) fn open(&mut self, client: u8, number: u64, node: u8, now: Instant) -> Checked {
        let at = usize::from(client);
        if self.processes[usize::from(node)].down_until > now {
            return self.handle(Event::Refused(client, number), now);
        }
        if self.hosts[at].socket != Some(Socket { number, link: None }) {
            return Ok(());
        }
        let link = self.links.len();
        let slow = self.slow_until(at);
        self.links.push(Conn {
            net: Link::new(client, node, number, self.plan.latency, slow),
            served: None,
            identity: None,
            node_phase: NodePhase::Fresh,
            client_open: true,
            hostile: false,
            eaten: false,
            told_transport: false,
        });
        self.hosts[at].socket = Some(Socket { number, link: Some(link) });
        self.accept(link, now)?;
        if self.hosts[at].asleep_until > now {
            let until = self.hosts[at].asleep_until;
            // The browser tells when the page wakes.
            self.schedule(until, Event::Wake(client));
        }
        self.hosts[at].client.handle_link_open(number, true, now);
        self.drain_client(client, now)
    }

    pub(super) fn slow_until(&self, client: usize) -> Option<(u32, Instant)> {
        self.hosts[client].slow
    }

    /// What the log has discarded of a subject, whatever the clients believe.
    pub(super) fn discarded(&mut self, subject: &Subject, now: Instant) -> u64 {
        let epoch = self.engine.epoch().clone();
        let filter = Filter::new().with(subject.clone(), 0);
        let trimmed = self.engine.trimmed(&epoch, &filter, now);
        trimmed.ok().and_then(|trimmed| trimmed.first().map(|(_, upto)| *upto)).unwrap_or(0)
    }

    /// Whether somebody has done to this client what may end its wire.
    pub(super) fn may_finish(&self, client: u8) -> bool {
        self.outrages[usize::from(client)] >= 3
    }

    /// Whether nothing is wrong with a link.
    pub(super) fn is_healthy(&self, link: usize) -> bool {
        let conn = &self.links[link];
        let draining = self.processes[usize::from(conn.net.node)].draining.is_some();
        // A link that is slower than anybody assumes costs a few before it is known.
        let slow = conn.net.is_slow(self.now);
        !(conn.net.silent || conn.net.cut || conn.hostile || conn.eaten || draining || slow)
            && conn.served.is_some()
    }

    // ---- the end ----

    /// Nothing goes wrong any more; what is broken stays broken until somebody notices.
    pub(super) fn heal(&mut self, now: Instant) -> Checked {
        self.note(now, || "* healed".to_owned());
        for process in 0..self.plan.nodes {
            let at = usize::from(process);
            let zero = Instant::default();
            self.processes[at].down_until = self.processes[at].down_until.min(now);
            self.processes[at].stalled_until = zero;
            self.processes[at].unanswered = (0, zero);
            self.processes[at].slow_engine = (Duration::ZERO, zero);
            self.processes[at].failing = (0, zero);
            self.processes[at].slow = (Duration::ZERO, zero);
            self.processes[at].flapping_until = zero;
            self.unstall(process, now)?;
        }
        self.denied.clear();
        for client in 0..self.plan.clients {
            let host = &mut self.hosts[usize::from(client)];
            host.unreachable_until = host.unreachable_until.min(now);
            host.late = (Duration::ZERO, now);
        }
        self.schedule(now + Duration::from_secs(2), Event::Rest);
        Ok(())
    }

    /// Whether everything has come to rest, and has stayed so.
    pub(super) fn rest(&mut self) -> Checked<bool> {
        let now = self.now;
        for client in 0..self.plan.clients {
            self.hosts[usize::from(client)].check_bounds(client, self.plan.outbox_max)?;
        }
        if self.plan.happenings.last().is_some_and(|last| last.at >= now) {
            self.schedule(now + Duration::from_secs(2), Event::Rest);
            return Ok(false);
        }
        let quiet = self.hosts.iter().all(Host::is_quiet) && self.facts.finish(now).is_ok();
        let ends = self.peace_broken;
        match self.rested {
            Some((since, before)) if quiet => {
                if ends > before {
                    return broken!(
                        "link lost in peace",
                        "{} s after it was healed",
                        now.since(self.plan.healed).as_micros() / 1_000_000
                    );
                }
                if now.since(since) >= WATCH {
                    self.check_dials()?;
                    return Ok(true);
                }
            }
            // What was under way when it was healed, a slow hook above all, may still come to a bad end.
            _ if now.since(self.plan.healed) < SETTLE => {}
            _ => {
                self.rested =
                    (quiet && self.hosts.iter().all(|host| host.is_in_use(now))).then_some((now, ends))
            }
        }
        if now.since(self.plan.healed) > REST_MAX {
            self.facts.finish(now)?;
            return broken!("never at rest", "{} s after it was healed", REST_MAX.as_micros() / 1_000_000);
        }
        self.schedule(now + Duration::from_secs(if quiet { 15 } else { 2 }), Event::Rest);
        Ok(false)
    }

    /// No client has dialled more often than its waits allow.
    pub(super) fn check_dials(&self) -> Checked {
        let span = self.now.since(BEGIN).as_micros() / 1_000_000;
        let faults =
            self.plan.happenings.iter().filter(|happening| happening.what.kind().is_some()).count() as u64;
        let most = 20 + 4 * faults + span / 4;
        match self.hosts.iter().position(|host| u64::from(host.dials) > most) {
            Some(client) => {
                broken!("dials", "client {client} has dialled {} times in {span} s", self.hosts[client].dials)
            }
            None => Ok(()),
        }
    }
}
