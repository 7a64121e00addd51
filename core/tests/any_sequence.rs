//! Whatever happens in whatever order: nothing undefined, nothing lost, nothing twice.
//!
//! A model host plays along as a real one would, and badly: it repeats events, mixes up links, fails writes and lets
//! timers come late. `debug_assert` in the machine turns every `Never` of the transition table into a failure here.

mod common;

use std::collections::{BTreeMap, VecDeque};

use common::{ms, secs};
use everwire_core::{
    Action, BackoffConfig, Client, Closed, Config, Duration, ExpectReply, Frame, Instant, LivenessConfig,
    OutboxConfig, Overflow, Phase, Reason, State, Ticket, Window,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Input {
    Connect,
    Submit(u32),
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
    Timeout,
    Pass(u64),
    Wake(u64),
    Online,
    Offline,
    NetworkChanged,
    Visible(bool),
    Suspend,
    Resume,
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
    prop_oneof![
        3 => Just(Input::Connect),
        12 => prop_oneof![9 => 0u32..300, 1 => 0u32..60_000].prop_map(Input::Submit),
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
        1 => Just(Input::Resume),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    (
        prop_oneof![Just(0u32), 0u32..5],
        prop_oneof![Just(0u64), Just(30_000), 0u64..40_000],
        prop_oneof![Just(ExpectReply::No), Just(ExpectReply::Yes), Just(ExpectReply::Learn)],
        (1u32..20, prop_oneof![0u64..2000, Just(1 << 20)], any::<bool>()),
        (0u64..40_000, 0u64..40_000, 1.0f64..10.0),
        (prop_oneof![Just(20_000u64), 0u64..30_000], any::<(bool, bool)>(), prop_oneof![1u32..400, Just(100_000)]),
    )
        .prop_map(
            |(attempts_max, interval, expect_reply, outbox, backoff, (connect, (has_token, rests_hidden), bytes))| Config {
                backoff: BackoffConfig {
                    delay_min: ms(backoff.0),
                    delay_max: ms(backoff.1),
                    factor: backoff.2,
                    attempts_max,
                },
                liveness: LivenessConfig { interval: ms(interval), expect_reply },
                outbox: OutboxConfig {
                    messages_max: outbox.0,
                    bytes_max: outbox.1,
                    overflow: if outbox.2 { Overflow::DropOldest } else { Overflow::Reject },
                },
                message_bytes_max: bytes,
                connect_timeout: ms(connect),
                has_token,
                rests_hidden,
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
    queue: VecDeque<Ticket>,
    live: Option<u32>,
    fail_next_write: bool,
    told: State,
    final_end: bool,
    next_ticket: u32,
    /// The longest delay that there may be: 30 s, and the windows that were instructed, up to 10 min.
    delay_max: Duration,
    /// The page is put away or hidden: nothing may be due.
    away: bool,
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

    fn carry_out(&mut self) -> Result<(), TestCaseError> {
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
                    prop_assert_eq!(self.live.take(), Some(link));
                }
                Action::CloseLink | Action::Beat => prop_assert!(self.live.is_some()),
                Action::Write { ticket } => {
                    let link = self.live.expect("a link to write to");
                    prop_assert_eq!(self.queue.front(), Some(&ticket), "out of order");
                    if std::mem::take(&mut self.fail_next_write) {
                        self.client.handle_write_failed(ticket, self.now);
                    } else {
                        self.queue.pop_front();
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
                    self.queue.retain(|waiting| *waiting != ticket);
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

    fn feed(&mut self, input: Input, config: &Config) -> Result<(), TestCaseError> {
        let Self { client, now, .. } = self;
        let now = *now;
        let link = |back: u32| client.link().saturating_sub(back);
        match input {
            Input::Connect => client.handle_connect(now),
            Input::Submit(bytes) => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                let taken = client.submit(ticket, bytes, now);
                prop_assert!(bytes <= config.message_bytes_max || taken.is_err());
                if taken.is_ok() {
                    self.fates.insert(ticket, Fate::Waiting);
                    self.queue.push_back(ticket);
                }
            }
            Input::Abort(back) => {
                let ticket = Ticket(self.next_ticket.saturating_sub(back));
                let waited = client.handle_abort(ticket, now);
                prop_assert_eq!(waited, self.fates.get(&ticket) == Some(&Fate::Waiting));
            }
            Input::Echo(back) => client.handle_echo(Ticket(self.next_ticket.saturating_sub(back))),
            Input::Reconnect => client.handle_reconnect(now),
            Input::Close(drain) => client.handle_close(ms(drain), now),
            Input::Dialled { back, changed } => client.handle_dialled(link(back), changed, now),
            Input::DialFailed { back } => client.handle_dial_failed(link(back), now),
            Input::Opened { back } => client.handle_link_open(link(back), now),
            Input::Frame { back, heartbeat } => {
                let frame = if heartbeat { Frame::Heartbeat } else { Frame::Message };
                client.handle_frame(link(back), frame, now);
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
            Input::Resume => {
                self.away = false;
                client.handle_resume(now);
                prop_assert!(client.phase() != Phase::Waiting || client.next_deadline().is_some());
            }
        }
        self.carry_out()
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
            live: None,
            fail_next_write: false,
            told: State::Connecting,
            final_end: false,
            next_ticket: 0,
            delay_max: secs(30),
            away: false,
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
                Input::Submit(bytes) => drop(client.submit(Ticket(bytes), bytes, now)),
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
