//! Chapters 7 to 9 and 16, downwards: positions, the window, rooms, losses and log epochs.

mod v1_client_common;

use everwire_core::session::client::*;
use everwire_core::session::down::{Delivery, Place};
use v1_client_common::*;

const ONE: &str = r#"[{"type":"t"}]"#;

fn push(numbers: &[u64], after: u64, upto: u64) -> String {
    let list: Vec<_> = numbers.iter().map(u64::to_string).collect();
    let body = vec![r#"{"type":"t"}"#; numbers.len()].join(",");
    format!("push {after} {upto} {}\n[{body}]", list.join(" "))
}

/// [POS-4] [POS-5] [POS-15] [POS-17] [ERR-15]
#[test]
fn a_push_is_one_step_before_any_handler_starts() {
    let mut host = Host::open();
    let frame = push(&[2, 5], 0, 7);
    host.frame("advance 0 0");
    host.done.clear();
    host.frame(&frame);
    let kinds: Vec<_> = host
        .done
        .iter()
        .filter_map(|action| match action {
            Action::Received(taken) => Some(format!("received {} {:?}", taken.upto, taken.fresh.len())),
            Action::Start(started) => Some(format!("start {} {}", started.epoch, started.s)),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, ["received 7 2", "start e 2", "start e 5"]);
    // Read anew from below: what has come is dropped and counted.
    host.take();
    host.frame(&push(&[5, 8], 4, 9));
    assert_eq!(host.numbers(), [2, 5, 8]);
    let taken = host.done.iter().find_map(|action| match action {
        Action::Received(taken) => Some(taken.clone()),
        _ => None,
    });
    let taken = taken.unwrap();
    assert_eq!((taken.known, taken.fresh[0].index, taken.fresh[0].s), (1, 1, 8));
    host.pass(ms(10));
    assert_eq!(host.wire, ["seen 1 1 13"]);
}

/// At any cut a message is on the record before its handler starts, and starts once. [POS-5] [KEEP-1] [KEEP-6] [CRED-9]
#[test]
fn each_handler_starts_once_wherever_the_instance_dies() {
    for cut in 0..8 {
        let mut host = Host::open();
        let frame = push(&[2, 5, 6], 0, 7);
        let split = everwire_core::frame::split(everwire_core::frame::Form::Text, frame.as_bytes());
        json::with_body(&split, |body| {
            host.client.handle_frame(1, split.head, split.shape(), body, host.now);
        });
        for _ in 0..cut {
            if !host.carry_out_one() {
                break;
            }
        }
        let mut numbers = host.numbers();
        let received = host.record.down.received;
        host.crash();
        host.drain();
        host.redial();
        host.welcome("{}");
        if received == 0 {
            host.frame(&frame);
        }
        numbers.extend(host.numbers());
        assert_eq!(numbers, [2, 5, 6], "cut {cut}");
    }
}

/// [POS-3] [POS-2] [POS-7] [ERR-14] [ERR-6] [ERR-7] [CLOSE-2] [FRM-1] [FRM-2] [NUM-1]
#[test]
fn a_wrong_push_is_not_carried_out() {
    for (frame, clause) in [
        (push(&[7], 6, 7), "POS-3"),
        ("advance 6 7".into(), "POS-3"),
        (format!("push 0 3 4\n{ONE}"), "POS-2"),
        (format!("push 0 3 0\n{ONE}"), "POS-2"),
        (format!("push 3 2 3\n{ONE}"), "POS-2"),
        ("advance 3 2".into(), "POS-2"),
        (format!("push 0 9 7 6\n{}", r#"[{"type":"t"},{"type":"t"}]"#), "POS-2"),
        (format!("push 0 9 6 7\n{ONE}"), "POS-7"),
        (format!("push 0 9 6\n{}", r#"[{"type":"t"},{"type":"t"}]"#), "POS-7"),
        ("push 0 9 6\n[".into(), "ERR-6"),
        ("push 0 9 6\n{}".into(), "ERR-6"),
        ("push 0 9 6".into(), "FRM-2"),
        (format!("push 0 9\n{ONE}"), "FRM-1"),
        (format!("push 0 9007199254740992 6\n{ONE}"), "NUM-1"),
    ] {
        let mut host = Host::open();
        host.frame("advance 0 5");
        host.frame(&frame);
        assert_eq!(host.close_code(), Some(Close { code: 4002, reason: clause }), "{frame}");
        assert_eq!((host.record.down.received, host.started.len()), (5, 0), "{frame}");
        // It comes back with what it has.
        host.redial();
        assert!(host.wire[0].contains("\"position\":5,"));
    }
}

/// Elements that are no envelopes, types nobody listens to, duplicates: processed at once. [CRED-11] [ERR-8] [POS-7]
#[test]
fn what_nobody_handles_is_counted_at_once() {
    let mut host = Host::open();
    let body = r#"[{"type":"t"},7,{"type":"unheard"},{"no":1}]"#;
    host.frame(&format!("push 0 9 1 2 3 4\n{body}"));
    assert_eq!(host.numbers(), [1]);
    host.pass(ms(10));
    assert_eq!(host.wire, [format!("seen 0 3 {}", body.len() * 3 / 4)]);
    host.settle_all();
    host.pass(ms(10));
    assert_eq!(host.wire[1..], [format!("seen 9 4 {}", body.len())]);
}

/// [CRED-9] [CRED-14] [TIME-4] [POS-13] [CRED-12]
#[test]
fn seen_is_due_10_ms_later_or_at_once_from_half_a_window_on() {
    let mut host = Host::open();
    host.frame(&push(&[1, 2, 3], 0, 3));
    let second = host.started[1].delivery;
    host.settle(second);
    host.pass(ms(9));
    assert!(host.wire.is_empty());
    host.pass(ms(1));
    // 2 is processed, 1 is not: the low-water mark stays, the totals do not.
    assert_eq!(host.wire, ["seen 0 1 13"]);

    let mut host = Host::open();
    host.long("push 0 1 1", 262_144, 1);
    host.long("push 1 2 2", 300_000, 1);
    host.settle(Delivery(1));
    assert_eq!(host.wire, ["seen 0 1 262144"]);
}

/// [CRED-15] [LIVE-1]
#[test]
fn seen_goes_out_before_a_pong() {
    let mut host = Host::open();
    host.frame(&push(&[1], 0, 3));
    host.settle_all();
    assert!(host.wire.is_empty());
    host.frame("ping 7");
    assert_eq!(host.wire, ["seen 3 1 14", "pong 7"]);
    host.frame("ping 8");
    assert_eq!(host.wire[2..], ["pong 8"]);
}

/// One frame counts as at most 256 KiB, the window spans links, and a push beyond it breaks the link. [CRED-10] [CRED-8]
#[test]
fn the_window_spans_links() {
    let mut host = Host::open();
    for s in 1..=4 {
        host.long(&format!("push {} {s} {s}", s - 1), 1 << 20, 1);
    }
    assert_eq!(host.close_code(), None);
    host.long("push 4 5 5", 2, 1);
    host.assert_broken("CRED-10");
    host.redial();
    assert!(host.wire[0].contains("\"held\":[4,1048576]"), "{}", host.wire[0]);
    host.welcome("{}");
    host.done.clear();
    host.long("push 4 5 5", 2, 1);
    host.assert_broken("CRED-10");
    host.redial();
    host.welcome("{}");
    host.done.clear();
    host.settle(Delivery(0));
    assert_eq!(host.wire[1..], ["seen 1 1 262144"]);
    host.long("push 4 5 5", 2, 1);
    assert_eq!(host.close_code(), None);
}

/// [LIM-22] A message over the client's own limit is skipped by the host, and `received` moves past it.
#[test]
fn what_is_too_long_for_the_client_is_passed_over() {
    use everwire_core::frame::{Form, Shape};
    use everwire_core::session::down::Element;
    let mut host = Host::open();
    let shape = Shape { form: Form::Text, body_bytes: Some(900_000), envelope_bytes: None };
    host.client.handle_frame(1, b"push 0 4 4", shape, Body::Elements(&[Element::Skipped]), host.now);
    host.drain();
    assert_eq!((host.record.down.received, host.close_code()), (4, None));
    host.pass(ms(10));
    assert_eq!(host.wire, ["seen 4 1 262144"]);
}

/// [POS-14] [CRED-17]
#[test]
fn what_is_stuck_for_a_minute_is_told_once() {
    let mut host = Host::open();
    for s in 1..=4 {
        host.long(&format!("push {} {s} {s}", s - 1), 1 << 20, 1);
    }
    let mut pinged = 0;
    for _ in 0..200 {
        host.pass(secs(1));
        for ping in host.take_pings() {
            pinged += 1;
            host.frame(&format!("pong {ping}"));
        }
    }
    assert!(pinged > 0);
    let notices = host.notices();
    assert_eq!(notices.iter().filter(|notice| **notice == Notice::WindowShut(Delivery(0))).count(), 1);
    for delivery in 0..4 {
        let told = notices.iter().filter(|notice| **notice == Notice::Unsettled(Delivery(delivery))).count();
        assert_eq!(told, 1);
    }
    assert_eq!(host.record.down.pending.entries.len(), 4, "told, and not counted as processed");
}

/// [ROOM-2] [ROOM-3] [ROOM-7] [ROOM-8]
#[test]
fn one_join_of_a_room_at_a_time() {
    let mut host = Host::open();
    host.join("room_a");
    host.leave("room_a");
    host.join("room_a");
    host.leave("room_a");
    host.join("room_b");
    assert_eq!(host.wire, ["join room_a", "join room_b"]);
    host.frame("joined room_a 0 g1");
    // It settles on the last wish.
    assert_eq!(host.wire[2..], ["leave room_a"]);
    assert!(!host.record.down.seats.contains_key(&subject("room_a")));
    host.frame("joined room_b 4 g2");
    let place = Place { subject: subject("room_b"), from: 4, grant: Some("g2".into()) };
    assert!(host.done.contains(&Action::Joined(place)));
    assert_eq!(host.record.down.seats[&subject("room_b")].from, Some(4));
}

/// [ROOM-5] [ERR-17] [ERR-18] [ROOM-2] [ROOM-20]
#[test]
fn wrong_answers_to_joins() {
    for (frames, clause) in [
        (&["advance 0 5", "joined room_a 4"][..], Some("ROOM-5")),
        (&["joined room_b 4"], Some("ROOM-2")),
        (&["joined room_a 4", "joined room_a 5"], Some("ROOM-2")),
        (&["denied room_b forbidden"], Some("ROOM-2")),
        (&["denied room_a forbidden", "denied room_a forbidden"], Some("ROOM-2")),
        (&["denied room_b revoked"], None),
        (&["denied room_a revoked", "joined room_a 4"], None),
        (&["joined caf%c3%a9 4"], Some("FRM-10")),
    ] {
        let mut host = Host::open();
        host.join("room_a");
        for frame in frames {
            host.frame(frame);
        }
        assert_eq!(host.close_code().map(|close| close.reason), clause, "{frames:?}");
    }
}

/// [ROOM-16] [ROOM-20] [ROOM-14] [ROOM-13]
#[test]
fn a_revoked_room_is_off_the_record() {
    let mut host = Host::open();
    host.join("room_a");
    host.frame("joined room_a 0 g1");
    host.join("room_a");
    assert_eq!(host.wire, ["join room_a"], "it is on the record with a `from`");
    host.frame("denied room_a revoked");
    let denied = Action::Denied { subject: subject("room_a"), code: "revoked".into() };
    assert!(host.done.contains(&denied));
    host.relink();
    assert!(!host.wire[0].contains("room_a"));
    host.welcome("{}");
    host.join("room_a");
    assert_eq!(host.wire[1..], ["join room_a"]);
}

/// Left between links, it begins anew. [ROOM-14]
#[test]
fn a_room_left_and_wished_for_again_has_no_from() {
    let mut host = Host::open();
    host.join("room_a");
    host.frame("joined room_a 0 g1");
    host.close(1006);
    host.leave("room_a");
    host.join("room_a");
    host.redial();
    assert!(host.wire[0].contains(r#"{"room":"room_a","from":null}"#), "{}", host.wire[0]);
}

/// [LIM-11] [FRM-11]
#[test]
fn what_is_no_room_is_refused_at_the_call() {
    use everwire_core::session::down::Unfit;
    let mut host = Host::open();
    let long = "x".repeat(129);
    for wrong in ["", "a\nb", "\u{85}", &long] {
        assert_eq!(host.client.admits_room(&subject(wrong)), Err(Unfit::Malformed), "{wrong:?}");
    }
    for room in 0..256 {
        host.join(&format!("room_{room}"));
    }
    assert_eq!(host.client.admits_room(&subject("room_x")), Err(Unfit::TooMany));
}

/// [LOST-4] [LOST-7] [ERR-29]
#[test]
fn a_loss_in_mid_link() {
    let lost = |epoch: &str, subjects: &str, first: u64| {
        format!("lost\n{{\"logEpoch\":\"{epoch}\",\"subjects\":[{subjects}],\"first\":{first}}}")
    };
    let mut host = Host::open();
    host.join("room_a");
    host.frame("joined room_a 2 g1");
    host.frame("advance 0 5");
    host.frame(&lost("e", r#""room_a","room_gone""#, 9));
    let told = Action::Lost { subjects: vec![subject("room_a")], from: Some(8) };
    assert!(host.done.contains(&told));
    assert_eq!(host.record.down.seats[&subject("room_a")].from, Some(8));
    assert_eq!(host.record.down.received, 5, "the position goes on untouched");
    for (frame, clause) in [
        (lost("f", r#""room_a""#, 9), "LOST-7"),
        (lost("e", "", 9), "LOST-7"),
        (lost("e", r#""room_a","room_a""#, 9), "LOST-7"),
        (lost("e", r#""room_a""#, 5), "LOST-7"),
        (lost("e", r#""room_a""#, 0), "LOST-7"),
        ("lost\n[]".into(), "ERR-6"),
        ("lost".into(), "FRM-2"),
    ] {
        let mut host = Host::open();
        host.join("room_a");
        host.frame("joined room_a 2 g1");
        host.frame("advance 0 5");
        host.frame(&frame);
        assert_eq!(host.close_code().map(|close| close.reason), Some(clause), "{frame}");
    }
}

/// [LOST-4] [LOST-7] [LOST-5]
#[test]
fn a_loss_found_at_hello() {
    let run = |lost: &str, from: u64| {
        let mut host = Host::open();
        host.join("room_a");
        host.frame("joined room_a 2 g1");
        host.frame("advance 0 5");
        host.relink();
        host.done.clear();
        let rooms = format!(r#"[{{"room":"room_a","from":{from}}},{{"room":"user_1","from":0}}]"#);
        host.welcome(&format!(r#"{{"lost":{lost},"rooms":{rooms}}}"#));
        host
    };
    let host = run(r#"{"subjects":["room_a"],"first":8}"#, 7);
    assert!(host.done.contains(&Action::Lost { subjects: vec![subject("room_a")], from: None }));
    assert_eq!(host.record.down.seats[&subject("room_a")].from, Some(7));
    for wrong in [
        r#"{"subjects":["room_b"],"first":8}"#,
        r#"{"subjects":[],"first":8}"#,
        r#"{"subjects":["room_a"],"first":5}"#,
        r#"{"subjects":["room_a","room_a"],"first":8}"#,
    ] {
        assert_eq!(run(wrong, 7).close_code().map(|close| close.reason), Some("LOST-7"), "{wrong}");
    }
}

/// [EPOCH-2] [EPOCH-4] [POS-6]
#[test]
fn another_log_is_a_loss_of_everything() {
    let mut host = Host::open();
    host.join("room_a");
    host.frame("joined room_a 2 g1");
    host.frame(&push(&[4], 0, 5));
    host.send(1..=3);
    host.frame("ack 3 9000 2:forbidden");
    host.relink();
    host.done.clear();
    let fresh = r#"{"logEpoch":"f","producer":"successor","mark":0,"credit":8192,"position":1,
        "rooms":[{"room":"room_a","from":1},{"room":"user_1","from":1}]}"#;
    host.welcome(fresh);
    let lost = host.done.iter().find_map(|action| match action {
        Action::Lost { subjects, .. } => Some(subjects.clone()),
        _ => None,
    });
    assert_eq!(lost, Some(vec![subject("room_a"), subject(OWN)]), "although `welcome` says nothing of it");
    let unbacked = host.done.iter().find_map(|action| match action {
        Action::Unbacked(unbacked) => Some((**unbacked).clone()),
        _ => None,
    });
    let tickets = vec![everwire_core::Ticket(1), everwire_core::Ticket(3)];
    assert_eq!(unbacked, Some(Unbacked { ranges: vec![Range { first: 1, last: 3 }], tickets }));
    assert_eq!(host.record.down.received, 1, "lower than before, in another log");
    // A message of the old log is still being processed, under its own name, and is not waited for in `seen`.
    host.frame("advance 1 6");
    host.frame(&push(&[7], 6, 7));
    assert_eq!(
        host.started.iter().map(|started| (started.epoch.to_string(), started.s)).collect::<Vec<_>>(),
        [("e".to_string(), 4), ("f".to_string(), 7)]
    );
    let new = host.started[1].delivery;
    host.settle(new);
    host.pass(ms(10));
    assert_eq!(host.wire.last().unwrap(), "seen 7 1 14");
    // Told once.
    host.done.clear();
    host.relink();
    host.welcome("{}");
    assert_eq!(host.did(|action| matches!(action, Action::Unbacked(_) | Action::Lost { .. })), 0);
}

/// [EPOCH-4] The last 16 producers, the last 1,024 messages.
#[test]
fn so_many_receipts_are_remembered() {
    let mut host = Host::open();
    let mut ticket = 0;
    for life in 0..20 {
        host.send(ticket + 1..=ticket + 60);
        ticket += 60;
        host.frame("ack 60 9000");
        if life < 19 {
            host.close(4005);
            host.redial();
            host.welcome("{}");
        }
    }
    host.relink();
    host.done.clear();
    host.welcome(
        r#"{"logEpoch":"f","producer":"successor","mark":0,"credit":9,"rooms":[{"room":"user_1","from":0}]}"#,
    );
    let Some(Action::Unbacked(unbacked)) =
        host.done.iter().find(|action| matches!(action, Action::Unbacked(_)))
    else {
        panic!()
    };
    assert_eq!((unbacked.ranges.len(), unbacked.tickets.len()), (16, 1024));
    assert_eq!(unbacked.tickets.last(), Some(&everwire_core::Ticket(1200)));
}
