//! A small network around one client: bytes drain at a rate in each direction, in order, and arrive after a delay; the
//! server echoes or answers what it has read. No I/O, no clock: whoever is due first happens first.

use std::collections::BTreeMap;

use everwire_core::{Action, Cause, Config, Duration, Instant, State, Ticket};

use super::{Harness, ms};

/// More events than this without time passing is a livelock.
const STEPS_MAX: usize = 10_000;
const BEAT_BYTES: u32 = 24;
const GREETING_BYTES: u32 = 40;

#[derive(Clone, Copy, Debug)]
enum Event {
    Opened,
    AtServer(Frame),
    AtClient(Frame),
}

#[derive(Clone, Copy, Debug)]
enum Frame {
    Own(Ticket),
    Beat,
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    outbound: bool,
    bytes: u32,
    every: Duration,
    next: Instant,
}

pub struct Net {
    pub harness: Harness,
    /// Bytes a second towards the server, and back.
    pub rates: (u64, u64),
    /// One way.
    pub delay: Duration,
    held_back: Duration,
    pub echoes: bool,
    pub answers: bool,
    /// What the server has read, in order.
    pub delivered: Vec<Ticket>,
    /// When each direction is free again.
    free: (Instant, Instant),
    /// When the last frame of each direction arrives: they stay in order.
    last: (Instant, Instant),
    silenced: Option<u32>,
    sources: Vec<Source>,
    events: BTreeMap<(Instant, u64), (u32, Event)>,
    sequence: u64,
    sizes: BTreeMap<Ticket, u32>,
    carried_out: usize,
}

impl Net {
    /// A wire whose first link is in use, over a fast link with a round trip of 50 ms.
    pub fn open(config: Config) -> Self {
        Self::open_after(config, Duration::ZERO)
    }

    /// … whose dials the browser holds back for so long.
    pub fn open_after(config: Config, held_back: Duration) -> Self {
        let mut net = Self {
            harness: Harness::new(config),
            rates: (10_000_000, 10_000_000),
            delay: ms(25),
            held_back,
            echoes: true,
            answers: true,
            delivered: Vec::new(),
            free: Default::default(),
            last: Default::default(),
            silenced: None,
            sources: Vec::new(),
            events: BTreeMap::new(),
            sequence: 0,
            sizes: BTreeMap::new(),
            carried_out: 0,
        };
        net.harness.connect();
        net.carry_out();
        net.run(held_back + ms(200));
        assert_eq!(net.harness.client.state(), State::Open);
        net
    }

    pub fn now(&self) -> Instant {
        self.harness.now
    }

    /// From now on nothing arrives on the current link, either way. The next one is well.
    pub fn silence(&mut self) {
        self.silenced = Some(self.harness.client.link());
    }

    /// The application sends.
    pub fn send(&mut self, bytes: u32) -> Ticket {
        let ticket = self.harness.send(bytes);
        self.sizes.insert(ticket, bytes);
        self.carry_out();
        ticket
    }

    /// The server sends something of its own.
    pub fn push(&mut self, bytes: u32) {
        self.down(Frame::Other, bytes);
    }

    /// From now on the application sends so often, or the server does.
    pub fn every(&mut self, every: Duration, bytes: u32, outbound: bool) {
        self.sources.push(Source { outbound, bytes, every, next: self.now() + every });
    }

    pub fn stop_sources(&mut self) {
        self.sources.clear();
    }

    /// The verdicts so far.
    pub fn verdicts(&self) -> Vec<Instant> {
        let noticed = |action: &Action| matches!(action, Action::Ended { cause: Cause::NoReply, .. });
        self.harness.log.iter().filter(|(_, action)| noticed(action)).map(|(at, _)| *at).collect()
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), (self.harness.client.link(), event));
    }

    fn up(&mut self, frame: Frame, bytes: u32) {
        self.free.0 = self.free.0.max(self.now()) + drain(bytes, self.rates.0);
        self.last.0 = self.last.0.max(self.free.0 + self.delay);
        self.schedule(self.last.0, Event::AtServer(frame));
    }

    fn down(&mut self, frame: Frame, bytes: u32) {
        self.free.1 = self.free.1.max(self.now()) + drain(bytes, self.rates.1);
        self.last.1 = self.last.1.max(self.free.1 + self.delay);
        self.schedule(self.last.1, Event::AtClient(frame));
    }

    fn carry_out(&mut self) {
        while let Some((_, action)) = self.harness.log.get(self.carried_out).copied() {
            self.carried_out += 1;
            match action {
                Action::Dial { link } => {
                    self.free = (self.now(), self.now());
                    self.last = self.free;
                    self.harness.client.handle_dialled(link, true, self.harness.now);
                    self.schedule(self.now() + self.held_back + self.delay.times(2), Event::Opened);
                }
                Action::Write { ticket } => self.up(Frame::Own(ticket), self.sizes[&ticket]),
                Action::Beat => self.up(Frame::Beat, BEAT_BYTES),
                _ => {}
            }
        }
    }

    fn happen(&mut self, link: u32, event: Event) {
        if link != self.harness.client.link() || self.silenced == Some(link) {
            return;
        }
        match event {
            Event::Opened => {
                self.harness.client.handle_link_open(link, self.harness.now);
                self.harness.drain();
                self.push(GREETING_BYTES);
            }
            Event::AtServer(Frame::Own(ticket)) => {
                self.delivered.push(ticket);
                if self.echoes {
                    self.down(Frame::Own(ticket), self.sizes[&ticket]);
                }
            }
            Event::AtServer(_) if self.answers => self.down(Frame::Beat, BEAT_BYTES),
            Event::AtServer(_) => {}
            Event::AtClient(Frame::Own(ticket)) => {
                self.harness.client.handle_echo(ticket);
                self.harness.frame();
            }
            Event::AtClient(Frame::Beat) => self.harness.heartbeat(),
            Event::AtClient(Frame::Other) => self.harness.frame(),
        }
        self.carry_out();
    }

    pub fn run(&mut self, span: Duration) {
        let until = self.now() + span;
        let mut steps = 0;
        loop {
            let source = (0..self.sources.len()).min_by_key(|at| self.sources[*at].next);
            let source_at = source.map(|at| self.sources[at].next);
            let event_at = self.events.keys().next().map(|(at, _)| *at);
            let deadline = self.harness.client.next_deadline();
            let Some(next) = [event_at, source_at, deadline].into_iter().flatten().min() else { break };
            if next > until {
                break;
            }
            steps = if next > self.now() { 0 } else { steps + 1 };
            assert!(steps < STEPS_MAX, "livelock");
            self.harness.now = self.now().max(next);
            if event_at == Some(next) {
                let (_, (link, event)) = self.events.pop_first().expect("there is one");
                self.happen(link, event);
            } else if let Some(source) = source.filter(|_| source_at == Some(next)) {
                let Source { outbound, bytes, every, .. } = self.sources[source];
                self.sources[source].next = next + every;
                if outbound {
                    self.send(bytes);
                } else {
                    self.push(bytes);
                }
            } else {
                self.harness.client.handle_timeout(self.harness.now);
                self.harness.drain();
                self.carry_out();
            }
        }
        self.harness.now = until;
    }
}

fn drain(bytes: u32, rate: u64) -> Duration {
    Duration::from_micros(u64::from(bytes) * 1_000_000 / rate)
}
