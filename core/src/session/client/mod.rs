//! The client of `everwire.v1`: one machine made of the halves and of what lies around them.

mod action;
mod alarm;
mod ending;
mod flight;
mod flow;
mod inbound;
mod inputs;
mod liveness;
mod notice;
mod pace;
mod page;
mod phase;
mod receipts;
mod record;
mod redirect;
mod request;
mod standing;
mod times;
mod welcome;
mod work;

use std::collections::{BTreeSet, VecDeque};

pub use action::{Action, Body, Cast, Close, Config, Opened, Outbound};
pub use notice::{Notice, Range, Unbacked, Why};
pub use page::{PAGES_MAX, PAGES_WAITING_MAX, PageAsk, PageFailure, PageId, PageUnfit};
pub use phase::{Event, Phase, Step};
pub use receipts::{Given, Original, RANGES_MAX, Receipt, TICKETS_MAX, TOLD_MAX, Told};
pub use record::Record;
pub use redirect::may_follow;
pub use request::{Asked, Requests};
pub use standing::Standing;

use super::down::{Persisted, Reader};
use super::up::{NotARecord, Sending};
use crate::codes::State;
use crate::engine::Producer;
use crate::mutant::mutant;
use crate::outbox::Ticket;
use crate::random::Random;
use crate::time::{Duration, Instant};
use alarm::{Alarm, Alarms};
use liveness::Liveness;
use pace::Ground;
use standing::Stage;

/// With no time at all a dial would fail in the instant in which it starts, for ever.
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// What is known of one link, and forgotten with it. [KEEP-3]
#[derive(Clone, Debug, Default)]
struct Link {
    /// Producers that nobody has used: the spare, and two for the case that the producer is unknown.
    fresh: Option<[Producer; 3]>,
    opened_at: Option<Instant>,
    welcomed_at: Option<Instant>,
    /// The last octet of `hello` has left.
    hello_left: bool,
    /// What is in the transport's buffer, as far as is known.
    buffered: u64,
    /// The socket takes nothing more; its `close` event, which knows why, is awaited.
    muted: bool,
    durable: bool,
    frame_bytes_max: u64,
    mark_rose: bool,
    /// The newest ping that is not answered. [LIVE-1]
    pong: Option<u64>,
    /// What the peer has announced with `more`.
    announced: Option<u64>,
    visible_said: bool,
    renewal: Renewal,
    /// From when on no numbers are given. [AWAY-3]
    hush_at: Option<Instant>,
    /// The number for which a stalled store was reported.
    stalled: Option<u64>,
}

/// Where the renewal of the credential stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Renewal {
    #[default]
    None,
    /// The host has been asked for a token.
    Asked,
    /// It has one; the `auth` has so many octets.
    Ready(u64),
    /// It is written, and not answered.
    Written,
}

/// The client of `everwire.v1`, exactly once.
///
/// 1. Tell it what happened: `handle_*(…, now)`, [`Client::submit`], [`Client::cast`], [`Client::page`]. `now` never
///    goes backwards. What changes the record is noted there first: [`Record::submitted`] and the like.
/// 2. **Drain [`Client::poll`] until it returns `None`**, in its order; each action is noted on the [`Record`] and then
///    carried out. Messages submitted before one drain share frames. An action may lead to an input at once (a write
///    that fails, a dial that cannot start, a buffer that fills): give it before the next `poll`.
/// 3. Tell it what the transport's buffer holds, [`Client::handle_buffered`], after whatever may have changed that and
///    before any other input.
/// 4. Wait for the next event, at the longest until [`Client::next_deadline`]; then [`Client::handle_timeout`].
///
/// If it dies, [`Client::restore`] makes another of the record, wherever the old one stood between two actions.
/// Payloads stay with the host: messages by their [`Ticket`], those received by their
/// [`Delivery`](super::down::Delivery).
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    random: Random,
    phase: Phase,
    told: State,
    offline: bool,
    visible: bool,
    now: Instant,
    /// When it was last looked what is due.
    looked_at: Instant,
    number: u64,
    link: Link,
    standing: Standing,
    standing_changed: bool,
    closing: Option<Instant>,
    /// The end has been told.
    ended: bool,
    sending: Sending,
    /// What the record knows of [`Action::Alone`].
    alone: (Option<u64>, u8),
    reader: Reader,
    requests: Requests,
    given: Given,
    pages: page::Pages,
    liveness: Liveness,
    alarms: Alarms,
    actions: VecDeque<Action>,
}

impl Client {
    /// A wire that does nothing until [`Self::handle_connect`]. The seed spreads its delays; the producer is a secret
    /// that no other wire may use. [HELLO-4]
    pub fn new(config: Config, seed: u64, producer: Producer) -> Self {
        Self::made(config, seed, Sending::new(config.outbox, producer), Reader::new())
    }

    /// As [`Self::new`], in a new page that kept positions. [HELLO-6]
    pub fn reopen(config: Config, seed: u64, producer: Producer, kept: Persisted) -> Self {
        Self::made(config, seed, Sending::new(config.outbox, producer), Reader::reopen(kept))
    }

    fn made(mut config: Config, seed: u64, mut sending: Sending, reader: Reader) -> Self {
        sending.limit(config.rate);
        config.connect_timeout = config.connect_timeout.max(CONNECT_TIMEOUT_MIN);
        Self {
            config,
            random: Random::new(seed),
            phase: Phase::Idle,
            told: State::Connecting,
            offline: false,
            visible: true,
            now: Instant::default(),
            looked_at: Instant::default(),
            number: 0,
            link: Link::default(),
            standing: Standing::default(),
            standing_changed: false,
            closing: None,
            ended: false,
            sending,
            alone: (None, 0),
            reader,
            requests: Requests::default(),
            given: Given::default(),
            pages: page::Pages::default(),
            liveness: Liveness::new(config.interval),
            alarms: Alarms::default(),
            actions: VecDeque::new(),
        }
    }

    /// Takes the place of an instance that has died, as one that has lost its link. Pages are not on the record: the
    /// host fails those that it waits for. What the page is like (hidden, offline, put away or back) is the host's to say
    /// again, where the record says otherwise. [KEEP-1]
    ///
    /// # Errors
    /// The record contradicts itself: nothing can be promised from it.
    pub fn restore(config: Config, seed: u64, record: Record, now: Instant) -> Result<Self, NotARecord> {
        let sending = Sending::restore(config.outbox, record.up)?;
        let mut client = Self::made(config, seed, sending, Reader::restore(record.down, now));
        client.now = now;
        client.number = if mutant!(LinkRestarts) { 0 } else { record.link };
        client.standing = record.standing;
        client.requests = record.requests;
        client.given = record.given;
        client.alone = client.sending.alone();
        client.closing = record.closing;
        client.ended = record.ended;
        if let Some(until) = record.closing {
            client.alarms.set(Alarm::Drain, until);
        }
        client.let_go_of_aborted(&record.aborted);
        client.resume_from(record.standing.stage, record.link, now);
        Ok(client)
    }

    /// What was aborted when the instance died, which had perhaps not heard of it.
    fn let_go_of_aborted(&mut self, aborted: &BTreeSet<Ticket>) {
        for ticket in aborted {
            self.abort(*ticket);
        }
    }

    fn resume_from(&mut self, stage: Stage, link: u64, now: Instant) {
        let replaced = self.sending.let_go_of_replaced();
        self.exit_all(replaced);
        match stage {
            Stage::Idle => self.phase = Phase::Idle,
            Stage::Suspended => self.phase = Phase::Suspended,
            Stage::Closed(why, code) => {
                self.phase = Phase::Closed;
                if link > 0 {
                    self.order(Action::Leave { link, close: Some(Close { code: 1000, reason: "" }) });
                }
                self.let_everything_go();
                self.tell();
                if !self.ended {
                    self.ended = true;
                    self.order(Action::Ended { link, why, code, retry: None });
                }
            }
            Stage::Waiting(due) => {
                self.phase = Phase::Waiting;
                self.alarms.set(Alarm::Redial, due);
            }
            Stage::Linked => {
                self.phase = Phase::Waiting;
                self.order(Action::Leave { link, close: Some(Close { code: 1000, reason: "" }) });
                self.stand().pace.link_ended(true);
                // At φ, if the server has asked for it.
                let due = self.due(Ground::Local, false, now);
                self.wait_until(due);
                self.told = State::Waiting;
                self.order(Action::StateChanged(State::Waiting));
                self.tell_of_dial(Why::Restored, 0, due, now);
            }
        }
        self.tell();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Some(action);
            }
            if !self.work() {
                self.keep();
                return self.actions.pop_front();
            }
        }
    }

    /// What the user is told.
    pub fn state(&self) -> State {
        self.phase.state(self.offline, self.closing.is_some())
    }

    /// What the client is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The number of the present link, and of the last one while there is none.
    pub fn link(&self) -> u64 {
        self.number
    }

    /// The smoothed round trip; zero while none has been measured.
    pub fn round_trip(&self) -> Duration {
        self.liveness.round_trip()
    }

    /// How many messages have not exited: those with a number, and those without.
    pub fn unsettled(&self) -> (usize, usize) {
        self.sending.len()
    }

    /// What a page may persist for delivery at least once. [HELLO-6]
    pub fn persisted(&self) -> Option<Persisted> {
        self.reader.persisted()
    }

    /// What the record must say when [`Self::poll`] has answered `None`; but for what only the host knows: receipts that
    /// it sent, and messages that were aborted.
    pub fn record(&self) -> Record {
        let mut record = Record::new(self.sending.record().producer);
        record.up = self.sending.record();
        record.down = self.reader.record().clone();
        record.link = self.number;
        record.requests = self.requests.clone();
        record.given = self.given.clone();
        record.standing = self.standing;
        record.closing = self.closing;
        record.ended = self.ended;
        record
    }
}
