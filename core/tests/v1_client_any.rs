//! Anything in any order, hostile frames included: no panic, no undefined transition, every ticket exits once, the fold of
//! the actions is what the machine knows, and never two links.

mod v1_client_common;

use std::collections::BTreeSet;

use everwire_core::frame::Form;
use everwire_core::session::client::*;
use everwire_core::session::up::Outgoing;
use everwire_core::{Duration, OutboxConfig, Overflow, Ticket};
use proptest::prelude::*;
use v1_client_common::*;

#[derive(Clone, Debug)]
enum Op {
    /// The next step to a link that is open, whatever that is.
    Go,
    /// What a right server would say now.
    Honest(Honest),
    Connect,
    Dialled {
        changed: bool,
    },
    DialFailed,
    Opens {
        selected: bool,
    },
    Welcome(String),
    Frame(String),
    Close(u16, &'static str),
    Submit {
        bytes: u32,
        key: Option<u32>,
        priority: u8,
        ttl: Option<u64>,
        request: Option<u64>,
        binary: bool,
    },
    Abort(u32),
    Cast(u32),
    Join(u8),
    Leave(u8),
    Page {
        before: Option<u64>,
        count: u16,
    },
    PageAbort(u32),
    Settle(usize),
    Pass(u64),
    Oversleep(u64),
    Timeout,
    Buffered(u64),
    WriteFailed,
    Renewed(u64),
    RenewalFailed,
    Visible(bool),
    Online,
    Offline,
    Wake,
    Suspend,
    Resume,
    Reconnect,
    Shut(u64),
    Crash {
        keeps: usize,
    },
    StaleLink,
}

#[derive(Clone, Debug)]
enum Honest {
    Push { many: u64, again: u64, binary: bool },
    Ack { of: u64, refused: bool },
    Reply(usize),
    Page { s: u64, mark: &'static str },
    Pong(u64),
    Joined(bool),
    Lost,
    Revoked(u8),
}

fn honest() -> impl Strategy<Value = Honest> {
    prop_oneof![
        6 => (1u64..5, 0u64..3, any::<bool>()).prop_map(|(many, again, binary)| Honest::Push { many, again, binary }),
        6 => (1u64..6, any::<bool>()).prop_map(|(of, refused)| Honest::Ack { of, refused }),
        2 => any::<usize>().prop_map(Honest::Reply),
        2 => (0u64..2, prop_oneof![Just("cut"), Just("end")]).prop_map(|(s, mark)| Honest::Page { s, mark }),
        2 => (1u64..5).prop_map(Honest::Pong),
        3 => prop::bool::weighted(0.2).prop_map(Honest::Joined),
        1 => Just(Honest::Lost),
        1 => (0u8..4).prop_map(Honest::Revoked),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..12, 1 => 0u64..20_000, 1 => Just((1 << 53) - 1), 1 => Just(1 << 53)]
}

fn hostile() -> impl Strategy<Value = String> {
    let room = || prop_oneof![Just("room_0"), Just("room_1"), Just("user_1"), Just("caf%C3%A9"), Just("_x")];
    let body = |many: usize| format!("[{}]", vec![r#"{"type":"t"}"#; many].join(","));
    prop_oneof![
        (number(), number()).prop_map(|(n, credit)| format!("ack {n} {credit}")),
        (number(), number(), number()).prop_map(|(n, credit, r)| format!("ack {n} {credit} {r}:forbidden")),
        (number(), number(), number(), 0usize..3)
            .prop_map(move |(after, upto, s, many)| { format!("push {after} {upto} {s}\n{}", body(many)) }),
        (number(), number(), number(), number())
            .prop_map(move |(after, upto, s, t)| { format!("push {after} {upto} {s} {t}\n{}", body(2)) }),
        (number(), number()).prop_map(|(after, upto)| format!("advance {after} {upto}")),
        (room(), number()).prop_map(|(room, from)| format!("joined {room} {from} g")),
        (room(), prop_oneof![Just("revoked"), Just("forbidden")])
            .prop_map(|(room, code)| format!("denied {room} {code}")),
        (number(), number()).prop_map(move |(id, s)| format!("page {id} end {s}\n{}", body(1))),
        number().prop_map(|id| format!("page {id} end\n[]")),
        number().prop_map(|id| format!("page {id} !forbidden")),
        number().prop_map(move |n| format!("reply {n}\n{}", body(1))),
        (0usize..3).prop_map(move |many| format!("cast\n{}", body(many))),
        number().prop_map(|x| format!("ping {x}")),
        number().prop_map(|x| format!("pong {x}")),
        prop_oneof![number(), Just(20_000)].prop_map(|bytes| format!("more {bytes}")),
        (number(), any::<bool>()).prop_map(|(expires, renewed)| format!(
            r#"auth{}{{"expires":{expires},"renewed":{renewed}}}"#,
            '\n'
        )),
        (number(), number(), any::<bool>()).prop_map(|(leave, window, url)| {
            let url = if url { r#","url":"wss://x""# } else { "" };
            format!("goaway {leave}000 {window}000\n{{\"reason\":\"r\"{url}}}")
        }),
        (room(), number(), prop_oneof![Just("e"), Just("f")]).prop_map(|(room, first, epoch)| {
            format!("lost\n{{\"logEpoch\":\"{epoch}\",\"subjects\":[\"{room}\"],\"first\":{first}}}")
        }),
        Just("x-any thing".into()),
        Just("welcome\n{}".into()),
        Just("".into()),
        Just("hello\n{}".into()),
        "[a-z ]{0,12}",
    ]
}

fn welcome() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("{}".to_string()),
        2 => (0u64..4).prop_map(|n| format!(r#"{{"mark":{n},"credit":{}}}"#, n + 5)),
        2 => (1u64..4).prop_map(|n| format!(r#"{{"mark":{n},"credit":9000,"refused":[[{n},"forbidden"]]}}"#)),
        1 => Just(r#"{"producer":"successor","mark":0,"credit":9}"#.into()),
        2 => (0u64..9).prop_map(|position| format!(
            r#"{{"logEpoch":"f","producer":"successor","mark":0,"position":{position},"rooms":[{{"room":"user_1","from":{position}}}],"credit":8192}}"#
        )),
        1 => Just(r#"{"denied":[{"room":"room_0","code":"forbidden"}]}"#.into()),
        1 => Just(r#"{"lost":{"subjects":["user_1"],"first":9},"rooms":[{"room":"user_1","from":8}]}"#.into()),
        1 => Just(r#"{"limits":{"message":2048,"rooms":1},"expires":0,"window":20000}"#.into()),
        1 => Just(r#"{"limits":{"message":67108864,"rooms":256}}"#.into()),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let code = prop_oneof![
        4 => Just(1006u16), 1 => Just(1000), 1 => Just(1001), 1 => Just(1008), 1 => Just(1009), 1 => Just(4000),
        1 => Just(4002), 1 => Just(4004), 2 => Just(4005), 1 => Just(4006), 1 => Just(4010), 1 => Just(4401),
        1 => prop::bool::weighted(0.2).prop_map(|ends| if ends { 4500 } else { 1006 }), 1 => 900u16..5100,
    ];
    let reason = prop_oneof![4 => Just(""), 1 => Just("x window=40000"), 1 => Just("window=0")];
    let message = (
        prop_oneof![9 => 0u32..2000, 1 => 0u32..2_000_000],
        prop::option::weighted(0.2, 0u32..3),
        prop_oneof![3 => Just(0u8), 1 => 0u8..3],
        prop::option::weighted(0.1, 0u64..5000),
        prop::option::weighted(0.2, 0u64..50_000),
        any::<bool>(),
    );
    prop_oneof![
        80 => Just(Op::Go),
        50 => honest().prop_map(Op::Honest),
        1 => Just(Op::Connect),
        4 => any::<bool>().prop_map(|changed| Op::Dialled { changed }),
        1 => Just(Op::DialFailed),
        4 => prop::bool::weighted(0.8).prop_map(|selected| Op::Opens { selected }),
        12 => welcome().prop_map(Op::Welcome),
        3 => hostile().prop_map(Op::Frame),
        6 => (code, reason).prop_map(|(code, reason)| Op::Close(code, reason)),
        20 => message.prop_map(|(bytes, key, priority, ttl, request, binary)| {
            Op::Submit { bytes, key, priority, ttl, request, binary }
        }),
        3 => (0u32..40).prop_map(Op::Abort),
        2 => (0u32..20_000).prop_map(Op::Cast),
        4 => (0u8..4).prop_map(Op::Join),
        3 => (0u8..4).prop_map(Op::Leave),
        3 => (prop::option::of(0u64..9), 0u16..300).prop_map(|(before, count)| Op::Page { before, count }),
        1 => (0u32..9).prop_map(Op::PageAbort),
        6 => any::<usize>().prop_map(Op::Settle),
        8 => (0u64..40_000).prop_map(Op::Pass),
        2 => (0u64..4_000_000).prop_map(Op::Oversleep),
        2 => Just(Op::Timeout),
        3 => (0u64..3_000_000).prop_map(Op::Buffered),
        1 => Just(Op::WriteFailed),
        2 => (10u64..20_000).prop_map(Op::Renewed),
        1 => Just(Op::RenewalFailed),
        2 => any::<bool>().prop_map(Op::Visible),
        1 => Just(Op::Online),
        1 => Just(Op::Offline),
        1 => Just(Op::Wake),
        1 => Just(Op::Suspend),
        2 => Just(Op::Resume),
        1 => Just(Op::Reconnect),
        1 => prop::option::weighted(0.3, 0u64..6000).prop_map(|drain| drain.map_or(Op::Go, Op::Shut)),
        5 => (0usize..6).prop_map(|keeps| Op::Crash { keeps }),
        1 => Just(Op::StaleLink),
    ]
}

struct Run {
    host: Host,
    tickets: u32,
    pages: u32,
    /// Of what was given numbers: a number is never given twice under one producer.
    keeps: Option<usize>,
    /// On this link, so many joins and pages have been answered.
    answered: (u64, usize, usize),
}

impl Run {
    /// Carries everything out, or so much and then the instance dies.
    fn drain(&mut self) {
        match self.keeps.take() {
            None => self.host.drain(),
            Some(keeps) => {
                for _ in 0..keeps {
                    self.host.carry_out_one();
                }
                self.host.crash();
                self.host.drain();
            }
        }
    }

    fn submit(&mut self, message: Outgoing) {
        self.host.submit(message);
        self.drain();
    }

    fn go(&mut self) {
        match self.host.client.phase() {
            Phase::Idle => self.host.client.handle_connect(self.host.now),
            Phase::Asking => self.host.dialled(),
            Phase::Dialling => self.host.opens(),
            Phase::Greeting => self.host.welcome("{}"),
            Phase::Waiting => self.host.sleep_to_deadline(),
            Phase::Suspended => self.host.client.handle_resume(self.host.now),
            Phase::Open | Phase::Leaving | Phase::Closing | Phase::Closed => {}
        }
    }

    fn honest(&mut self, honest: Honest) {
        let host = &mut self.host;
        if !host.client.phase().is_open() {
            return;
        }
        let received = host.record.down.received;
        if self.answered.0 != host.client.link() {
            self.answered = (host.client.link(), 0, 0);
        }
        let asked = |verb: &str, at: usize| {
            let mut frames = host.wire.iter().filter_map(|frame| frame.strip_prefix(verb));
            frames.nth(at).map(|rest| rest.split(' ').next().unwrap().to_string())
        };
        let frame = match honest {
            Honest::Push { many, again, binary } => {
                let after = received.saturating_sub(again);
                let numbers: Vec<_> = (after + 1..=after + many).map(|s| s.to_string()).collect();
                if binary && many == 1 {
                    let octets = format!("push {after} {} {}\n{{\"type\":\"t\"}}\nx", after + 2, after + 1);
                    return host.binary(octets.as_bytes());
                }
                let body = vec![r#"{"type":"t"}"#; many as usize].join(",");
                format!("push {after} {} {}\n[{body}]", after + many + 1, numbers.join(" "))
            }
            Honest::Ack { of, refused } => {
                let oldest = host.record.up.oldest();
                let n = (oldest - 1 + of).min(host.record.up.written);
                let listed = if refused && n >= oldest { format!(" {n}:forbidden") } else { String::new() };
                format!("ack {n} {}{listed}", n + 8192)
            }
            Honest::Reply(index) => {
                let pending: Vec<_> = host.record.requests.iter().map(|(n, _)| n).collect();
                let Some(n) = pending.get(index % pending.len().max(1)) else { return };
                format!("reply {n}\n[{{\"type\":\"t\"}}]")
            }
            Honest::Page { s, mark } => {
                let Some(id) = asked("page ", self.answered.2) else { return };
                self.answered.2 += 1;
                if s == 0 {
                    format!("page {id} end\n[]")
                } else {
                    format!("page {id} {mark} {s}\n[{{\"type\":\"t\"}}]")
                }
            }
            Honest::Pong(x) => format!("pong {x}"),
            Honest::Joined(denied) => {
                let Some(room) = asked("join ", self.answered.1) else { return };
                self.answered.1 += 1;
                if denied {
                    format!("denied {room} forbidden")
                } else {
                    format!("joined {room} {received} g")
                }
            }
            Honest::Lost => {
                let epoch = host.record.down.epoch.clone().unwrap();
                format!(
                    "lost\n{{\"logEpoch\":\"{epoch}\",\"subjects\":[\"user_1\",\"room_0\"],\"first\":{}}}",
                    received + 1
                )
            }
            Honest::Revoked(room) => format!("denied room_{room} revoked"),
        };
        host.frame(&frame);
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each operation")]
    fn apply(&mut self, op: Op) {
        let now = self.host.now;
        let link = self.host.client.link();
        match op {
            Op::Go => self.go(),
            Op::Honest(honest) => self.honest(honest),
            Op::Connect => self.host.client.handle_connect(now),
            Op::Dialled { changed } => {
                self.host.token_changed = changed;
                self.host.dialled();
            }
            Op::DialFailed => self.host.client.handle_dial_failed(link, now),
            Op::Opens { selected } => self.host.client.handle_link_open(link, selected, now),
            Op::Welcome(members) => self.host.welcome(&members),
            Op::Frame(text) => self.host.frame(&text),
            Op::Close(code, reason) => self.host.client.handle_link_closed(link, closed(code), reason, now),
            Op::Submit { bytes, key, priority, ttl, request, binary } => {
                self.tickets += 1;
                let form = if binary { Form::Binary } else { Form::Text };
                self.submit(Outgoing {
                    key,
                    priority,
                    expires: ttl.map(|ttl| now + ms(ttl)),
                    answer_by: request.map(|timeout| now + ms(timeout)),
                    ..Outgoing::new(Ticket(self.tickets), bytes, form)
                });
            }
            Op::Abort(ticket) => {
                self.host.record.aborted(Ticket(ticket));
                self.host.client.handle_abort(Ticket(ticket), now);
            }
            Op::Cast(bytes) => {
                let cast = Cast { ticket: Ticket(0), bytes, form: Form::Text };
                self.host.client.cast(cast, now);
            }
            Op::Join(room) => {
                let room = subject(&format!("room_{room}"));
                if self.host.client.admits_room(&room).is_ok() {
                    self.host.record.wished(room.clone());
                    self.host.client.handle_join(room, now);
                }
            }
            Op::Leave(room) => {
                let room = subject(&format!("room_{room}"));
                self.host.record.left(&room);
                self.host.client.handle_leave(&room, now);
            }
            Op::Page { before, count } => {
                self.pages += 1;
                let before = before.map(|before| ("e".into(), before));
                let ask = PageAsk { page: PageId(self.pages), subject: subject("room_0"), before, count };
                let fits = (1..=256).contains(&count);
                let taken = self.host.client.page(ask, now);
                assert!(taken.is_ok() == fits || taken == Err(PageUnfit::Closed));
            }
            Op::PageAbort(page) => self.host.client.handle_page_abort(PageId(page), now),
            Op::Settle(index) => {
                if !self.host.started.is_empty() {
                    let index = index % self.host.started.len();
                    let started = self.host.started.remove(index);
                    self.host.record.handler_settled(started.delivery);
                    self.host.client.handle_settled(started.delivery, now);
                }
            }
            Op::Pass(millis) => self.host.pass(ms(millis)),
            Op::Oversleep(millis) => self.host.oversleep(ms(millis)),
            Op::Timeout => self.host.client.handle_timeout(now),
            Op::Buffered(octets) => self.host.client.handle_buffered(octets, now),
            Op::WriteFailed => self.host.client.handle_write_failed(link, now),
            Op::Renewed(octets) => self.host.client.handle_renewed(link, octets, now),
            Op::RenewalFailed => self.host.client.handle_renewal_failed(link, now),
            Op::Visible(visible) => self.host.client.handle_visible(visible, now),
            Op::Online => self.host.client.handle_online(now),
            Op::Offline => self.host.client.handle_offline(now),
            Op::Wake => self.host.client.handle_wake(now),
            Op::Suspend => self.host.client.handle_suspend(now),
            Op::Resume => self.host.client.handle_resume(now),
            Op::Reconnect => self.host.client.handle_reconnect(now),
            Op::Shut(drain) => {
                self.host.record.closing(now + ms(drain));
                self.host.client.handle_close(ms(drain), now);
            }
            Op::Crash { keeps } => {
                self.keeps = Some(keeps);
                return;
            }
            Op::StaleLink => {
                let before = self.host.client.record();
                self.host.octets_come(link.wrapping_sub(1), Form::Text, b"advance 0 999");
                self.host.client.handle_link_closed(link.wrapping_sub(1), closed(4500), "", now);
                self.host.client.handle_link_open(link.wrapping_sub(1), true, now);
                self.host.drain();
                assert_eq!(self.host.client.record().down.received, before.down.received);
            }
        }
        self.drain();
    }
}

/// More of them where the environment asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// [KEEP-1] [KEEP-6] [SEND-6] [STATE-2] [TRN-8] [SEC-12] [HELLO-3] [CLOSE-2]
    #[test]
    fn any_inputs_in_any_order(
        ops in prop::collection::vec(op(), 0..120), has_token: bool, overflow in 0usize..3, attempts_max in 0u32..4,
    ) {
        let overflow = [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest][overflow];
        let config = Config {
            outbox: OutboxConfig { messages_max: 8, bytes_max: 1 << 20, overflow },
            takes_bytes_max: 1 << 22,
            has_token,
            attempts_max: if attempts_max == 3 { 5 } else { 0 },
            ..Config::default()
        };
        let mut run = Run { host: Host::new(config), tickets: 0, pages: 0, keeps: None, answered: (0, 0, 0) };
        let mut was_closed = false;
        for op in ops {
            run.apply(op);
            let host = &run.host;
            if host.client.phase() == Phase::Suspended || host.client.phase() == Phase::Closed {
                prop_assert_eq!(host.client.next_deadline(), None);
            }
            prop_assert!(!was_closed || host.record.is_closed(), "it has come back");
            was_closed = host.record.is_closed();
            prop_assert!(host.client.requests_unanswered() <= 256);
        }
        // At the end of the wire everything has exited, once: `Host` looks at that.
        run.keeps = None;
        let now = run.host.now;
        run.host.record.closing(now);
        run.host.client.handle_close(Duration::ZERO, now);
        run.host.drain();
        run.host.pass(secs(10));
        prop_assert_eq!(run.host.client.phase(), Phase::Closed);
        let exited: BTreeSet<_> = run.host.exits.keys().map(|ticket| ticket.0).collect();
        prop_assert_eq!(exited, (1..=run.tickets).collect::<BTreeSet<_>>());
        prop_assert_eq!(run.host.socket, None);
    }
}
