//! The reconnect storm: everybody loses the same server at the same instant.
//!
//! Virtual time, one calendar, one seed = one storm. A dial takes half a round trip to the server, which is down,
//! has its queue full, or accepts it when its turn comes; half a round trip later the client knows.

mod calendar;
mod everwire;
mod rules;
mod run;
mod server;
mod table;

use everwire_core::{Duration, Instant};

pub use everwire::Told;
pub use rules::Rule;
pub use table::Table;

use everwire::Everwire;
use rules::Followers;
use run::Run;

/// When everything is lost; before it lies the life in which the links became stable.
const LOST_AT: Instant = Instant::from_micros(1_000_000_000);

/// Who comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The real machine.
    Everwire(Told),
    /// A rule.
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

    fn up_at(&self) -> Instant {
        LOST_AT + self.down
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
