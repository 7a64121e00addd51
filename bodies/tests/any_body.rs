//! Any octets whatever: nothing panics, everything that is taken is what another parser takes, and what a node passes on
//! every client takes. `PROPTEST_CASES` sets how many.

mod common;

use std::cell::Cell;

use common::any_body::{Fate, any_body};
use common::{octets, some_of};
use everwire_bodies::{Judged, split};
use everwire_core::frame::Payload;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

fn config() -> Config {
    Config { failure_persistence: None, max_local_rejects: u32::MAX, ..Config::default() }
}

/// Strings as they may be spelled, with their quotes.
fn spelled_text() -> impl Strategy<Value = String> {
    let plain =
        select(vec!["a", "b", "t", "", "room_1", "_x", "type", "é🦀", "\u{7f}", "\u{2028}", "{", "],[", " "]);
    let escape = select(vec![
        r"\n",
        r"\u0000",
        r"\\",
        r#"\""#,
        r"\/",
        r"\u0061",
        r"\u0074ype",
        r"\ud83e\udd80",
        r"\uD83E\uDD80",
        r"\ud800",
        r"\udfff",
        r"\ud800\u0041",
        r"\u00e9",
        r"\u009f",
    ]);
    let long = (60..200usize).prop_map(|length| "r".repeat(length));
    let part =
        prop_oneof![12 => plain.prop_map(str::to_owned), 4 => escape.prop_map(str::to_owned), 1 => long];
    prop::collection::vec(part, 0..4).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn spelled_number() -> impl Strategy<Value = String> {
    let some = select(vec![
        "0",
        "-0",
        "1",
        "1.0",
        "10e-1",
        "1E+2",
        "9007199254740991",
        "9007199254740992",
        "1e308",
        "1e309",
        "-1e309",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e-400",
        "0.1e999",
        "-1",
        "12345678901234567890",
    ]);
    let any = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,9})?([eE][-+]?[0-9]{1,3})?";
    prop_oneof![3 => some.prop_map(str::to_owned), 1 => any]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(""), 1 => select(vec![" ", "\n", "\t\r\n ", "  "])]
}

/// Names that matter, and two spellings of the same.
fn name() -> impl Strategy<Value = String> {
    let known = select(vec![
        r#""type""#,
        r#""receiver""#,
        r#""sender""#,
        r#""id""#,
        r#""content""#,
        r#""meta""#,
        r#""request""#,
        r#""timestamp""#,
        r#""s\u0065nder""#,
        r#""\u0074ype""#,
        r#""__proto__""#,
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 2 => spelled_text()]
}

fn array_of(items: Vec<(String, &str, &str)>) -> String {
    let items: Vec<_> =
        items.into_iter().map(|(item, before, behind)| format!("{before}{item}{behind}")).collect();
    format!("[{}]", items.join(","))
}

fn object_of(members: Vec<(String, String, &str, &str)>) -> String {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value, before, behind)| format!("{before}{name}{behind}:{before}{value}{behind}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// JSON, however it may be spelled, with names that stand twice and the like.
fn spelled_value() -> impl Strategy<Value = String> {
    let word = select(vec!["null", "true", "false", "{}", "[]"]).prop_map(str::to_owned);
    let leaf = prop_oneof![3 => spelled_text(), 2 => spelled_number(), 2 => word];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let array = prop::collection::vec((inner.clone(), space(), space()), 0..5).prop_map(array_of);
        let object = prop::collection::vec((name(), inner, space(), space()), 0..6).prop_map(object_of);
        prop_oneof![1 => array, 2 => object]
    })
}

/// What resembles a message more than [`spelled_value`] does.
fn envelope() -> impl Strategy<Value = String> {
    let request = select(vec!["true", "false", "1", "null", "[true]"]);
    let meta =
        prop_oneof![request.prop_map(|request| format!(r#"{{"a":1,"request":{request}}}"#)), spelled_value()];
    let kind = prop_oneof![9 => spelled_text(), 1 => spelled_value()];
    let receiver = prop_oneof![6 => spelled_text(), 1 => Just("null".to_owned()), 1 => spelled_value()];
    let rest = prop::collection::vec((name(), spelled_value(), space(), space()), 0..4);
    (kind, receiver, meta, 0..8u8, rest, any::<prop::sample::Index>()).prop_map(
        |(kind, receiver, meta, which, mut members, at)| {
            let mut add = |name: &str, value: String| {
                let at = at.index(members.len() + 1);
                members.insert(at, (format!("\"{name}\""), value, "", ""));
            };
            if which != 0 {
                add("type", kind);
            }
            if which & 1 == 0 {
                add("receiver", receiver);
            }
            if which & 2 == 0 {
                add("meta", meta);
            }
            object_of(members)
        },
    )
}

/// A body of a known kind, from the vectors.
fn known() -> impl Strategy<Value = Vec<u8>> {
    let bodies: Vec<Vec<u8>> = ["hello", "welcome", "lost", "goaway", "auth"]
        .into_iter()
        .flat_map(some_of)
        .filter(|vector| vector.get("error").is_none())
        .map(|vector| octets(&vector["body"]))
        .filter(|body| body.len() < 2000)
        .collect();
    select(bodies)
}

/// Bodies, most of them with an octet changed, removed or added.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let array = prop::collection::vec((envelope(), space(), space()), 0..4).prop_map(array_of);
    let whole = prop_oneof![
        3 => array.prop_map(String::into_bytes),
        3 => envelope().prop_map(String::into_bytes),
        2 => spelled_value().prop_map(String::into_bytes),
        3 => known(),
    ];
    let octet = prop_oneof![8 => select(b"{}[]:,\"\\ntue0159.-+e \n".to_vec()), 1 => any::<u8>()];
    let hurt = prop::collection::vec((any::<prop::sample::Index>(), octet, 0..3u8), 1..3);
    let hurt = prop_oneof![1 => Just(Vec::new()), 1 => hurt];
    let changed = (whole, hurt).prop_map(|(mut octets, changes)| {
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
    prop_oneof![20 => changed, 1 => prop::collection::vec(any::<u8>(), 0..100)]
}

/// [SEC-5] [SEC-6] [SEC-12] [REF-6] [SEND-19] [FRM-5] [FRM-6] What is taken, and how, is what another parser says.
#[test]
fn any_body_at_all() {
    let config = Config { cases: config().cases * 20, ..config() };
    let cases = config.cases;
    let counts = Cell::new([0u32; 6]);
    TestRunner::new(config)
        .run(&body(), |body| {
            let Fate { hello, welcome, object, array, message, malformed } = any_body(&body);
            let mut sums = counts.get();
            for (sum, met) in sums.iter_mut().zip([hello, welcome, object, array, message, malformed]) {
                *sum += u32::from(met);
            }
            counts.set(sums);
            Ok(())
        })
        .unwrap();
    let sums = counts.get();
    println!("of {cases}: hello, welcome, other objects, arrays, messages, malformed: {sums:?}");
    assert!(sums.iter().all(|sum| *sum > cases / 100), "the generator makes good ones, too");
}

/// Any value that an application may send.
fn acceptable() -> impl Strategy<Value = Value> {
    let text = "[a-z\"\\\\/é🦀\n\u{7f}\u{2028}]{0,9}";
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |float| serde_json::Number::from_f64(float).map(Value::from))
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// [SEND-19] [SEND-20] [SEC-5] Every acceptable message comes through, and nothing of it changes but what the node writes.
#[test]
fn what_is_acceptable_survives_split_and_stamp() {
    let members = prop::collection::btree_map("[a-zé\"\\\\]{1,9}", acceptable(), 0..6);
    let given = (members, "\\PC{0,9}", prop::option::of(acceptable()), prop::option::of("[a-z\"]{1,9}"));
    let named = prop::option::of(select(vec!["room_1", "\"\\é"]));
    let pretty = any::<bool>();
    TestRunner::new(Config { cases: config().cases * 4, ..config() })
        .run(&(given, named, pretty), |((members, kind, sender, receiver), named, pretty)| {
            let mut message = Value::Object(members.into_iter().collect());
            message["type"] = kind.into();
            if let Some(sender) = sender {
                message["sender"] = sender;
            }
            if let Some(receiver) = receiver {
                message["receiver"] = receiver.into();
            } else if message.get("receiver").is_some() {
                message["receiver"] = Value::Null;
            }
            let text =
                if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) };
            let body = format!("[null,{},5]", text.unwrap());
            let elements = split(body.as_bytes(), Payload::Messages(3)).unwrap();
            let Judged::Message(envelope) = elements[1].judge() else { panic!("{body}") };
            let named = named.map(|named| named.into());
            let stamped = envelope.stamp(&"user_1".into(), named.as_ref()).unwrap();
            message["sender"] = json!("user_1");
            if let Some(named) = &named {
                message["receiver"] = named.as_str().into();
            }
            prop_assert_eq!(serde_json::from_str::<Value>(&stamped).unwrap(), message);
            Ok(())
        })
        .unwrap();
}

/// [SEC-12] What fuzzing begins with, and whatever it has ever found.
#[test]
fn the_corpus_of_bodies_is_replayed() {
    let mut files = 0;
    let mut met = Fate::default();
    for entry in std::fs::read_dir(common::vectors("corpus/body")).unwrap() {
        let fate = any_body(&std::fs::read(entry.unwrap().path()).unwrap());
        files += 1;
        met.hello |= fate.hello;
        met.welcome |= fate.welcome;
        met.object |= fate.object;
        met.array |= fate.array;
        met.message |= fate.message;
        met.malformed |= fate.malformed;
    }
    assert!(files > 60, "{files} files");
    let all = Fate { hello: true, welcome: true, object: true, array: true, message: true, malformed: true };
    assert_eq!(met, all);
}

/// [SEC-12] [REF-6] Every vector, whatever it is about, as everything that it might be.
#[test]
fn every_vector_as_everything() {
    for file in ["hello", "welcome", "lost", "goaway", "auth", "arrays"] {
        for vector in some_of(file) {
            any_body(&octets(&vector["body"]));
        }
    }
    for vector in some_of("elements") {
        let element = octets(&vector["element"]);
        any_body(&element);
        any_body(&[b"[", element.as_slice(), b"]"].concat());
    }
}
