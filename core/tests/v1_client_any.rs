//! Anything in any order, hostile frames included: no panic, no undefined transition, every ticket exits once, the fold of
//! the actions is what the machine knows, and never two links.

#[path = "fuzzed/bytes.rs"]
mod bytes;
#[path = "fuzzed/client.rs"]
mod client;
#[path = "fuzzed/client_octets.rs"]
mod client_octets;
mod v1_client_common;

use std::collections::BTreeSet;

use client::{Honest, Op, Run};
use everwire_core::session::client::*;
use everwire_core::{OutboxConfig, Overflow, Rate};
use proptest::prelude::*;

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
        2 => any::<bool>().prop_map(|visible| Op::Resume { visible }),
        1 => Just(Op::Reconnect),
        1 => prop::option::weighted(0.3, 0u64..6000).prop_map(|drain| drain.map_or(Op::Go, Op::Shut)),
        5 => (0usize..6).prop_map(|keeps| Op::Crash { keeps }),
        1 => Just(Op::StaleLink),
    ]
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
        ops in prop::collection::vec(op(), 0..120), has_token: bool, overflow in 0usize..4, attempts_max in 0u32..4,
        rate in prop::option::of((1u64..20_000, 1u32..4)),
    ) {
        let overflow = [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest, Overflow::Wait][overflow];
        let config = Config {
            outbox: OutboxConfig { messages_max: 8, bytes_max: 1 << 20, overflow },
            takes_bytes_max: 1 << 22,
            has_token,
            attempts_max: if attempts_max == 3 { 5 } else { 0 },
            rate: rate.map(|(per_second_milli, burst)| Rate { per_second_milli, burst }),
            ..Config::default()
        };
        let mut run = Run::new(config);
        for op in ops {
            run.step(op);
        }
        run.finish();
    }

    // [SEC-12]: what libFuzzer feeds, without libFuzzer.
    #[test]
    fn any_octets_are_inputs(input in prop::collection::vec(any::<u8>(), 0..600)) {
        client_octets::any_client(&input);
    }
}

// [SEC-12]: what fuzzing has found worth keeping.
#[test]
fn the_corpus_is_replayed() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/corpus/client");
    let mut phases = BTreeSet::new();
    let mut files = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        phases.extend(client_octets::any_client(&std::fs::read(path).unwrap()));
        files += 1;
    }
    assert!(files > 50, "{files} files");
    for phase in Phase::ALL {
        assert!(phases.contains(&format!("{phase:?}")), "no {phase:?}");
    }
}
