//! Frames nobody thought of: whatever can be written is read as it was meant, and whatever octets come, nothing panics
//! and what is accepted has this one spelling. `PROPTEST_CASES` sets how many.

mod wire;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use everwire_core::frame::{
    Code, Form, FrameError, FromClient, FromServer, Grant, HEADER_BYTES_MAX, MESSAGE_BYTES_DEFAULT,
    NUMBER_MAX, Numbers, Room, Shape, Wait, Window, frame_bytes_max,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use wire::From;
use wire::any_octets::{Fate, any_frame, form_and_frame};

const FRAME_BYTES_MAX: u64 = frame_bytes_max(MESSAGE_BYTES_DEFAULT);

/// Long runs are to end by their number of cases, not by that of what the filters let fall.
fn config() -> Config {
    Config { failure_persistence: None, max_local_rejects: u32::MAX, ..Config::default() }
}

fn number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![0..=9u64, 0..=20_000u64, 0..=NUMBER_MAX, NUMBER_MAX - 3..=NUMBER_MAX]
}

fn room() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_0-9]{1,12}", "\\PC{1,32}", "[-._~%/+ é🦀]{1,32}"]
        .prop_filter("a subject", |subject| Room::encode(subject).is_some())
}

/// Ascending numbers above `after`, and an upto.
fn interval(least: usize, most: usize) -> impl Strategy<Value = (u64, u64, Vec<u64>)> {
    let step = prop_oneof![4 => 1..=3u64, 1 => 1..=1_000_000_000_000u64];
    // Mostly short, for a thousand numbers take proptest a while.
    let short = prop::collection::vec(step.clone(), least..=most.min(9));
    let steps = prop_oneof![15 => short, 1 => prop::collection::vec(step, least..=most)];
    (number(), steps, 0..=3u64).prop_filter_map("no more than there are", |(after, steps, beyond)| {
        let mut last = after;
        let numbers: Vec<u64> = steps
            .into_iter()
            .map(|step| {
                last += step;
                last
            })
            .collect();
        (last + beyond <= NUMBER_MAX).then_some((after, last + beyond, numbers))
    })
}

const CODE: &str = "[a-z0-9-]{1,32}";

/// Fields of each verb, and the messages that it announces; `None` where there is no body.
fn verbs() -> Vec<(From, BoxedStrategy<Value>)> {
    let one = |from, verb: &'static str, field: &'static str| {
        (from, number().prop_map(move |value| json!({"verb": verb, field: value})).boxed())
    };
    let bare = |from, verb: &'static str| (from, Just(json!({"verb": verb})).boxed());
    let (client, server) = (From::Client, From::Server);
    let send =
        (1..=NUMBER_MAX, 0..=1024u64, any::<u64>()).prop_filter_map("room for them", |(n, count, below)| {
            let oldest = 1 + below % n;
            (n - 1 + count < NUMBER_MAX)
                .then(|| json!({"verb": "send", "n": n, "count": count, "oldest": oldest}))
        });
    let seen = (number(), number(), number())
        .prop_map(|(s, count, bytes)| json!({"verb": "seen", "s": s, "count": count, "bytes": bytes}));
    let ask = (number(), room(), number(), 1..=256u64).prop_map(|(id, room, before, count)| {
        json!({"verb": "page", "id": id, "room": room, "before": before, "count": count})
    });
    let ack = (interval(0, 256), prop::collection::vec(CODE, 9), number()).prop_map(
        |((_, n, numbers), codes, more)| {
            let credit = n.saturating_add(more).min(NUMBER_MAX);
            let refused: Vec<_> = numbers
                .iter()
                .zip(codes.iter().cycle())
                .map(|(number, code)| json!([number, code]))
                .collect();
            json!({"verb": "ack", "n": n, "credit": credit, "refused": refused})
        },
    );
    let push = interval(1, 1024).prop_map(
        |(after, upto, numbers)| json!({"verb": "push", "after": after, "upto": upto, "numbers": numbers}),
    );
    let advance =
        interval(0, 0).prop_map(|(after, upto, _)| json!({"verb": "advance", "after": after, "upto": upto}));
    let joined =
        (room(), number(), prop::option::of("[-._~A-Za-z0-9]{1,128}")).prop_map(|(room, from, grant)| {
            let mut fields = json!({"verb": "joined", "room": room, "from": from});
            if let Some(grant) = grant {
                fields["grant"] = grant.into();
            }
            fields
        });
    let denied =
        (room(), CODE).prop_map(|(room, code)| json!({"verb": "denied", "room": room, "code": code}));
    let page = (number(), interval(0, 256), select(vec!["more", "cut", "end"])).prop_filter_map(
        "no page without end",
        |(id, (_, _, numbers), mark)| {
            let fields = json!({"verb": "page", "id": id, "mark": mark, "numbers": numbers});
            (mark == "end" || !numbers.is_empty()).then_some(fields)
        },
    );
    let no_page = (number(), CODE).prop_map(|(id, code)| json!({"verb": "page", "id": id, "code": code}));
    let goaway = (0..=600_000u32, 1_000..=600_000u32)
        .prop_map(|(leave_in, window)| json!({"verb": "goaway", "in": leave_in, "window": window}));
    let vis = any::<bool>().prop_map(|visible| json!({"verb": "vis", "visible": visible}));
    let join = room().prop_map(|room| json!({"verb": "join", "room": room}));
    let leave = room().prop_map(|room| json!({"verb": "leave", "room": room}));
    let mut verbs = vec![
        bare(client, "hello"),
        (client, send.boxed()),
        (client, seen.boxed()),
        (client, join.boxed()),
        (client, leave.boxed()),
        (client, ask.boxed()),
        (client, vis.boxed()),
        one(client, "bye", "s"),
        bare(server, "welcome"),
        (server, ack.boxed()),
        (server, push.boxed()),
        (server, advance.boxed()),
        (server, joined.boxed()),
        (server, denied.boxed()),
        (server, page.boxed()),
        (server, no_page.boxed()),
        one(server, "reply", "n"),
        (server, goaway.boxed()),
        bare(server, "lost"),
    ];
    for from in [client, server] {
        verbs.push(bare(from, "cast"));
        verbs.push(bare(from, "auth"));
        for (verb, field) in [("ping", "x"), ("pong", "x"), ("more", "bytes")] {
            verbs.push(one(from, verb, field));
        }
    }
    verbs
}

// [FRM-1] [FRM-8] [FRM-10] [NUM-1] [LIM-1]: for each verb of each direction.
#[test]
fn what_is_written_is_read_again() {
    let config = config();
    for (from, fields) in verbs() {
        TestRunner::new(config.clone())
            .run(&(fields, any::<bool>()), |(fields, binary)| {
                let head = wire::write(from, &fields);
                prop_assert!(head.len() <= HEADER_BYTES_MAX);
                let single = match fields["verb"].as_str() {
                    Some("send") => fields["count"] == 1,
                    Some("push" | "page") => fields["numbers"].as_array().is_some_and(|list| list.len() == 1),
                    verb => matches!(verb, Some("cast" | "reply")),
                };
                let (form, body): (_, &[u8]) = match head.last() {
                    Some(b'\n') if binary && single => (Form::Binary, b"{}\n\xFF\n"),
                    Some(b'\n') => (Form::Text, b"[]"),
                    _ => (Form::Text, b""),
                };
                let frame = [&head, body].concat();
                prop_assert_eq!(wire::read(from, form, &frame, FRAME_BYTES_MAX), Ok(Some(fields)));
                Ok(())
            })
            .unwrap();
    }
}

const VERBS: &[&str] = &[
    "hello", "send", "seen", "join", "leave", "page", "vis", "bye", "welcome", "ack", "push", "advance",
    "joined", "denied", "reply", "goaway", "lost", "cast", "ping", "pong", "more", "auth", "x-a",
];

/// Words of which frames are made, and what resembles them.
fn word() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &str = "more cut end x- !no 7:no 7: : ! room_456 caf%C3%A9 % %c3 %00 %41 +1 01 -0 1.0 [] {} \u{feff} \0 \
        9007199254740991 9007199254740992 18446744073709551616";
    let words: Vec<&str> = WORDS.split(' ').filter(|word| !word.is_empty()).chain(["", "\r"]).collect();
    prop_oneof![
        3 => select(words).prop_map(|word| word.as_bytes().to_vec()),
        4 => number().prop_map(|number| number.to_string().into_bytes()),
        2 => (0..12u32).prop_map(|number| number.to_string().into_bytes()),
    ]
}

/// Frames that are nearly right: words and separators, or a good frame with some octets changed.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let separator =
        prop_oneof![12 => Just(" "), 3 => Just("\n"), 1 => Just(""), 1 => Just("  "), 1 => Just("\r\n")];
    let verb = prop_oneof![9 => select(VERBS).prop_map(|verb| verb.as_bytes().to_vec()), 1 => word()];
    let rest = prop::collection::vec((word(), separator.clone()), 0..6);
    let words = (verb, separator, rest, any::<bool>()).prop_map(|(verb, gap, rest, keep)| {
        let mut octets = [verb, gap.into()].concat();
        octets.extend(rest.into_iter().flat_map(|(word, gap)| [word, gap.into()].concat()));
        // Most separators at the end are wrong, and would hide everything else.
        if !keep && octets.last().is_some_and(u8::is_ascii_whitespace) {
            octets.pop();
        }
        octets
    });
    let good = prop::strategy::Union::new(
        verbs()
            .into_iter()
            .map(|(from, fields)| fields.prop_map(move |fields| wire::write(from, &fields)).boxed()),
    );
    let body = select(vec!["", "[]", "{}\n", "{}\nx", "\n", "[null]\n\n"]);
    let octet = prop_oneof![8 => select(b" \n0123456789azAZ%:!-._~".to_vec()), 1 => any::<u8>()];
    let hurt = prop::collection::vec((any::<prop::sample::Index>(), octet, 0..3u8), 0..3);
    let changed = (good, body, hurt).prop_map(|(mut octets, body, changes)| {
        octets.extend_from_slice(body.as_bytes());
        for (at, octet, how) in changes {
            let at = at.index(octets.len() + 1);
            match how {
                0 => octets.insert(at, octet),
                1 if at < octets.len() => octets[at] = octet,
                _ if at < octets.len() => drop(octets.remove(at)),
                _ => {}
            }
        }
        octets
    });
    prop_oneof![8 => words, 8 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

// [FRM-1] [FRM-3] [NUM-1] [SEC-12]: nothing panics, and accepted is what is written again octet for octet.
#[test]
fn any_octets_at_all() {
    let config = Config { cases: config().cases * 40, ..config() };
    let cases = config.cases;
    let fates = RefCell::new((0u32, 0u32, BTreeMap::<FrameError, u32>::new()));
    TestRunner::new(config)
        .run(&(octets(), prop::bool::weighted(0.25)), |(octets, binary)| {
            let form = if binary { Form::Binary } else { Form::Text };
            let (accepted, ignored, failed) = &mut *fates.borrow_mut();
            for fate in any_frame(form, &octets) {
                match fate {
                    Fate::Accepted => *accepted += 1,
                    Fate::Ignored => *ignored += 1,
                    Fate::Failed(error) => *failed.entry(error).or_default() += 1,
                }
            }
            Ok(())
        })
        .unwrap();
    let (accepted, ignored, failed) = fates.into_inner();
    println!("{cases} frames, each at both ends: {accepted} accepted, {ignored} ignored");
    for (error, count) in &failed {
        println!("{count:>9} {}", error.name());
    }
    assert!(accepted > cases / 20 && ignored > 0, "the generator makes good frames, too");
}

// [FRM-1] [SEC-12]: what fuzzing begins with, and whatever it has ever found.
#[test]
fn the_corpus_is_replayed() {
    let mut fates = BTreeSet::new();
    let mut files = 0;
    for entry in std::fs::read_dir(wire::vectors("corpus/frame")).unwrap() {
        let input = std::fs::read(entry.unwrap().path()).unwrap();
        let (form, frame) = form_and_frame(&input).unwrap();
        files += 1;
        for fate in any_frame(form, frame) {
            fates.insert(match fate {
                Fate::Accepted => "accepted",
                Fate::Ignored => "ignored",
                Fate::Failed(error) => error.name(),
            });
        }
    }
    assert!(files > 60, "{files} files");
    for error in FrameError::ALL.iter().map(|error| error.name()).chain(["accepted", "ignored"]) {
        // What only a long frame can be is left to the vectors.
        assert!(fates.contains(error) || error.ends_with("-too-long") || error == "empty", "no {error}");
    }
}

// [LIM-3] [SEC-12]: lengths come from the host, and no sum of them overflows.
#[test]
fn lengths_that_cannot_be() {
    for body_bytes in [u64::MAX, u64::MAX - 1, NUMBER_MAX] {
        for form in [Form::Text, Form::Binary] {
            let shape = Shape { form, body_bytes: Some(body_bytes), envelope_bytes: Some(2) };
            assert_eq!(FromClient::parse(b"cast", shape, FRAME_BYTES_MAX), Err(FrameError::FrameTooLong));
            assert_eq!(FromClient::parse(b"hello", shape, FRAME_BYTES_MAX), Err(FrameError::HelloTooLong));
            assert_eq!(
                FromServer::parse(b"welcome", shape, FRAME_BYTES_MAX),
                Err(FrameError::WelcomeTooLong)
            );
        }
    }
    // A host may set no limit, and splits frames itself: the header's own limit holds all the same.
    let shape = Shape { form: Form::Text, body_bytes: None, envelope_bytes: None };
    let head = [b"ping ".as_slice(), &[b'1'; HEADER_BYTES_MAX - 4]].concat();
    assert_eq!(FromClient::parse(&head, shape, u64::MAX), Err(FrameError::HeaderTooLong), "[LIM-1]");
    assert_eq!(FromClient::parse(b"", shape, u64::MAX), Err(FrameError::Empty), "[ERR-1]");
    assert_eq!(frame_bytes_max(1024), 65_536 + 32_768, "[LIM-3]");
    assert_eq!(frame_bytes_max(u64::MAX), u64::MAX);
}

// [FRM-10] [FRM-11] [REF-8]: what an application hands over becomes an argument only if a peer would take it.
#[test]
fn arguments_are_checked_before_they_are_written() {
    let longest = "é".repeat(64);
    for (subject, encoded) in [
        ("room_456", Some("room_456")),
        ("café/1", Some("caf%C3%A9%2F1")),
        ("", None),
        ("a\u{0}", None),
        ("a\u{7f}", None),
        ("a\u{9f}", None),
        ("\u{a0}", Some("%C2%A0")),
        (&format!("{longest}x"), None),
        (&longest, Some(&"%C3%A9".repeat(64))),
    ] {
        assert_eq!(Room::encode(subject).as_deref(), encoded, "{subject:?}");
    }
    assert!(Code::new(b"too-large").is_ok() && Code::new(b"").is_err() && Code::new("é".as_bytes()).is_err());
    assert!(Grant::new(b"a.b-c_d~").is_ok() && Grant::new(b"").is_err() && Grant::new(b"a b").is_err());
    assert_eq!([u32::MAX, 600_000, 7].map(|ms| Wait::from_ms(ms).ms()), [600_000, 600_000, 7], "[AWAY-1]");
    assert_eq!([u32::MAX, 1_001, 7].map(|ms| Window::from_ms(ms).ms()), [600_000, 1_001, 1_000], "[AWAY-1]");
    assert!(FromServer::Push { after: 1, upto: 2, numbers: Numbers::new(&[1]) }.check().is_err(), "[POS-2]");
    assert_eq!(Numbers::new(&[1, 5]).count(), 2);
}
