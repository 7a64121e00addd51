//! The reconnect storm: everybody loses the same server at the same instant.
//!
//! Virtual time, one binary heap, one seed = one storm. A dial takes half a round trip to the server, which is down,
//! has its queue full, or accepts it when its turn comes; half a round trip later the client knows.

mod everwire;
mod rules;
mod server;
mod table;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use everwire_core::{Duration, Instant};

pub use everwire::Told;
pub use rules::Rule;
pub use table::Table;

use everwire::Everwire;
use rules::Followers;
use server::{Answer, Server};

/// Half of 50 ms: a client on the same continent.
const HALF_TRIP: Duration = Duration::from_millis(25);
/// When everything is lost; before it lies the life in which the links became stable.
const LOST_AT: Instant = Instant::from_micros(1_000_000_000);
/// Rules without jitter can take very long; none is watched for longer than this after the server has come back.
const WATCH_MAX: Duration = Duration::from_secs(4 * 3600);

/// Who comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The real machine.
    Everwire(Told),
    /// A published rule.
    Rule(Rule),
}

impl Who {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everwire(told) => told.name(),
            Self::Rule(rule) => rule.name(),
        }
    }
}

/// One storm.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// How many clients.
    pub clients: u32,
    /// How many connections the server can accept in a second.
    pub accepts_per_second: u32,
    /// How long it is down.
    pub down: Duration,
    /// The seed of everything.
    pub seed: u64,
}

/// What was measured. Times are counted from the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Dials after the loss.
    pub attempts: u64,
    /// The most dials that reached the server in one second after it had come back.
    pub peak_up: u32,
    /// The most dials in one second at any time: what networks and balancers in front of a dead server see.
    pub peak: u32,
    /// When 99 % were back.
    pub back_most: Option<Duration>,
    /// When all were back.
    pub back_all: Option<Duration>,
    /// How many gave up.
    pub gave_up: u32,
    /// The most links that one client held or dialled at once.
    pub links_max: u32,
    /// Bytes of one client's state.
    pub bytes_each: usize,
}

impl Storm {
    /// The server's own wish: as many seconds as it needs for everybody.
    pub fn window(&self) -> Duration {
        Duration::from_micros(u64::from(self.clients) * 1_000_000 / u64::from(self.accepts_per_second))
    }

    /// Nobody can have everybody back sooner.
    pub fn floor(&self) -> Duration {
        self.down + self.window()
    }

    /// Runs it.
    pub fn run(&self, who: Who) -> Outcome {
        match who {
            Who::Everwire(told) => {
                Run::new(self, Everwire::new(told, self.clients, self.seed, LOST_AT)).finish()
            }
            Who::Rule(rule) => Run::new(self, Followers::new(rule, self.clients, self.seed)).finish(),
        }
    }
}

/// What happens to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    Lost,
    Timeout,
    Refused { link: u32 },
    Opened { link: u32 },
    Answer { link: u32 },
}

/// What follows from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reaction {
    pub(crate) dial: Option<u32>,
    pub(crate) beat: Option<u32>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) back: bool,
    pub(crate) gave_up: bool,
}

pub(crate) trait Crowd {
    fn handle(&mut self, client: u32, input: Input, now: Instant) -> Reaction;
    fn links_max(&self) -> u32;
    fn bytes_each(&self) -> usize;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A dial reaches the server.
    Dial {
        link: u32,
    },
    Client(Input),
}

/// Ordered by time, then by when it was scheduled: a storm has one history.
type Event = Reverse<(Instant, u64, u32, Happening)>;

struct Run<'a, C> {
    storm: &'a Storm,
    crowd: C,
    server: Server,
    events: BinaryHeap<Event>,
    scheduled: u64,
    /// Per client, the timeout in the heap that still counts.
    armed: Vec<Instant>,
    /// Dials that reached the server, per second since the loss.
    seconds: Vec<u32>,
    back: u32,
    outcome: Outcome,
}

const NEVER: Instant = Instant::from_micros(u64::MAX);

impl<'a, C: Crowd> Run<'a, C> {
    fn new(storm: &'a Storm, crowd: C) -> Self {
        let outcome = Outcome {
            attempts: 0,
            peak_up: 0,
            peak: 0,
            back_most: None,
            back_all: None,
            gave_up: 0,
            links_max: 0,
            bytes_each: crowd.bytes_each(),
        };
        Self {
            storm,
            crowd,
            server: Server::new(storm.accepts_per_second.into(), LOST_AT + storm.down),
            events: BinaryHeap::with_capacity(storm.clients as usize * 2),
            scheduled: 0,
            armed: vec![NEVER; storm.clients as usize],
            seconds: Vec::new(),
            back: 0,
            outcome,
        }
    }

    fn finish(mut self) -> Outcome {
        for client in 0..self.storm.clients {
            self.feed(client, Input::Lost, LOST_AT);
        }
        let until = LOST_AT + self.storm.down + WATCH_MAX;
        while self.back + self.outcome.gave_up < self.storm.clients {
            let Some(Reverse((now, _, client, happening))) = self.events.pop() else { break };
            if now > until {
                break;
            }
            match happening {
                Happening::Dial { link } => self.dial(client, link, now),
                Happening::Client(Input::Timeout) if self.armed[client as usize] != now => {}
                Happening::Client(input) => self.feed(client, input, now),
            }
        }
        let up = (self.storm.down.as_micros() / 1_000_000) as usize;
        self.outcome.peak = self.seconds.iter().max().copied().unwrap_or(0);
        self.outcome.peak_up = self.seconds.iter().skip(up).max().copied().unwrap_or(0);
        self.outcome.links_max = self.crowd.links_max();
        self.outcome
    }

    fn schedule(&mut self, at: Instant, client: u32, happening: Happening) {
        self.events.push(Reverse((at, self.scheduled, client, happening)));
        self.scheduled += 1;
    }

    fn dial(&mut self, client: u32, link: u32, now: Instant) {
        let second = (now.since(LOST_AT).as_micros() / 1_000_000) as usize;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, 0);
        }
        self.seconds[second] += 1;
        let (at, input) = match self.server.dial(now) {
            Answer::Refused => (now, Input::Refused { link }),
            Answer::Accepted(at) => (at, Input::Opened { link }),
        };
        self.schedule(at + HALF_TRIP, client, Happening::Client(input));
    }

    fn feed(&mut self, client: u32, input: Input, now: Instant) {
        if input == Input::Timeout {
            self.armed[client as usize] = NEVER;
        }
        let reaction = self.crowd.handle(client, input, now);
        if let Some(link) = reaction.dial {
            self.outcome.attempts += 1;
            self.schedule(now + HALF_TRIP, client, Happening::Dial { link });
        }
        if let Some(link) = reaction.beat {
            self.schedule(now + HALF_TRIP + HALF_TRIP, client, Happening::Client(Input::Answer { link }));
        }
        if let Some(due) = reaction.deadline.filter(|due| *due < self.armed[client as usize]) {
            self.armed[client as usize] = due;
            self.schedule(due, client, Happening::Client(Input::Timeout));
        }
        self.outcome.gave_up += u32::from(reaction.gave_up);
        if reaction.back {
            self.back += 1;
            let took = now.since(LOST_AT);
            if u64::from(self.back) * 100 >= u64::from(self.storm.clients) * 99 {
                self.outcome.back_most.get_or_insert(took);
            }
            if self.back == self.storm.clients {
                self.outcome.back_all = Some(took);
            }
        }
    }
}
