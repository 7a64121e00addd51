//! Chapters 2 and 5: a link opens, and is greeted.

mod v1_client_common;

use everwire_core::State;
use everwire_core::frame::Form;
use everwire_core::session::client::*;
use everwire_core::session::up::{Dropped, Exit};
use serde_json::{Value, json};
use v1_client_common::*;

fn hello(host: &Host) -> Value {
    serde_json::from_str(host.wire[0].strip_prefix("hello\n").unwrap()).unwrap()
}

/// A `hello` on a link that has just been opened, of a client to which this has happened.
fn greeting(before: impl FnOnce(&mut Host)) -> Host {
    let mut host = Host::open();
    before(&mut host);
    host.relink();
    host.done.clear();
    host
}

/// What a client does with a `welcome` in which these members are replaced.
fn answered(before: impl FnOnce(&mut Host), members: &str) -> Option<&'static str> {
    let mut host = greeting(before);
    host.welcome(members);
    host.close_code().map(|close| {
        assert_eq!(close.code, 4002);
        close.reason
    })
}

/// [TRN-1]
#[test]
fn a_link_without_the_subprotocol_is_closed_without_a_frame() {
    let mut host = Host::new(Config::default());
    host.client.handle_connect(host.now);
    host.drain();
    host.dialled();
    host.client.handle_link_open(1, false, host.now);
    host.drain();
    assert_eq!(host.close_code(), Some(Close { code: 1000, reason: "TRN-1" }));
    assert!(host.wire.is_empty());
    assert_eq!(host.client.phase(), Phase::Waiting);
}

/// [TRN-8] [ACK-9] [ERR-28]
#[test]
fn an_older_link_is_ignored_in_everything() {
    let mut host = Host::open();
    host.send(1..=2);
    host.relink();
    host.welcome("{}");
    host.take();
    let before = host.client.record();
    for frame in
        ["ack 2 9000", "advance 0 5", "push 0 5 5\n[{\"type\":\"t\"}]", "ping 3", "nonsense", "reply 1\n[]"]
    {
        host.octets_come(1, Form::Text, frame.as_bytes());
    }
    host.client.handle_link_closed(1, closed(4501), "", host.now);
    host.client.handle_link_open(1, true, host.now);
    host.client.handle_dialled(1, true, [producer(50), producer(51), producer(52)], host.now);
    host.client.handle_dial_failed(1, host.now);
    host.client.handle_write_failed(1, host.now);
    host.client.handle_renewed(1, 10, host.now);
    host.drain();
    assert!(host.client.record() == before && host.wire.is_empty());
    assert_eq!(host.state(), State::Open);
    // Nor does anything matter of a link that has been left.
    host.frame("ack 9 9");
    host.octets_come(2, Form::Text, b"advance 0 5");
    assert_eq!(host.client.record().down.received, 0);
}

/// No message is written twice on one link. [TRN-7]
#[test]
fn nothing_is_repeated_on_a_link() {
    let mut host = Host::open();
    host.send(1..=3);
    host.take();
    host.pass(ms(900));
    host.frame("ack 1 8193");
    host.send(4..=4);
    let sent: Vec<_> = host.wire.iter().filter(|frame| frame.starts_with("send")).cloned().collect();
    assert_eq!(sent, ["send 4 1 2 [4]"]);
}

/// The link number is on the record before the dial, and rises over producers and instances. [HELLO-3]
#[test]
fn link_numbers_rise() {
    let mut host = Host::open();
    host.close(4005);
    while host.client.phase() == Phase::Waiting {
        host.now = host.client.next_deadline().unwrap();
        host.client.handle_timeout(host.now);
        // The record knows the number when the dial is carried out, and the instance dies there.
        while host.carry_out_one() {
            if matches!(host.done.last(), Some(Action::Dial { link: 2, .. })) {
                assert_eq!(host.record.link, 2);
                host.crash();
                host.drain();
            }
        }
    }
    if host.client.phase() != Phase::Asking {
        host.redial();
    } else {
        host.dial();
    }
    assert_eq!(hello(&host)["link"], 3);
}

/// [HELLO-5] [HELLO-9] [KEEP-3] [POS-6]
#[test]
fn hello_says_what_is_on_the_record() {
    let mut host = Host::open();
    host.join("room_a");
    host.frame("joined room_a 3 g1");
    host.frame("push 0 7 5 7\n[{\"type\":\"t\"},{\"type\":\"t\"}]");
    host.join("room_b");
    host.relink();
    let body = hello(&host);
    // `received`, although no handler has ended.
    assert_eq!((body["position"].clone(), body["logEpoch"].clone()), (7.into(), "e".into()));
    assert_eq!(
        body["rooms"],
        json!([{ "room": "room_a", "from": 3, "grant": "g1" }, { "room": "room_b", "from": null }, { "room": OWN, "from": 0 }])
    );
    assert_eq!(body["held"], json!([2, 27]));
    host.crash();
    host.drain();
    host.redial();
    assert_eq!(hello(&host)["position"], 7);
}

/// The spare is on the record before `hello` goes out, and stays the same. [HELLO-11] [HELLO-8]
#[test]
fn the_successor_stays() {
    let mut host = greeting(|host| host.send(1..=1));
    let spare = hello(&host)["successor"].clone();
    assert!(spare.is_string() && host.record.up.successor.is_some());
    host.crash();
    host.drain();
    host.redial();
    assert_eq!(hello(&host)["successor"], spare);
    host.relink();
    assert_eq!(hello(&host)["successor"], spare);
}

/// A token is asked for before every dial: each dial is the host's to ask anew. [HELLO-10]
#[test]
fn every_dial_asks() {
    let mut host = Host::open();
    for link in 2..5 {
        host.take();
        host.close(1006);
        while host.client.phase() == Phase::Waiting {
            host.sleep_to_deadline();
        }
        assert_eq!(host.did(|action| matches!(action, Action::Dial { link: of, .. } if *of == link)), 1);
        host.dial();
        host.welcome("{}");
    }
}

/// [HELLO-21] [HELLO-6]
#[test]
fn born_is_on_the_record_before_a_number_is_given() {
    let mut host = Host::new(Config::default());
    host.send(1..=1);
    host.connect();
    host.client.handle_timeout(host.now);
    let body = json::welcome(host.record.clone(), 1, "{}");
    let welcome = json::read_welcome(&body).unwrap();
    let frame = everwire_core::frame::split(Form::Text, b"welcome\n{}");
    host.client.handle_frame(1, frame.head, frame.shape(), Body::Welcome(&welcome), host.now);
    while host.carry_out_one() {
        assert!(host.record.up.written == 0 || host.record.up.born == Some(1));
    }
    assert_eq!(host.record.up.written, 1);
}

/// [WELC-2] [ERR-9] [ERR-4]
#[test]
fn the_first_frame_is_a_welcome_and_there_is_one() {
    for frame in ["ack 0 0", "ping 1", "x-something", "welcome\n{}", "welcome\n[]", "welcome", "nonsense", ""]
    {
        let mut host = greeting(|_| {});
        host.frame(frame);
        assert_eq!(host.close_code().map(|close| close.code), Some(4002), "{frame}");
    }
    let mut host = Host::open();
    host.welcome("{}");
    host.assert_broken("ERR-9");
}

/// [WELC-2]
#[test]
fn three_links_without_a_welcome_are_reported() {
    let mut host = Host::new(Config::default());
    host.connect();
    for link in 1..=3 {
        assert!(!host.notices().contains(&Notice::NotSpoken));
        assert_eq!(host.client.link(), link);
        host.close(1006);
        if link < 3 {
            host.redial();
        }
    }
    assert!(host.notices().contains(&Notice::NotSpoken));
}

/// [WELC-2] [CODE-1001]
#[test]
fn a_server_that_restarts_is_not_one_that_does_not_speak() {
    let told = |codes: &[u16]| {
        let mut host = Host::new(Config::default());
        host.connect();
        for (at, code) in codes.iter().enumerate() {
            if at > 0 {
                host.redial();
            }
            host.close(*code);
        }
        host.notices().iter().filter(|notice| **notice == Notice::NotSpoken).count()
    };
    for code in [1001, 1012, 1013] {
        assert_eq!(told(&[code; 4]), 0, "{code}");
        // They are passed over: what came before still counts, and is told once.
        assert_eq!(told(&[1006, code, 1006, code]), 0, "{code}");
        assert_eq!(told(&[1006, code, 1006, code, 1006, code, code]), 1, "{code}");
    }
}

/// [WELC-3] [TIME-3]
#[test]
fn a_welcome_has_20_seconds_from_when_hello_has_left() {
    let mut host = greeting(|_| {});
    assert_eq!(host.until_deadline(), secs(20));
    host.pass(secs(20));
    assert_eq!(host.client.phase(), Phase::Waiting);
    // Each such end doubles it, to 120 s.
    for time in [40, 80, 120, 120] {
        host.redial();
        assert_eq!(host.until_deadline(), secs(time));
        host.pass(secs(time));
    }
    host.redial();
    host.welcome("{}");
    host.relink();
    assert_eq!(host.until_deadline(), secs(20));

    // On a dead link the buffer never empties.
    let mut host = Host::open();
    host.close(1006);
    host.stuck = Some(400);
    host.redial();
    assert_eq!(host.until_deadline(), secs(60));
    host.pass(secs(30));
    host.client.handle_buffered(0, host.now);
    assert_eq!(host.until_deadline(), secs(20));
}

/// A crash anywhere in it repeats a report and never swallows one. [WELC-4] [KEEP-1] [EPOCH-4] [WELC-6] [LOST-4]
#[test]
fn reports_first_and_positions_after() {
    for cut in 0..12 {
        let mut host = Host::open();
        host.join("room_a");
        host.frame("joined room_a 0");
        host.send(1..=3);
        host.frame("ack 1 9000");
        host.relink();
        host.done.clear();
        let fresh = r#"{"logEpoch":"f","producer":"successor","mark":0,"credit":8192,"position":4,
            "rooms":[{"room":"user_1","from":4}],"denied":[{"room":"room_a","code":"forbidden"}]}"#;
        let value = json::welcome(host.record.clone(), 2, fresh);
        let welcome = json::read_welcome(&value).unwrap();
        let frame = everwire_core::frame::split(Form::Text, b"welcome\n{}");
        host.client.handle_frame(2, frame.head, frame.shape(), Body::Welcome(&welcome), host.now);
        for _ in 0..cut {
            if !host.carry_out_one() {
                break;
            }
        }
        let opened = host.did(|action| matches!(action, Action::Opened(_))) == 1;
        let told = |host: &Host| {
            let lost = host.did(|action| matches!(action, Action::Lost { .. }));
            (host.exits.len(), host.did(|action| matches!(action, Action::Unbacked(_))), lost)
        };
        if opened {
            let (exits, unbacked, lost) = told(&host);
            assert_eq!((exits, unbacked, lost), (3, 1, 1), "cut {cut}");
        }
        host.crash();
        host.drain();
        host.redial();
        // A room whose denial has been told is off the record, and is not named again.
        let told_of_room = !host.record.down.seats.contains_key(&subject("room_a"));
        let undenied = fresh.replace(r#""denied":[{"room":"room_a","code":"forbidden"}]"#, r#""denied":[]"#);
        host.welcome(match (opened, told_of_room) {
            (true, _) => "{}",
            (false, true) => &undenied,
            (false, false) => fresh,
        });
        let (exits, unbacked, lost) = told(&host);
        assert!(exits == 3 && unbacked == 1 && (1..=2).contains(&lost), "cut {cut}: {:?}", told(&host));
        assert_eq!(host.dropped(2), Some(Dropped::Unknown));
        assert_eq!(host.did(|action| matches!(action, Action::Denied { .. })), 1);
        assert_eq!(host.record.down.received, 4);
    }
}

/// [WELC-5] [NUM-3]
#[test]
fn a_producer_that_is_not_known_is_given_up() {
    let sent = |host: &mut Host| {
        host.send(1..=3);
        host.frame("ack 1 9000");
    };
    for members in [
        r#"{"mark":0,"credit":9}"#,
        r#"{"mark":4,"credit":9}"#,
        r#"{"mark":9007199254740990,"credit":9007199254740991}"#,
        r#"{"born":2}"#,
    ] {
        let mut host = greeting(sent);
        let old = hello(&host)["producer"].clone();
        host.welcome(members);
        host.assert_broken("WELC-5");
        assert_eq!((host.dropped(2), host.dropped(3)), (Some(Dropped::Unknown), Some(Dropped::Unknown)));
        assert_eq!(host.record.up.written, 0);
        host.redial();
        assert_ne!(hello(&host)["producer"], old);
        assert_eq!(hello(&host)["written"], 0);
    }
    // Where nothing was numbered, `born` is anybody's; in the same epoch or not.
    assert_eq!(answered(|_| {}, r#"{"born":2}"#), None);
    assert_eq!(answered(|_| {}, r#"{"born":3}"#), Some("WELC-5"));
    assert_eq!(answered(|_| {}, r#"{"producer":"successor"}"#), Some("WELC-5"));
    assert_eq!(answered(sent, r#"{"producer":"successor","mark":1}"#), Some("WELC-5"));
    assert_eq!(answered(sent, r#"{"producer":"successor","mark":0,"refused":[[1,"a"]]}"#), Some("WELC-2"));
}

/// Marks belong to the log epoch. [EPOCH-3]
#[test]
fn kept_in_another_epoch_is_unknown() {
    let mut host = greeting(|host| host.send(1..=2));
    host.welcome(r#"{"logEpoch":"f","position":0,"rooms":[{"room":"user_1","from":0}]}"#);
    host.assert_broken("WELC-5");
    assert_eq!(host.dropped(1), Some(Dropped::Unknown));
}

/// [WELC-6]
#[test]
fn a_successor_takes_over() {
    let mut host = greeting(|host| {
        host.send(1..=2);
    });
    host.send(3..=3);
    let spare = hello(&host)["successor"].clone();
    host.welcome(r#"{"producer":"successor","mark":0,"credit":8192,"born":2}"#);
    assert_eq!((host.dropped(1), host.dropped(2)), (Some(Dropped::Unknown), Some(Dropped::Unknown)));
    assert_eq!(host.wire[1..], ["send 1 1 1 [3]"]);
    host.relink();
    assert_eq!((hello(&host)["producer"].clone(), hello(&host)["born"].clone()), (spare, 2.into()));
}

/// [WELC-7] [WELC-8] [REF-7]
#[test]
fn what_is_settled_exits_and_the_rest_goes_again() {
    let mut host = greeting(|host| host.send(1..=5));
    host.send(6..=6);
    host.welcome(r#"{"mark":3,"refused":[[2,"forbidden"]],"credit":4}"#);
    let exits: Vec<_> = (1..=4).map(|ticket| host.exit(ticket).cloned()).collect();
    let settled = Some(Exit::Settled);
    assert_eq!(exits, [settled.clone(), Some(Exit::Refused("forbidden".into())), settled, None]);
    assert_eq!(host.wire[1..], ["send 4 1 4 [4]"]);
    host.frame("ack 3 9000");
    assert_eq!(host.wire[2..], ["send 5 2 4 [5,6]"]);
}

/// [WELC-9] [WELC-10] [NUM-3] [ERR-10]
#[test]
fn positions_and_rooms_must_answer_hello() {
    let joined = |host: &mut Host| {
        host.join("room_a");
        host.frame("joined room_a 3 g1");
        host.frame("advance 0 5");
        host.join("room_b");
    };
    let rooms = |rooms: &str| format!(r#"{{"rooms":[{rooms}{{"room":"user_1","from":0}}]}}"#);
    let a = r#"{"room":"room_a","from":3},"#;
    let b = r#"{"room":"room_b","from":5},"#;
    assert_eq!(answered(joined, &rooms(&format!("{a}{b}"))), None);
    for wrong in [
        a.to_string(),
        format!("{b}{}", r#"{"room":"room_a","from":4},"#),
        format!("{a}{}", r#"{"room":"room_b","from":4},"#),
        format!("{a}{a}{b}"),
        format!("{a}{b}{}", r#"{"room":"room_c","from":9},"#),
    ] {
        assert_eq!(answered(joined, &rooms(&wrong)), Some("WELC-10"), "{wrong}");
    }
    assert_eq!(answered(joined, r#"{"position":6}"#), Some("WELC-10"));
    assert_eq!(answered(joined, r#"{"position":4}"#), Some("WELC-10"));
    assert_eq!(answered(joined, r#"{"denied":[{"room":"room_a","code":"x"}]}"#), Some("WELC-10"));
    for (members, clause) in [
        (r#"{"credit":0,"mark":0}"#, None),
        (r#"{"credit":9007199254740992}"#, Some("CRED-2")),
        (r#"{"identity":"_x"}"#, Some("WELC-2")),
        (r#"{"logEpoch":"a b"}"#, Some("WELC-2")),
        (r#"{"limits":{"message":1023,"rooms":256}}"#, Some("LIM-2")),
        (r#"{"limits":{"message":1048576,"rooms":257}}"#, Some("LIM-11")),
        (r#"{"mark":1,"refused":[[1,"A"]],"credit":3}"#, Some("WELC-2")),
    ] {
        assert_eq!(answered(|_| {}, members), clause, "{members}");
    }
}

/// [WELC-12] [ROOM-14] [ROOM-8]
#[test]
fn wishes_that_change_during_the_handshake() {
    let mut host = greeting(|host| {
        host.join("room_a");
        host.frame("joined room_a 0 g1");
        host.join("room_b");
        host.frame("joined room_b 0 g2");
    });
    host.leave("room_a");
    host.join("room_c");
    host.leave("room_b");
    host.join("room_b");
    assert_eq!(host.wire.len(), 1);
    let rooms =
        r#"{"rooms":[{"room":"room_a","from":0},{"room":"room_b","from":0},{"room":"user_1","from":0}]}"#;
    host.welcome(rooms);
    assert_eq!(host.wire[1..], ["leave room_a", "leave room_b", "join room_b", "join room_c"]);
    // Wished for anew, it has no `from` until the server says so.
    assert_eq!(host.record.down.seats[&subject("room_b")].from, None);
    host.frame("joined room_b 4");
    host.frame("denied room_c forbidden");
    assert_eq!(host.record.down.seats[&subject("room_b")].from, Some(4));
    assert!(!host.record.down.seats.contains_key(&subject("room_c")));
}

/// A denied room is no longer wished for. [WELC-12]
#[test]
fn a_room_denied_in_welcome_is_told_and_off_the_record() {
    let mut host = greeting(|host| host.join("room_a"));
    host.welcome(r#"{"rooms":[{"room":"user_1","from":0}],"denied":[{"room":"room_a","code":"forbidden"}]}"#);
    assert_eq!(host.did(|action| matches!(action, Action::Denied { .. })), 1);
    assert_eq!(host.wire.len(), 1, "{:?}", host.wire);
    host.relink();
    assert_eq!(hello(&host)["rooms"], json!([{ "room": OWN, "from": 0 }]));
}

/// Advising numbers are moved into their range. [NUM-4] [ERR-24]
#[test]
fn advising_numbers_are_no_error() {
    let members = r#"{"heartbeat":0,"window":1,"expires":9007199254740991,"time":9007199254740991}"#;
    assert_eq!(answered(|_| {}, members), None);
    // A heartbeat of 0 counts as 5 s: the node is asked after 25 s of silence.
    let mut host = greeting(|_| {});
    host.welcome(r#"{"heartbeat":0}"#);
    host.pass(ms(24_999));
    assert_eq!(host.wire.len(), 1);
    host.pass(ms(1));
    assert_eq!(host.wire[1..], ["ping 1"]);
}

/// [LIM-21]
#[test]
fn a_server_whose_messages_the_host_cannot_take() {
    let mut host = Host::new(Config { takes_bytes_max: 1 << 20, ..Config::default() });
    host.send(1..=1);
    host.connect();
    host.welcome(r#"{"limits":{"message":1048577,"rooms":256}}"#);
    assert_eq!(host.close_code(), Some(Close { code: 4002, reason: "LIM-21" }));
    assert_eq!(host.state(), State::Closed);
    let why = Why::TooLong { message_bytes_max: 1_048_577 };
    assert_eq!(
        host.did(|action| matches!(action, Action::Ended { why: of, retry: None, .. } if *of == why)),
        1
    );
    assert!(matches!(host.dropped(1), Some(Dropped::NeverWritten(_))));
}

/// [WELC-1] [AWAY-7] [TIME-14]
#[test]
fn only_a_welcome_and_ten_seconds_reset_the_backoff() {
    let mut host = Host::new(Config::default());
    host.connect();
    for _ in 0..6 {
        host.close(4004);
        host.redial();
    }
    host.close(4004);
    let before = host.client.record().standing;
    host.redial();
    host.welcome("{}");
    host.pass(ms(9_999));
    host.close(4004);
    assert_ne!(host.client.record().standing, before);
    let longest = (0..40)
        .map(|_| {
            let wait = host.wait();
            host.redial();
            host.close(4004);
            wait
        })
        .max();
    assert!(longest > Some(secs(20)), "{longest:?}");
    host.redial();
    host.welcome("{}");
    host.pass(secs(10));
    host.close(4004);
    assert!(host.wait() < secs(1));
}

/// [LIM-7]
#[test]
fn a_welcome_has_a_limit_of_its_own() {
    let mut host = greeting(|_| {});
    host.long("welcome", 262_144 - 7, 0);
    host.assert_broken("LIM-7");
}

/// Producers, tokens and grants are printed nowhere. [SEC-1] [SEC-4]
#[test]
fn no_secret_is_ever_printed() {
    let mut host = Host::open();
    host.send(1..=1);
    host.join("room_a");
    host.frame("joined room_a 3 grant-7");
    host.close(4005);
    host.redial();
    let printed = format!("{:?} {:?} {:?}", host.client, host.record, host.done);
    assert!(printed.contains("[redacted]"));
    assert!(
        !printed.contains("grant-7")
            && !printed.contains("Producer(")
            && !printed.contains("0, 0, 0, 0, 0, 0")
    );
}
