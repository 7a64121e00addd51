//! Whatever happens in whatever order: nothing undefined, nothing lost, nothing twice.
//!
//! A model host plays along as a real one would, and badly: it repeats events, mixes up links, fails writes and lets
//! timers come late. `debug_assert` in the machine turns every `Never` of the transition table into a failure here.

mod common;

use std::collections::{BTreeMap, VecDeque};

use common::{ms, secs};
use everwire_core::frame::Form;
use everwire_core::session::up::Outgoing;
use everwire_core::{
    Action, BackoffConfig, Client, Closed, Config, Duration, ExpectReply, Frame, Instant, LivenessConfig,
    OutboxConfig, Overflow, Phase, Rate, Reason, State, Ticket, Window,
};
use proptest::prelude::*;

const OVERFLOWS: &[Overflow] =
    &[Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest, Overflow::Wait];

#[derive(Clone, Debug)]
enum Input {
    Connect,
    Submit { bytes: u32, priority: u8, key: Option<u32>, ttl: Option<u64> },
    Abort(u32),
    Echo(u32),
    Reconnect,
    Close(u64),
    Dialled { back: u32, changed: bool },
    DialFailed { back: u32 },
    Opened { back: u32 },
    Frame { back: u32, heartbeat: bool },
    Closed { back: u32, code: u16, clean: bool },
    Window { back: u32, window: Window },
    FailNextWrite,
    Buffered(u64),
    Timeout,
    Pass(u64),
    Wake(u64),
    Online,
    Offline,
    NetworkChanged,
    Visible(bool),
    Suspend,
    Resume { visible: bool },
}

fn input() -> impl Strategy<Value = Input> {
    let back = || prop_oneof![9 => Just(0u32), 1 => 1u32..4];
    let code = prop_oneof![
        Just(1000u16),
        Just(1001),
        Just(1006),
        Just(1008),
        Just(1009),
        Just(1012),
        Just(4401),
        any::<u16>()
    ];
    let window = (prop_oneof![Just(0u64), 0u64..2_000, 0u64..100_000, Just(u64::MAX)], any::<bool>())
        .prop_map(
            |(window, instructed)| {
                if instructed { Window::Instructed(ms(window)) } else { Window::Advertised(ms(window)) }
            },
        );
    let bytes = prop_oneof![9 => 0u32..300, 1 => 0u32..60_000];
    let (key, ttl) = (prop::option::weighted(0.2, 0u32..3), prop::option::weighted(0.2, 0u64..5_000));
    let submit = (bytes, prop_oneof![4 => Just(0u8), 1 => any::<u8>()], key, ttl);
    prop_oneof![
        3 => Just(Input::Connect),
        12 => submit.prop_map(|(bytes, priority, key, ttl)| Input::Submit { bytes, priority, key, ttl }),
        2 => prop_oneof![Just(0), 0u64..2_000].prop_map(Input::Buffered),
        2 => (0u32..40).prop_map(Input::Abort),
        2 => (0u32..40).prop_map(Input::Echo),
        1 => Just(Input::Reconnect),
        1 => (0u64..8000).prop_map(Input::Close),
        9 => (back(), any::<bool>()).prop_map(|(back, changed)| Input::Dialled { back, changed }),
        1 => back().prop_map(|back| Input::DialFailed { back }),
        9 => back().prop_map(|back| Input::Opened { back }),
        12 => (back(), any::<bool>()).prop_map(|(back, heartbeat)| Input::Frame { back, heartbeat }),
        3 => (back(), code, any::<bool>()).prop_map(|(back, code, clean)| Input::Closed { back, code, clean }),
        2 => (back(), window).prop_map(|(back, window)| Input::Window { back, window }),
        1 => Just(Input::FailNextWrite),
        4 => Just(Input::Timeout),
        9 => prop_oneof![0u64..10, 0u64..3000, 0u64..100_000].prop_map(Input::Pass),
        1 => (1000u64..100_000_000).prop_map(Input::Wake),
        1 => Just(Input::Online),
        1 => Just(Input::Offline),
        1 => Just(Input::NetworkChanged),
        2 => any::<bool>().prop_map(Input::Visible),
        1 => Just(Input::Suspend),
        1 => any::<bool>().prop_map(|visible| Input::Resume { visible }),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    (
        prop_oneof![Just(0u32), 0u32..5],
        prop_oneof![Just(0u64), Just(30_000), 0u64..40_000],
        prop_oneof![Just(ExpectReply::No), Just(ExpectReply::Yes), Just(ExpectReply::Learn)],
        (1u32..20, prop_oneof![0u64..2000, Just(1 << 20)], prop::sample::select(OVERFLOWS)),
        (0u64..40_000, 0u64..40_000, 1.0f64..10.0),
        (
            prop_oneof![Just(20_000u64), 0u64..30_000],
            any::<(bool, bool)>(),
            prop_oneof![1u32..400, Just(100_000)],
        ),
        (prop_oneof![Just(1u64 << 20), 0u64..2_000], prop::option::of((1u64..100_000, 1u32..5))),
    )
        .prop_map(
            |(
                attempts_max,
                interval,
                expect_reply,
                outbox,
                backoff,
                (connect, (has_token, rests_hidden), bytes),
                (high_water, rate),
            )| Config {
                backoff: BackoffConfig {
                    delay_min: ms(backoff.0),
                    delay_max: ms(backoff.1),
                    factor: backoff.2,
                    attempts_max,
                },
                liveness: LivenessConfig { interval: ms(interval), expect_reply },
                outbox: OutboxConfig { messages_max: outbox.0, bytes_max: outbox.1, overflow: outbox.2 },
                message_bytes_max: bytes,
                connect_timeout: ms(connect),
                has_token,
                rests_hidden,
                high_water,
                rate: rate.map(|(per_second_milli, burst)| Rate { per_second_milli, burst }),
            },
        )
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Waiting,
    Written { link: u32 },
    Gone,
}

/// What a host knows: tickets, links, and what the user was told.
struct Model {
    client: Client,
    now: Instant,
    fates: BTreeMap<Ticket, Fate>,
    /// What waits: in the order in which it is to be written but for priority.
    queue: VecDeque<Outgoing>,
    /// When messages were written.
    writes: Vec<Instant>,
    buffered: u64,
    live: Option<u32>,
    fail_next_write: bool,
    told: State,
    final_end: bool,
    next_ticket: u32,
    /// The longest delay that there may be: 30 s, and the windows that were instructed, up to 10 min.
    delay_max: Duration,
    /// The page is put away or hidden: nothing may be due.
    away: bool,
    /// An own message has come back since the last frame.
    echoed: bool,
}

impl Model {
    fn exit(&mut self, ticket: Ticket) -> Result<Fate, TestCaseError> {
        let fate = self.fates.insert(ticket, Fate::Gone);
        prop_assert!(
            matches!(fate, Some(Fate::Waiting | Fate::Written { .. })),
            "{ticket:?} left as {fate:?}"
        );
        Ok(fate.unwrap())
    }

    /// What is to be written next: of the highest priority what has come first.
    fn next(&self) -> Option<Outgoing> {
        let highest = self.queue.iter().map(|message| message.priority).max()?;
        self.queue.iter().find(|message| message.priority == highest).copied()
    }

    fn carry_out(&mut self, config: &Config) -> Result<(), TestCaseError> {
        for step in 0.. {
            prop_assert!(step < 10_000, "livelock");
            let Some(action) = self.client.poll() else { break };
            prop_assert!(!self.final_end, "{action:?} after the end");
            match action {
                Action::Dial { link } => {
                    prop_assert_eq!(self.live, None, "two links at once");
                    prop_assert_eq!(link, self.client.link());
                    self.live = Some(link);
                }
                Action::DropLink { link } => {
                    self.buffered = 0;
                    prop_assert_eq!(self.live.take(), Some(link));
                }
                Action::CloseLink | Action::Beat => prop_assert!(self.live.is_some()),
                Action::Write { ticket } => {
                    let link = self.live.expect("a link to write to");
                    let next = self.next();
                    prop_assert_eq!(next.map(|message| message.ticket), Some(ticket), "out of order");
                    let expires = next.and_then(|message| message.expires);
                    prop_assert!(expires.is_none_or(|at| at > self.now), "written too late");
                    prop_assert!(self.buffered <= config.high_water, "written into a full buffer");
                    if std::mem::take(&mut self.fail_next_write) {
                        self.client.handle_write_failed(ticket, self.now);
                    } else {
                        self.queue.retain(|message| message.ticket != ticket);
                        self.buffered += next.map_or(0, |message| u64::from(message.bytes));
                        self.writes.push(self.now);
                        prop_assert_eq!(
                            self.fates.insert(ticket, Fate::Written { link }),
                            Some(Fate::Waiting)
                        );
                    }
                }
                Action::Settled { ticket } => {
                    let fate = self.exit(ticket)?;
                    prop_assert!(matches!(fate, Fate::Written { .. }), "settled and never written");
                }
                Action::Dropped { ticket, reason } => {
                    let fate = self.exit(ticket)?;
                    let in_doubt = matches!(reason, Reason::InDoubt | Reason::InDoubtOverflow);
                    prop_assert_eq!(matches!(fate, Fate::Written { .. }), in_doubt, "{:?}", reason);
                    let gone = self.queue.iter().find(|waiting| waiting.ticket == ticket).copied();
                    match reason {
                        Reason::Expired => prop_assert!(gone.and_then(|gone| gone.expires) <= Some(self.now)),
                        Reason::Replaced => {
                            let key = gone.and_then(|gone| gone.key);
                            let newer = |other: &Outgoing| other.key == key && other.ticket > ticket;
                            prop_assert!(key.is_some() && self.queue.iter().any(newer));
                        }
                        Reason::Overflow => prop_assert!(matches!(
                            config.outbox.overflow,
                            Overflow::DropOldest | Overflow::DropNewest
                        )),
                        _ => {}
                    }
                    self.queue.retain(|waiting| waiting.ticket != ticket);
                }
                Action::StateChanged(state) => {
                    prop_assert_ne!(state, self.told);
                    self.told = state;
                }
                Action::Ended { retry, .. } => {
                    self.final_end = retry.is_none();
                    prop_assert!(retry.is_none_or(|delay| delay <= self.delay_max));
                }
                Action::Reconnecting { delay, attempt, .. } => {
                    prop_assert!(delay <= self.delay_max && attempt >= 1);
                }
                Action::Opened { link, .. } => prop_assert_eq!(Some(link), self.live),
                Action::Notice(_) => {}
            }
        }
        let waiting = self.fates.values().filter(|fate| **fate == Fate::Waiting).count();
        prop_assert_eq!(self.client.waiting().0, waiting);
        prop_assert_eq!(self.queue.len(), waiting);
        let written = self.fates.values().filter(|fate| matches!(fate, Fate::Written { .. })).count();
        prop_assert_eq!(self.client.in_flight(), written);
        prop_assert_eq!(self.told, self.client.state());
        prop_assert_eq!(self.final_end, self.client.phase() == Phase::Closed);
        if self.client.phase() == Phase::Closed {
            prop_assert_eq!((waiting, written, self.live, self.client.next_deadline()), (0, 0, None, None));
        } else if self.client.phase() != Phase::Idle {
            let watched = self.client.next_deadline().is_some();
            let rests = self.away && self.client.phase() == Phase::Waiting;
            let fine = watched || rests || self.client.phase() == Phase::Open;
            prop_assert!(fine, "nothing would ever happen");
        }
        Ok(())
    }

    /// The machine had nothing to do about a frame with messages of others: then the shell keeps another one in the same
    /// instant to itself, for it would change nothing.
    fn hear_again(&self, link: u32) -> Result<(), TestCaseError> {
        let mut again = self.client.clone();
        if again.poll().is_some() {
            return Ok(());
        }
        again.handle_frame(link, Frame::Message, self.now);
        again.handle_timeout(self.now);
        prop_assert_eq!(format!("{again:?}"), format!("{:?}", self.client));
        Ok(())
    }

    fn feed(&mut self, input: Input, config: &Config) -> Result<(), TestCaseError> {
        if matches!(input, Input::Submit { .. }) {
            // What time brings is ordered before the message is there, whatever its priority.
            self.client.handle_timeout(self.now);
            self.carry_out(config)?;
        }
        let Self { client, now, .. } = self;
        let now = *now;
        let link = |back: u32| client.link().saturating_sub(back);
        match input {
            Input::Connect => client.handle_connect(now),
            Input::Submit { bytes, priority, key, ttl } => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                let expires = ttl.map(|ttl| now + ms(ttl));
                let message = Outgoing { priority, key, expires, ..Outgoing::new(ticket, bytes, Form::Text) };
                let taken = client.submit_as(message, now);
                prop_assert!(bytes <= config.message_bytes_max || taken.is_err());
                if taken.is_ok() {
                    self.fates.insert(ticket, Fate::Waiting);
                    let twin = |one: &Outgoing| key.is_some() && (one.key, one.priority) == (key, priority);
                    let at = self.queue.iter().position(twin).map_or(self.queue.len(), |at| at + 1);
                    self.queue.insert(at, message);
                }
            }
            Input::Abort(back) => {
                let ticket = Ticket(self.next_ticket.saturating_sub(back));
                let waited = client.handle_abort(ticket, now);
                prop_assert_eq!(waited, self.fates.get(&ticket) == Some(&Fate::Waiting));
            }
            Input::Echo(back) => {
                client.handle_echo(Ticket(self.next_ticket.saturating_sub(back)));
                self.echoed = true;
            }
            Input::Reconnect => client.handle_reconnect(now),
            Input::Close(drain) => client.handle_close(ms(drain), now),
            Input::Dialled { back, changed } => client.handle_dialled(link(back), changed, now),
            Input::DialFailed { back } => client.handle_dial_failed(link(back), now),
            Input::Opened { back } => client.handle_link_open(link(back), now),
            Input::Frame { back, heartbeat } => {
                let frame = if heartbeat { Frame::Heartbeat } else { Frame::Message };
                let number = link(back);
                client.handle_frame(number, frame, now);
                client.handle_timeout(now);
                // A frame of an older link is not the one that the echo is in.
                let echoed = number == client.link() && std::mem::take(&mut self.echoed);
                if !echoed && !heartbeat {
                    self.hear_again(number)?;
                }
                return self.carry_out(config);
            }
            Input::Closed { back, code, clean } => {
                client.handle_link_closed(link(back), Closed { code, clean }, now);
            }
            Input::Window { back, window } => {
                client.handle_window(link(back), window, now);
                if let Window::Instructed(window) = window {
                    self.delay_max = self.delay_max.max(window.min(secs(600)));
                }
            }
            Input::Buffered(octets) => {
                self.buffered = self.buffered.min(octets);
                client.handle_buffered(self.buffered, now);
            }
            Input::FailNextWrite => self.fail_next_write = true,
            Input::Timeout => {
                if let Some(due) = client.next_deadline() {
                    self.now = now.max(due);
                    client.handle_timeout(self.now);
                    prop_assert!(client.next_deadline().is_none_or(|due| due > self.now), "still due");
                }
            }
            Input::Pass(millis) => {
                self.now = now + ms(millis);
                client.handle_timeout(self.now);
                prop_assert!(client.next_deadline().is_none_or(|due| due > self.now), "still due");
            }
            Input::Wake(millis) => {
                self.now = now + ms(millis);
                client.handle_wake(self.now);
            }
            Input::Online => client.handle_online(now),
            Input::Offline => client.handle_offline(now),
            Input::NetworkChanged => client.handle_network_changed(now),
            Input::Visible(visible) => {
                self.away = !visible;
                client.handle_visible(visible, now);
                if visible {
                    prop_assert!(client.phase() != Phase::Waiting || client.next_deadline().is_some());
                }
            }
            Input::Suspend => {
                self.away = true;
                client.handle_suspend(now);
                let linked = matches!(
                    client.phase(),
                    Phase::Asking | Phase::Dialling | Phase::Proving | Phase::Open | Phase::Closing
                );
                prop_assert!(!linked, "a link would keep the page out of the cache");
            }
            Input::Resume { visible } => {
                self.away = !visible;
                client.handle_resume(visible, now);
                let rests = config.rests_hidden && !visible;
                prop_assert!(rests || client.phase() != Phase::Waiting || client.next_deadline().is_some());
            }
        }
        self.carry_out(config)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn every_ticket_leaves_once_in_order_and_nothing_is_undefined(
        config in config(), seed: u64, inputs in prop::collection::vec(input(), 1..250),
    ) {
        let mut model = Model {
            client: Client::new(config, seed),
            now: Instant::default() + secs(100_000),
            fates: BTreeMap::new(),
            queue: VecDeque::new(),
            writes: Vec::new(),
            buffered: 0,
            live: None,
            fail_next_write: false,
            told: State::Connecting,
            final_end: false,
            next_ticket: 0,
            delay_max: secs(30),
            away: false,
            echoed: false,
        };
        for input in inputs {
            model.feed(input, &config)?;
        }
        model.feed(Input::Close(1000), &config)?;
        for _ in 0..1000 {
            if model.client.phase() == Phase::Closed { break }
            model.feed(Input::Timeout, &config)?;
        }
        prop_assert_eq!(model.client.phase(), Phase::Closed);
        prop_assert!(model.fates.values().all(|fate| *fate == Fate::Gone));
        if let Some(rate) = config.rate {
            for (first, from) in model.writes.iter().enumerate() {
                for (more, until) in model.writes.iter().skip(first).enumerate() {
                    let gained = until.since(*from).as_micros() * rate.per_second_milli / 1_000_000_000;
                    prop_assert!(more as u64 <= gained + u64::from(rate.burst), "faster than the rate");
                }
            }
        }
    }

    /// From `close()` on, the wire is closed within the time for draining and one handshake.
    #[test]
    fn close_always_ends(seed: u64, inputs in prop::collection::vec(input(), 1..60), drain in 0u64..10_000) {
        let config = Config::default();
        let mut client = Client::new(config, seed);
        let mut now = Instant::default() + secs(1000);
        client.handle_connect(now);
        for input in inputs {
            match input {
                Input::Dialled { .. } => client.handle_dialled(client.link(), true, now),
                Input::Opened { .. } => client.handle_link_open(client.link(), now),
                Input::Frame { .. } => client.handle_frame(client.link(), Frame::Message, now),
                Input::Submit { bytes, .. } => drop(client.submit(Ticket(bytes), bytes, now)),
                Input::Pass(millis) => { now = now + ms(millis); client.handle_timeout(now) }
                _ => {}
            }
            while client.poll().is_some() {}
        }
        client.handle_close(ms(drain), now);
        let until = now + ms(drain) + secs(2);
        while let Some(due) = client.next_deadline().filter(|due| *due <= until) {
            client.handle_timeout(now.max(due));
            while client.poll().is_some() {}
        }
        prop_assert_eq!(client.phase(), Phase::Closed);
    }
}

/// 50,000 messages, a loss every so often: the machine's memory is bounded by its bounds.
#[test]
fn a_long_life_leaves_nothing_behind() {
    let mut harness = common::Harness::open(Config::default());
    for round in 0..2_000 {
        for _ in 0..25 {
            harness.send(200);
        }
        harness.pass(secs(12));
        harness.frame();
        if round % 10 == 9 {
            harness.reset();
            harness.pass_until_dial();
            harness.open_link();
            harness.frame();
        }
        harness.take();
    }
    harness.pass(Duration::from_secs(10));
    harness.frame();
    assert_eq!((harness.client.waiting(), harness.client.in_flight()), ((0, 0), 0));
}
