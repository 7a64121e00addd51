//! Drives one client in virtual time: the test plays host, network and server; nobody sleeps.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

pub mod net;

use everwire_core::frame::Form;
use everwire_core::session::up::Outgoing;
use everwire_core::{Action, Client, Closed, Config, Duration, Frame, Instant, Phase, Reason, State, Ticket};

/// More steps than this without time passing is a livelock.
const STEPS_MAX: usize = 10_000;

pub struct Harness {
    pub client: Client,
    pub now: Instant,
    /// Everything the machine wanted, with the time.
    pub log: Vec<(Instant, Action)>,
    next_ticket: u32,
    /// Nothing stays in the socket's buffer.
    pub takes_all: bool,
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Harness {
    pub fn new(config: Config) -> Self {
        Self::seeded(config, 1)
    }

    pub fn seeded(config: Config, seed: u64) -> Self {
        let now = Instant::default() + secs(1000);
        Self { client: Client::new(config, seed), now, log: Vec::new(), next_ticket: 0, takes_all: true }
    }

    /// A wire whose first link is in use.
    pub fn open(config: Config) -> Self {
        let mut harness = Self::new(config);
        harness.connect();
        harness.open_link();
        harness.frame();
        assert_eq!(harness.client.state(), State::Open);
        harness
    }

    pub fn drain(&mut self) {
        for _ in 0..STEPS_MAX {
            match self.client.poll() {
                Some(action) => self.log.push((self.now, action)),
                // A socket that takes whatever it is given.
                None if self.client.is_over_high_water() && self.takes_all => {
                    self.client.handle_buffered(0, self.now);
                }
                None => return,
            }
        }
        panic!("livelock");
    }

    pub fn connect(&mut self) {
        self.client.handle_connect(self.now);
        self.drain();
    }

    pub fn send(&mut self, bytes: u32) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.client.submit(ticket, bytes, self.now).expect("taken");
        self.drain();
        ticket
    }

    pub fn send_as(&mut self, as_what: impl FnOnce(Outgoing) -> Outgoing) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let message = as_what(Outgoing::new(ticket, 10, Form::Text));
        self.client.submit_as(message, self.now).expect("taken");
        self.drain();
        ticket
    }

    /// The providers answer at once and the socket opens 10 ms later.
    pub fn open_link(&mut self) {
        assert_eq!(self.client.phase(), Phase::Asking);
        self.client.handle_dialled(self.client.link(), true, self.now);
        self.drain();
        // In no time: what a dial takes tells the round trip, and the tests begin with nothing known.
        self.client.handle_link_open(self.client.link(), self.now);
        self.drain();
    }

    pub fn frame(&mut self) {
        self.client.handle_frame(self.client.link(), Frame::Message, self.now);
        self.drain();
    }

    pub fn heartbeat(&mut self) {
        self.client.handle_frame(self.client.link(), Frame::Heartbeat, self.now);
        self.drain();
    }

    pub fn closed(&mut self, code: u16, clean: bool) {
        self.client.handle_link_closed(self.client.link(), Closed { code, clean }, self.now);
        self.drain();
    }

    pub fn reset(&mut self) {
        self.closed(1006, false);
    }

    /// Lets time pass, stopping at every deadline.
    pub fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        for _ in 0..STEPS_MAX {
            match self.client.next_deadline().filter(|due| *due <= until) {
                Some(due) => {
                    self.now = self.now.max(due);
                    self.client.handle_timeout(self.now);
                    self.drain();
                }
                None => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("livelock");
    }

    /// Lets time pass until the machine dials; tells how long that took.
    pub fn pass_until_dial(&mut self) -> Duration {
        let began = self.now;
        while self.client.phase() == Phase::Waiting {
            let due = self.client.next_deadline().expect("a dial is scheduled");
            self.pass(due.since(self.now));
        }
        self.now.since(began)
    }

    /// Forgets the log and returns it.
    pub fn take(&mut self) -> Vec<Action> {
        self.log.drain(..).map(|(_, action)| action).collect()
    }

    pub fn count(&self, wanted: impl Fn(&Action) -> bool) -> usize {
        self.log.iter().filter(|(_, action)| wanted(action)).count()
    }

    pub fn written(&self) -> Vec<Ticket> {
        self.log
            .iter()
            .filter_map(
                |(_, action)| if let Action::Write { ticket } = action { Some(*ticket) } else { None },
            )
            .collect()
    }

    pub fn settled(&self) -> Vec<Ticket> {
        self.log
            .iter()
            .filter_map(
                |(_, action)| if let Action::Settled { ticket } = action { Some(*ticket) } else { None },
            )
            .collect()
    }

    pub fn dropped(&self) -> Vec<(Ticket, Reason)> {
        self.log
            .iter()
            .filter_map(|(_, action)| match action {
                Action::Dropped { ticket, reason } => Some((*ticket, *reason)),
                _ => None,
            })
            .collect()
    }

    pub fn beats(&self) -> usize {
        self.count(|action| matches!(action, Action::Beat))
    }
}
