//! What travels in which kind of WebSocket message, from either end.
mod node_common;
mod v1_client_common;

use std::collections::BTreeSet;

use everwire_core::Ticket;
use everwire_core::engine::{Engine, MemoryConfig, Post, Producer};
use everwire_core::frame::{Form, FrameError, FromClient, FromServer, split};
use everwire_core::session::client::*;
use everwire_core::session::down::{Amount, Content};
use everwire_core::session::node::{Drain, NodeConfig, NodeFrame};
use everwire_core::session::up::Outgoing;
use everwire_core::session::{Client, Hello};
use node_common::{Rig, Said};
use v1_client_common::{Host, json, ms, secs, subject, text};

/// Longer than any frame here.
const FRAME_BYTES_MAX: u64 = 1 << 30;
const TOKEN: &str = "tk-0f6c1d";

/// Everything that a wire wants done which writes every kind of frame: over refused credentials, a renewal, a message that
/// no node takes, and a `goaway`.
fn story() -> Vec<Action> {
    let mut all = Vec::new();
    let mut host = Host::new(Config { has_token: true, ..Config::default() });
    host.token_changed = true;
    host.join("room_a");
    host.connect();
    host.close(4401);
    host.redial();
    host.welcome(r#"{"expires":100000}"#);
    for (ticket, form) in
        [(1, Form::Text), (2, Form::Binary), (3, Form::Binary), (4, Form::Text), (5, Form::Text)]
    {
        host.submit(Outgoing::new(Ticket(ticket), 10, form));
    }
    host.drain();
    host.frame("ack 5 9000 2:forbidden");
    host.pass(secs(1));
    host.frame("push 0 1 1\n[{\"type\":\"t\"}]");
    host.settle_all();
    host.frame("ping 3");
    for (ticket, form) in [(100, Form::Text), (101, Form::Binary)] {
        let cast = Cast { ticket: Ticket(ticket), bytes: 10, form };
        assert!(host.client.cast(cast, host.now));
    }
    host.drain();
    host.join("room_b");
    host.leave("room_a");
    let ask = PageAsk { page: PageId(1), subject: subject("room_b"), before: None, count: 2 };
    host.client.page(ask, host.now).unwrap();
    host.client.handle_visible(false, host.now);
    host.drain();
    host.pass_answered(secs(100));
    host.client.handle_renewed(host.client.link(), TOKEN.len() as u64 + 17, host.now);
    host.drain();
    host.frame("auth\n{\"expires\":null,\"renewed\":true}");
    // Of a credential that is refused after all.
    host.close(4401);
    host.redial();
    host.welcome("{}");
    host.send_one(Outgoing::new(Ticket(6), 70_000, Form::Binary));
    for _ in 0..2 {
        host.close(1009);
        host.redial();
        host.welcome("{}");
    }
    all.append(&mut host.done);
    host.frame("ack 6 9000");
    host.send_one(text(7, 20_000));
    host.frame("ack 7 9000");
    host.pass_answered(secs(11));
    host.frame("goaway 0 1000\n{\"reason\":\"r\",\"url\":\"wss://other.example/\"}");
    while host.client.phase() != Phase::Asking {
        host.sleep_to_deadline();
    }
    host.client.handle_dial_failed(host.client.link(), host.now);
    host.drain();
    host.redial();
    host.welcome("{}");
    host.shut(ms(0));
    all.append(&mut host.done);
    all
}

fn frames(actions: &[Action]) -> impl Iterator<Item = &Outbound> {
    actions.iter().filter_map(|action| match action {
        Action::Write { frame, .. } => Some(frame),
        _ => None,
    })
}

/// A message of so many octets: a text, or an envelope line and what follows it.
fn element(binary: bool, octets: u64) -> Vec<u8> {
    let octets = octets as usize;
    if binary {
        return [&b"{}\n"[..], &vec![b'\n'; octets - 3]].concat();
    }
    [&b"\""[..], &vec![b'x'; octets - 2], b"\""].concat()
}

fn array(elements: Vec<Vec<u8>>) -> Vec<u8> {
    [b"[", elements.join(&b","[..]).as_slice(), b"]"].concat()
}

/// The WebSocket message that a host makes of a frame, its token where there is a place for one.
fn octets_of(frame: &Outbound) -> Vec<u8> {
    let mut octets = Vec::new();
    frame.head(&mut octets);
    match frame {
        Outbound::Hello(hello) => {
            let hello = Hello { token: Some(TOKEN.into()), ..(**hello).clone() };
            octets.extend(json::hello(&hello).into_bytes());
        }
        Outbound::Auth => octets.extend(format!("{{\"token\":\"{TOKEN}\"}}").into_bytes()),
        Outbound::Send(written) => {
            let one = |numbered: &everwire_core::session::up::Numbered| {
                if numbered.withdrawn {
                    return b"null".to_vec();
                }
                element(written.form == Form::Binary, numbered.message.bytes.into())
            };
            let elements: Vec<_> = written.messages.iter().map(one).collect();
            octets.extend(if written.form == Form::Binary { elements.concat() } else { array(elements) });
            assert_eq!(octets.len() as u64, written.octets, "{frame:?}");
        }
        Outbound::Cast(cast) => {
            let element = element(cast.form == Form::Binary, cast.bytes.into());
            octets.extend(if cast.form == Form::Binary { element } else { array(vec![element]) });
        }
        _ => {}
    }
    octets
}

fn verb(octets: &[u8]) -> String {
    let end = octets.iter().position(|octet| matches!(octet, b' ' | b'\n')).unwrap_or(octets.len());
    String::from_utf8(octets[..end].to_vec()).unwrap()
}

/// [TRN-4] [FRM-8] Each is one message, of the kind that its reader expects, and of no other.
#[test]
fn frames_of_a_client_are_messages_of_their_form() {
    let actions = story();
    let mut seen = BTreeSet::new();
    for frame in frames(&actions) {
        let octets = octets_of(frame);
        let (form, what) =
            (frame.form(), String::from_utf8_lossy(&octets[..octets.len().min(60)]).into_owned());
        let parts = split(form, &octets);
        let read = FromClient::parse(parts.head, parts.shape(), FRAME_BYTES_MAX);
        let read = read.unwrap_or_else(|error| panic!("{what}: {error:?}")).expect("an extension");
        let mut again = Vec::new();
        read.write(&mut again);
        assert!(octets.starts_with(&again), "{what}");
        let binary = form == Form::Binary;
        assert!(!binary || matches!(read, FromClient::Send { count: 1, .. } | FromClient::Cast), "{what}");
        if !binary {
            let parts = split(Form::Binary, &octets);
            assert!(
                FromClient::parse(parts.head, parts.shape(), FRAME_BYTES_MAX).is_err(),
                "{what} in binary"
            );
        }
        seen.insert((verb(&octets), binary));
    }
    let text = [
        "auth", "bye", "cast", "hello", "join", "leave", "more", "page", "ping", "pong", "seen", "send",
        "vis",
    ];
    let binary = ["cast", "send"];
    let of = |verbs: &[&str], binary| verbs.iter().map(|verb| (verb.to_string(), binary)).collect::<Vec<_>>();
    assert_eq!(seen, of(&text, false).into_iter().chain(of(&binary, true)).collect());
    // Those of one turn: a binary one is always alone, in its place.
    let sends: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Write { link: 2, frame: Outbound::Send(sent) } if !sent.messages.is_empty() => {
                Some((sent.form, sent.messages.len()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(sends, [(Form::Text, 1), (Form::Binary, 1), (Form::Binary, 1), (Form::Text, 2)]);
}

/// [TRN-3] The machine is given no token and asks for none to be put anywhere but into the bodies of `hello` and `auth`:
/// not into a dial, not into a header line.
#[test]
fn a_token_has_its_place_in_two_frames_alone() {
    // None of the inputs that follow a provider's answer takes it.
    let _: fn(&mut Client, u64, bool, [Producer; 3], everwire_core::Instant) = Client::handle_dialled;
    let _: fn(&mut Client, u64, u64, everwire_core::Instant) = Client::handle_renewed;
    let mut handed = BTreeSet::new();
    let (mut dials, mut renewals) = (0, 0);
    for action in story() {
        match action {
            // Everything that a dial is told.
            Action::Dial { link: _, redirected: _ } => dials += 1,
            Action::Renew { link: _ } => renewals += 1,
            Action::Write { frame, .. } => {
                let mut head = Vec::new();
                frame.head(&mut head);
                let head = String::from_utf8(head).unwrap();
                match &frame {
                    Outbound::Hello(hello) => {
                        assert_eq!((head.as_str(), &hello.token), ("hello\n", &None), "the host's to put in");
                    }
                    Outbound::Auth => assert_eq!(head, "auth\n"),
                    _ => {}
                }
                assert!(!head.contains(TOKEN), "{head}");
                let octets = String::from_utf8_lossy(&octets_of(&frame)).into_owned();
                if octets.contains(TOKEN) {
                    handed.insert(verb(octets.as_bytes()));
                }
            }
            _ => {}
        }
    }
    assert_eq!(handed, BTreeSet::from(["auth".to_string(), "hello".to_string()]));
    assert!(dials >= 7 && renewals >= 1, "{dials} dials, {renewals} renewals");
}

// ---- the node ----

fn body(id: u32, binary: bool) -> node_common::Body {
    node_common::Body { id, octets: 10, binary }
}

/// Every kind of frame that a node writes.
fn node_story() -> Vec<NodeFrame<node_common::Body>> {
    let mut rig = Rig::new();
    let mut all = Vec::new();
    let rooms = vec![node_common::wished("room_a", None)];
    rig.hello(Hello { rooms, ..node_common::hello() });
    rig.texts(1, 1, 1);
    rig.send(2, 2, vec![node_common::request(2), node_common::request(3)]);
    for (n, binary) in [(2, false), (3, true)] {
        rig.reply(node_common::producer(1), n, body(0, binary));
        rig.node.handle_ran(n, rig.now);
        rig.drain();
    }
    // The next look at the log finds all of these.
    rig.hooks.waits_calls = true;
    rig.wake();
    for binary in [false, false, true, true, false] {
        rig.post_body("room_a", body(1, binary));
    }
    let epoch = rig.engine.epoch().clone();
    for (id, binary) in [(7, false), (8, true), (9, false)] {
        rig.engine.publish(&epoch, Post::new("room_a".into(), body(id, binary)), rig.now).unwrap();
    }
    rig.hooks.waits_calls = false;
    rig.release_all();
    rig.wake();
    rig.post("elsewhere");
    rig.pass(secs(31));
    rig.line("ping 5");
    rig.line("pong 1");
    rig.line("join room_b");
    rig.hooks.denied.insert("room_c".into());
    rig.line("join room_c");
    rig.line("page 1 room_a 9007199254740991 10");
    rig.line("page 2 room_c 9007199254740991 10");
    rig.auth("tk-2");
    rig.node.handle_drain(
        Drain { leave_in: secs(1), window: secs(2), reason: "r".into(), url: Some("wss://b/".into()) },
        rig.now,
    );
    rig.drain();
    all.extend(rig.frames());

    let memory = MemoryConfig { messages_max: 1, ..MemoryConfig::default() };
    let mut rig = Rig::with(NodeConfig::default(), memory);
    let held = Amount { messages: 8_192, octets: 0 };
    let rooms = vec![node_common::wished("room_a", None)];
    rig.hello(Hello { held, rooms, ..node_common::hello() });
    rig.post("room_a");
    rig.post("room_a");
    rig.line("seen 0 8192 0");
    all.extend(rig.take().into_iter().filter_map(|said| match said {
        Said::Frame(frame) => Some(frame),
        Said::Close(..) => None,
    }));
    all
}

fn octets_of_node(frame: &NodeFrame<node_common::Body>) -> Vec<u8> {
    let mut octets = Vec::new();
    frame.head(Some(&"grant".into()), &mut octets);
    if frame.has_messages() {
        let elements: Vec<_> =
            frame.payloads().map(|payload| element(payload.is_binary(), payload.octets)).collect();
        let body = if frame.form() == Form::Binary { elements.concat() } else { array(elements) };
        assert_eq!(body.len() as u64, frame.message_octets(), "{frame:?}");
        octets.extend(body);
    } else if octets.ends_with(b"\n") {
        octets.extend(b"{}");
    }
    octets
}

/// [TRN-4] [FRM-8] Each is one message, of the kind that its reader expects, and of no other.
#[test]
fn frames_of_a_node_are_messages_of_their_form() {
    let mut seen = BTreeSet::new();
    let mut runs = Vec::new();
    for frame in node_story() {
        let octets = octets_of_node(&frame);
        let parts = split(frame.form(), &octets);
        let read = FromServer::parse(parts.head, parts.shape(), FRAME_BYTES_MAX);
        let read = read.unwrap_or_else(|error| panic!("{frame:?}: {error:?}")).expect("an extension");
        let mut again = Vec::new();
        read.write(&mut again);
        assert!(octets.starts_with(&again), "{frame:?}");
        let binary = frame.form() == Form::Binary;
        let many = frame.payloads().count();
        // An empty page is text, and so is a frame without messages.
        assert!(frame.payloads().all(|payload| payload.is_binary() == binary) && !(binary && many != 1));
        let other = if binary { Form::Text } else { Form::Binary };
        let parts = split(other, &octets);
        let misread = FromServer::parse(parts.head, parts.shape(), FRAME_BYTES_MAX);
        match (&frame, misread) {
            // Its body is no array: that is for who parses it.
            (_, Ok(_)) if binary => {}
            (_, Err(error)) => {
                let expected = [FrameError::TextOnly, FrameError::BinaryCount, FrameError::EnvelopeLine];
                assert!(expected.contains(&error), "{frame:?}: {error:?}");
            }
            (frame, Ok(_)) => panic!("{frame:?} in binary"),
        }
        seen.insert((verb(&octets), binary));
        if let NodeFrame::Push { messages, .. } = &frame {
            runs.push((binary, messages.len()));
        }
    }
    let text = [
        "ack", "advance", "auth", "cast", "denied", "goaway", "joined", "lost", "page", "ping", "pong",
        "push", "reply", "welcome",
    ];
    let binary = ["cast", "page", "push", "reply"];
    let of = |verbs: &[&str], binary| verbs.iter().map(|verb| (verb.to_string(), binary)).collect::<Vec<_>>();
    assert_eq!(seen, of(&text, false).into_iter().chain(of(&binary, true)).collect());
    let mixed = [(false, 2), (true, 1), (true, 1), (false, 1)];
    assert!(runs.windows(4).any(|four| four == mixed), "{runs:?}");
}
