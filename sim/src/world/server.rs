//! The server: nodes that keep nothing, one engine, and the hooks of an application.

use std::collections::VecDeque;
use std::rc::Rc;

use everwire_core::engine::{Answer, Appended, Call, Producer, Subject};
use everwire_core::session::Secret;
use everwire_core::session::down::Standing;
use everwire_core::session::node::{
    AskId, Authenticated, CallId, Drain, Element, ElementKind, Examined, HookFailed, Node, NodeAction,
    NodeBody, NodeConfig, NotAuthenticated, Origin, OriginAction, OriginConfig, Request, RunId,
};
use everwire_core::session::up::WINDOW_MESSAGES_MAX;
use everwire_core::{Duration, Instant};

use super::check::{Checked, Violation, broken};
use super::packet::{Kind, Note, Packet, Sent, UpBody};
use super::plan::Draws;
use super::run::{Event, World};
use everwire_core::Random;

/// A node, or the place of one: who dies here is followed by another.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) origin: Origin<Note>,
    pub(super) origin_armed: Instant,
    /// Which one this is; events of an earlier one are nobody's.
    pub(super) life: u32,
    /// Nobody listens before.
    pub(super) down_until: Instant,
    pub(super) stalled_until: Instant,
    /// What is asked of the engine meanwhile.
    pub(super) stalled: VecDeque<Asked>,
    pub(super) unanswered: (u8, Instant),
    pub(super) slow_engine: (Duration, Instant),
    /// The last call that is on its way reaches the engine then.
    pub(super) engine_busy: Instant,
    pub(super) failing: (u8, Instant),
    pub(super) slow: (Duration, Instant),
    pub(super) flapping_until: Instant,
    pub(super) draining: Option<(Drain, Instant)>,
    pub(super) draws: u64,
}

/// Who has asked the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Link(usize),
    Origin(u8, u32),
}

/// A call on its way to the engine.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) asker: Asker,
    pub(super) id: CallId,
    pub(super) call: Call<Note>,
}

/// What a hook will say.
#[derive(Clone, Debug)]
pub(super) enum Hook {
    Authenticated(AskId, Result<Authenticated, NotAuthenticated>),
    Authorised(AskId, Result<Vec<Standing>, HookFailed>),
    Examined(AskId, Examined<Note>),
}

/// A link as its node has it.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) node: Node<Note>,
    pub(super) process: u8,
    pub(super) armed: Instant,
    pub(super) reading: bool,
    /// Frames that have arrived and are not read.
    pub(super) unread: u32,
    pub(super) written: u64,
    pub(super) closed: bool,
    pub(super) token_serial: u32,
}

/// How many octets of a grant tell it from an invented one.
pub(super) const KEY: u64 = 0x6b65_795f_6f66_5f67;

impl Process {
    pub(super) fn new(life: u32) -> Self {
        let zero = Instant::default();
        Self {
            origin: Origin::new(OriginConfig::default()),
            origin_armed: super::run::NEVER,
            life,
            down_until: zero,
            stalled_until: zero,
            stalled: VecDeque::new(),
            unanswered: (0, zero),
            slow_engine: (Duration::ZERO, zero),
            engine_busy: zero,
            failing: (0, zero),
            slow: (Duration::ZERO, zero),
            flapping_until: zero,
            draining: None,
            draws: 0,
        }
    }
}

pub(super) fn mixed(parts: &[u64]) -> u64 {
    parts.iter().fold(KEY, |sum, part| Random::new(sum ^ part).next_u64())
}

pub(super) fn text(subject: &Subject) -> u64 {
    subject.as_str().bytes().fold(7, |sum, octet| mixed(&[sum, octet.into()]))
}

/// What lets a `hello` claim this `from` or a higher one.
pub(super) fn grant(identity: &Subject, room: &Subject, from: u64, epoch: u32) -> Secret {
    let mark = mixed(&[text(identity), text(room), from, epoch.into()]);
    Secret::from(format!("{from}.{mark:x}").as_str())
}

pub(super) fn inbox(producer: &Producer) -> Subject {
    let halves = producer.0.split_at(8);
    let half = |octets: &[u8]| octets.iter().fold(0u64, |sum, octet| sum << 8 | u64::from(*octet));
    format!("_i{:016x}", mixed(&[half(halves.0), half(halves.1)])).as_str().into()
}

impl World {
    // ---- links ----

    /// A link has opened at its node.
    pub(super) fn accept(&mut self, link: usize, now: Instant) -> Checked {
        let process = self.links[link].net.node;
        let config = NodeConfig {
            examines: self.plan.refused > 0 || self.examines,
            process: u32::from(process),
            ..NodeConfig::default()
        };
        let mut node = Node::new(config, now);
        if self.plan.window < WINDOW_MESSAGES_MAX {
            node.handle_window(self.plan.window, now);
        }
        let Process { draining, .. } = &self.processes[usize::from(process)];
        if let Some((drain, until)) = draining {
            let mut drain = drain.clone();
            drain.leave_in = until.since(now);
            node.handle_drain(drain, now);
        }
        self.links[link].served = Some(Served {
            node,
            process,
            armed: super::run::NEVER,
            reading: true,
            unread: 0,
            written: 0,
            closed: false,
            token_serial: 0,
        });
        self.drain_node(link, now)
    }

    /// A frame has arrived at the node.
    pub(super) fn arrive_up(&mut self, link: usize, now: Instant) -> Checked {
        let Some(packet) = self.links[link].net.up.pop() else { return Ok(()) };
        let Some(served) = &mut self.links[link].served else { return Ok(()) };
        match packet {
            Packet::Close { .. } | Packet::Broken => {
                served.node.handle_closed();
                served.closed = true;
            }
            Packet::Frame { .. } if served.closed => {}
            Packet::Frame { head, shape, body } => {
                let body = node_body(body);
                served.node.handle_frame(&head, shape, body, now);
            }
        }
        self.drain_node(link, now)
    }

    /// Carries out all that a node wants done.
    pub(super) fn drain_node(&mut self, link: usize, now: Instant) -> Checked {
        let mut wrote = false;
        loop {
            let Some(served) = &mut self.links[link].served else { return Ok(()) };
            let before = served.node.phase();
            let Some(action) = served.node.poll() else { break };
            let after = served.node.phase();
            debug_assert_eq!(before, after);
            self.carry_out(link, action, &mut wrote, now)?;
        }
        if wrote {
            self.tell_transport(link, now)?;
        }
        let Some(served) = &mut self.links[link].served else { return Ok(()) };
        let phase = served.node.phase();
        let told = std::mem::replace(&mut self.links[link].node_phase, phase);
        if told != phase {
            self.counts.node_step(told, phase);
        }
        let Some(served) = &mut self.links[link].served else { return Ok(()) };
        if served.node.is_over() {
            return Ok(());
        }
        if let Some(due) = served.node.next_deadline().filter(|due| *due < served.armed) {
            served.armed = due;
            self.schedule(due.max(now), Event::NodeTimer(link));
        }
        Ok(())
    }

    pub(super) fn carry_out(
        &mut self,
        link: usize,
        action: NodeAction<Note>,
        wrote: &mut bool,
        now: Instant,
    ) -> Checked {
        match action {
            NodeAction::Authenticate { id, token, producer, successor, .. } => {
                let answer = self.authenticate(link, token.as_ref(), &producer, successor.as_ref(), now);
                self.hook(link, Hook::Authenticated(id, answer), now)
            }
            NodeAction::Authorise { id, identity, rooms, .. } => {
                let answer = self.authorise(link, &identity, &rooms, now);
                self.hook(link, Hook::Authorised(id, answer), now)
            }
            NodeAction::Examine { id, subject, request, payload, .. } => {
                let answer = self.examine(link, subject, request, payload, now);
                self.hook(link, Hook::Examined(id, answer), now)
            }
            NodeAction::Call { id, call } => {
                let process = self.links[link].net.node;
                self.ask(process, Asked { asker: Asker::Link(link), id, call }, now)
            }
            NodeAction::Run(request) => self.run_request(link, request, now),
            NodeAction::Write(frame) => {
                *wrote = true;
                self.write_down(link, frame, now)
            }
            NodeAction::Reading(reading) => {
                self.note(now, || format!("link {link} is {}", if reading { "read" } else { "not read" }));
                if let Some(served) = &mut self.links[link].served {
                    served.reading = reading;
                    if reading {
                        let unread = std::mem::take(&mut served.unread);
                        for _ in 0..unread {
                            self.schedule(now, Event::ArriveUp(link));
                        }
                    }
                }
                Ok(())
            }
            NodeAction::Visible(_) => Ok(()),
            NodeAction::Close { code, reason, .. } => {
                self.note(now, || format!("node closes link {link}: {code} {reason}"));
                if code == 4002 && !self.links[link].hostile {
                    return broken!("protocol error", "a node closes link {link} with 4002: {reason}");
                }
                let reason: Rc<str> = reason.as_ref().into();
                self.send_down(link, Packet::Close { code, reason }, now);
                Ok(())
            }
        }
    }

    // ---- the engine ----

    pub(super) fn ask(&mut self, process: u8, asked: Asked, now: Instant) -> Checked {
        let at = usize::from(process);
        if self.processes[at].stalled_until > now {
            self.processes[at].stalled.push_back(asked);
            return Ok(());
        }
        let (often, until) = self.processes[at].unanswered;
        if until > now && self.random.chance(often) {
            // Half of them have been carried out, at once or when nobody expects it any more.
            match self.random.below(4) {
                0 | 1 => {
                    self.engine_does(&asked.call, now)?;
                }
                2 => {
                    let late = now + self.random.millis(1, 8_000);
                    self.calls.push(Some(asked.call.clone()));
                    self.schedule(late, Event::LateCall(self.calls.len() - 1));
                }
                _ => {}
            }
            let unanswered = asked.call.unanswered();
            let at = now + self.random.millis(1, 3_000);
            self.answers.push(Some((asked.asker, asked.id, unanswered)));
            self.schedule(at, Event::Answer(self.answers.len() - 1));
            return Ok(());
        }
        let (longest, until) = self.processes[at].slow_engine;
        if until > now || self.processes[at].engine_busy > now {
            // It takes its time on the way there, or on the way back; the order of calls stays.
            let waits = self.random.within(longest);
            if self.random.chance(128) {
                let begins = self.processes[at].engine_busy.max(now + waits);
                self.processes[at].engine_busy = begins;
                self.late.push(Some((process, asked)));
                self.schedule(begins, Event::Call(self.late.len() - 1));
                return Ok(());
            }
            if self.processes[at].engine_busy <= now {
                let answer = self.engine_does(&asked.call, now)?;
                self.answers.push(Some((asked.asker, asked.id, answer)));
                self.schedule(now + waits, Event::Answer(self.answers.len() - 1));
                return Ok(());
            }
            let begins = self.processes[at].engine_busy;
            self.late.push(Some((process, asked)));
            self.schedule(begins, Event::Call(self.late.len() - 1));
            return Ok(());
        }
        let answer = self.engine_does(&asked.call, now)?;
        self.answer(asked.asker, asked.id, answer, now)
    }

    pub(super) fn unstall(&mut self, process: u8, now: Instant) -> Checked {
        let at = usize::from(process);
        while self.processes[at].stalled_until <= now {
            let Some(asked) = self.processes[at].stalled.pop_front() else { break };
            self.ask(process, asked, now)?;
        }
        for link in 0..self.links.len() {
            if self.links[link].net.node == process {
                self.drain_node(link, now)?;
            }
        }
        self.drain_origin(process, now)
    }

    /// A call that was on its way has reached the engine.
    pub(super) fn late_call(&mut self, call: usize, now: Instant) -> Checked {
        let Some((_, asked)) = self.late[call].take() else { return Ok(()) };
        let answer = self.engine_does(&asked.call, now)?;
        self.answer(asked.asker, asked.id, answer, now)?;
        match asked.asker {
            Asker::Link(link) => self.drain_node(link, now),
            Asker::Origin(process, _) => self.drain_origin(process, now),
        }
    }

    pub(super) fn engine_does(&mut self, call: &Call<Note>, now: Instant) -> Checked<Answer<Note>> {
        let answer = call.carry_out(&mut self.engine, now);
        if let (Call::Append { n, batch, .. }, Answer::Append(Ok(appended))) = (call, &answer) {
            let (mark, numbers) = match appended {
                Appended::Stored { mark, numbers } | Appended::Full { mark, numbers } => (*mark, numbers),
                _ => return Ok(answer),
            };
            let first = (mark + 1).saturating_sub(numbers.len() as u64 + n) as usize;
            for (post, s) in batch.iter().skip(first).zip(numbers) {
                if post.payload.kind != Kind::Message {
                    continue;
                }
                let place = self.names.place(&post.subject);
                self.facts.stored(*s, place, post.payload.id)?;
            }
        }
        Ok(answer)
    }

    pub(super) fn answer(&mut self, asker: Asker, id: CallId, answer: Answer<Note>, now: Instant) -> Checked {
        match asker {
            Asker::Link(link) => {
                if let Some(served) = &mut self.links[link].served {
                    served.node.handle_answer(id, answer, now);
                }
                Ok(())
            }
            Asker::Origin(process, life) => {
                let process = &mut self.processes[usize::from(process)];
                if process.life == life {
                    process.origin.handle_answer(id, answer, now);
                }
                Ok(())
            }
        }
    }

    // ---- requests ----

    pub(super) fn run_request(&mut self, link: usize, request: Request<Note>, now: Instant) -> Checked {
        self.facts.ran(request.payload.id, now)?;
        let at = self.links[link].net.node;
        let process = &mut self.processes[usize::from(at)];
        let run = process.origin.handle_run(&request, now);
        let life = process.life;
        let note = Note { kind: Kind::Answer, octets: 60, binary: false, ..request.payload };
        let takes = match self.random.below(8) {
            // Once everything is healed handlers are quick: who asks must be answered.
            _ if now >= self.plan.healed => Duration::ZERO,
            0..=4 => Duration::ZERO,
            5 | 6 => self.random.millis(1, 2_000),
            // Longer than the server waits for it.
            _ => self.random.millis(100, 40_000),
        };
        self.ran.push(note);
        self.schedule(now + takes, Event::Ran(at, life, run, self.ran.len() - 1));
        self.drain_origin(at, now)
    }

    pub(super) fn ran(&mut self, process: u8, life: u32, run: RunId, note: Note, now: Instant) -> Checked {
        let at = &mut self.processes[usize::from(process)];
        if at.life != life {
            return Ok(());
        }
        at.origin.handle_ran(run, note, now);
        self.drain_origin(process, now)
    }

    pub(super) fn drain_origin(&mut self, process: u8, now: Instant) -> Checked {
        let at = usize::from(process);
        loop {
            let life = self.processes[at].life;
            let Some(action) = self.processes[at].origin.poll() else { break };
            match action {
                OriginAction::Draw => {
                    self.processes[at].draws += 1;
                    let half = mixed(&[self.plan.seed, u64::from(life), self.processes[at].draws]);
                    let producer =
                        Producer((u128::from(half) << 64 | u128::from(process) << 8 | 1).to_be_bytes());
                    let name = inbox(&producer);
                    self.processes[at].origin.handle_drawn(producer, name, now);
                }
                OriginAction::Call { id, call } => {
                    self.ask(process, Asked { asker: Asker::Origin(process, life), id, call }, now)?;
                }
                OriginAction::Compose { id, .. } => {
                    let note = Note { id: 0, octets: 80, binary: false, kind: Kind::Error };
                    self.processes[at].origin.handle_ran(id, note, now);
                }
                OriginAction::Ended { producer, link, n } => self.ended(process, &producer, link, n, now)?,
            }
        }
        let process_now = &mut self.processes[at];
        if let Some(due) = process_now.origin.next_deadline().filter(|due| *due < process_now.origin_armed) {
            process_now.origin_armed = due;
            let life = process_now.life;
            self.schedule(due.max(now), Event::OriginTimer(process, life));
        }
        Ok(())
    }

    pub(super) fn origin_timer(&mut self, process: u8, life: u32, now: Instant) -> Checked {
        let at = &mut self.processes[usize::from(process)];
        if at.life != life {
            return Ok(());
        }
        at.origin_armed = super::run::NEVER;
        at.origin.handle_timeout(now);
        self.drain_origin(process, now)
    }

    pub(super) fn ended(
        &mut self,
        process: u8,
        producer: &Producer,
        link: u64,
        n: u64,
        now: Instant,
    ) -> Checked {
        for index in 0..self.links.len() {
            let Some(served) = &mut self.links[index].served else { continue };
            if served.process != process || served.node.producer().map(|(of, _)| of) != Some(*producer) {
                continue;
            }
            if served.node.producer() == Some((*producer, link)) {
                served.node.handle_ran(n, now);
            } else {
                let own = served.node.producer().map_or(0, |(_, number)| number);
                let running = self.processes[usize::from(process)].origin.running_elsewhere(producer, own);
                if let Some(served) = &mut self.links[index].served {
                    served.node.handle_elsewhere(running, now);
                }
            }
            self.drain_node(index, now)?;
        }
        Ok(())
    }
}

pub(super) fn node_body(body: UpBody) -> NodeBody<Note> {
    match body {
        UpBody::None => NodeBody::None,
        UpBody::Hello(hello) => NodeBody::Hello(hello),
        UpBody::Token(token) => NodeBody::Token(token),
        UpBody::Unreadable => NodeBody::Unreadable,
        UpBody::Elements(sent) => NodeBody::Elements(sent.into_iter().map(element).collect()),
    }
}

pub(super) fn element(sent: Sent) -> Element<Note> {
    if sent.withdrawn {
        return Element { bytes: 4, kind: ElementKind::Withdrawn };
    }
    let Sent { note, receiver, request, .. } = sent;
    Element { bytes: note.octets.into(), kind: ElementKind::Message { receiver, request, payload: note } }
}

/// A frame for the trace.
pub(super) fn shown<B: std::fmt::Debug>(packet: &Packet<B>) -> String {
    match packet {
        Packet::Frame { head, body, .. } => {
            let mut body = format!("{body:?}");
            if body.len() > 400 {
                body.truncate(400);
            }
            format!("{} {body}", String::from_utf8_lossy(head))
        }
        Packet::Close { code, reason } => format!("close {code} {reason}"),
        Packet::Broken => "broken".to_owned(),
    }
}
