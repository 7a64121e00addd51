//! Chapters 17 and 18: close codes and errors.

mod v1_client_common;

use everwire_core::session::client::*;
use everwire_core::session::up::{Dropped, Exit, Unwritten};
use everwire_core::{Duration, State};
use v1_client_common::*;

fn with_token() -> Config {
    Config { has_token: true, ..Config::default() }
}

/// [CODE-4401] [CODE-4403] [CLOSE-4]
#[test]
fn two_different_tokens_refused_end_the_wire() {
    for code in [4401, 4403, 1008] {
        let mut host = Host::new(with_token());
        host.send(1..=1);
        host.connect();
        host.close(code);
        assert_eq!(host.notices(), [Notice::TokenRefused]);
        assert_eq!(host.wait(), Duration::ZERO, "a fresh one is asked for");
        host.token_changed = true;
        host.dial();
        host.close(code);
        assert_eq!(host.state(), State::Closed);
        assert_eq!(host.dropped(1), Some(Dropped::NeverWritten(Unwritten::Closed)));
    }
}

/// [CLOSE-4]
#[test]
fn the_same_token_again_is_backoff() {
    let mut host = Host::new(with_token());
    host.connect();
    host.close(4401);
    for _ in 0..4 {
        // The same one again is not shown at once.
        assert_eq!(host.client.phase(), Phase::Asking);
        host.take();
        host.dialled();
        assert_eq!(host.client.phase(), Phase::Waiting);
        assert!(host.did(|action| matches!(action, Action::Reconnecting { why: Why::SameToken, .. })) == 1);
        host.redial();
        assert!(host.wire[0].starts_with("hello"));
        host.close(4401);
        assert_ne!(host.state(), State::Closed);
    }
    // Without a refusal in between, a lost link changes nothing about which was refused.
    host.token_changed = true;
    host.dial();
    host.close(1006);
    host.redial();
    host.close(4401);
    assert_eq!(host.state(), State::Closed);
}

/// [CLOSE-4] [CODE-1008]
#[test]
fn after_welcome_it_is_no_refusal() {
    let mut host = Host::open_with(with_token());
    for _ in 0..3 {
        host.token_changed = true;
        host.close(4401);
        assert_eq!(host.wait(), Duration::ZERO);
        host.dial();
        host.welcome("{}");
    }
    host.close(1008);
    assert!(host.wait() < secs(40) && host.state() == State::Waiting);
    // Between two refusals, a `welcome` forgives.
    let mut host = Host::new(with_token());
    host.connect();
    host.close(4401);
    host.token_changed = true;
    host.dial();
    host.welcome("{}");
    host.close(1006);
    host.redial();
    host.close(4401);
    assert_ne!(host.state(), State::Closed);
    // Without a token there is nothing to ask for.
    let mut host = Host::open();
    host.close(4401);
    assert_eq!(host.state(), State::Closed);
    let mut host = Host::new(Config::default());
    host.connect();
    host.close(1008);
    assert_eq!(host.state(), State::Waiting);
}

/// It costs a budget. [CLOSE-4] [AWAY-11]
#[test]
fn fresh_tokens_are_not_asked_for_without_end() {
    let mut host = Host::open_with(with_token());
    let mut at_once = 0;
    for _ in 0..15 {
        host.token_changed = true;
        host.close(4401);
        at_once += u32::from(host.wait() == Duration::ZERO);
        host.redial();
        host.welcome("{}");
    }
    assert_eq!(at_once, 10);
}

/// [CODE-4500] [CODE-4501] [CLOSE-5] [CLOSE-1] [SEND-6]
#[test]
fn some_codes_end_the_wire() {
    for code in [4500, 4501, 4777, 4999] {
        let mut host = Host::open();
        host.send(1..=2);
        host.frame("ack 1 1");
        host.close(1006);
        host.send(3..=3);
        host.redial();
        host.close(code);
        assert_eq!(host.state(), State::Closed);
        assert_eq!(host.dropped(2), Some(Dropped::InDoubt));
        assert_eq!(host.dropped(3), Some(Dropped::NeverWritten(Unwritten::Closed)));
        let ended = Action::Ended { link: 2, why: Why::ClosedByServer, code, retry: None };
        assert_eq!(host.done.last(), Some(&ended));
        assert_eq!(host.client.next_deadline(), None);
    }
}

/// No close code but 4005 and the end of the wire decides what became of a message. [CLOSE-3] [CODE-1011] [CODE-4001]
/// [CODE-4000] [CODE-4004] [CODE-4006] [CODE-4007] [CODE-1001] [CODE-1000] [CLOSE-1]
#[test]
fn other_codes_come_back() {
    for code in [
        0, 1000, 1001, 1004, 1006, 1011, 1012, 1013, 3000, 4000, 4001, 4003, 4004, 4006, 4007, 4010, 4399,
        5000,
    ] {
        let mut host = Host::open();
        host.send(1..=1);
        host.close(code);
        assert!(host.exits.is_empty() && host.wait() < secs(31), "{code}");
        host.redial();
        host.welcome("{}");
        assert_eq!(host.wire[1..], ["send 1 1 1 [1]"], "{code}");
    }
}

/// [CLOSE-8] [CODE-4005]
#[test]
fn fenced_on_the_newest_link() {
    let mut host = Host::open();
    host.send(1..=2);
    host.close(1006);
    host.send(3..=3);
    host.redial();
    let (old, spare) = (host.record.up.producer, host.record.up.successor);
    host.close(4005);
    assert_eq!(
        (host.dropped(1), host.dropped(2), host.dropped(3)),
        (Some(Dropped::Unknown), Some(Dropped::Unknown), None)
    );
    assert!(host.record.up.producer != old && Some(host.record.up.producer) != spare);
    assert_ne!(host.record.up.successor, spare);
    assert!(host.wait() > Duration::ZERO, "by backoff");
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 1 1 [3]"]);
}

fn ended_for_good(frames: &[&str], progress: &[&str]) -> bool {
    let mut host = Host::open();
    host.send(1..=9);
    for round in 0..3 {
        if let Some(frame) = progress.get(round) {
            host.frame(frame);
        }
        host.frame(frames[round % frames.len()]);
        if host.client.phase() == Phase::Closed {
            return round == 2;
        }
        host.redial();
        host.welcome("{}");
    }
    false
}

/// [CLOSE-6] [CLOSE-7]
#[test]
fn three_protocol_errors_of_a_kind_without_progress_end_the_wire() {
    let (down, other) = ("advance 100 101", "ack 99 99");
    assert!(ended_for_good(&[down], &[]));
    assert!(ended_for_good(&[other], &[]));
    assert!(!ended_for_good(&[down, other, down], &[]), "three counts");
    // An error downwards is not excused by traffic upwards, nor the other way round.
    assert!(ended_for_good(&[down], &["ack 1 9000", "ack 2 9000", "ack 3 9000"]));
    assert!(!ended_for_good(&[down], &["advance 0 1", "advance 1 2", "advance 2 3"]));
    assert!(ended_for_good(&[other], &["advance 0 1", "advance 1 2", "advance 2 3"]));
    assert!(!ended_for_good(&[other], &["ack 1 9000", "ack 2 9000", "ack 3 9000"]));
    // A frame over its limit is one of what was pushed.
    let mut host = Host::open();
    for round in 1..=3 {
        host.long("reply 1", 2 << 20, 1);
        assert!(host.notices().contains(&Notice::ProtocolError { count: round, clause: Some("LIM-3") }));
        if round < 3 {
            host.redial();
            host.welcome("{}");
        }
    }
    assert_eq!(host.state(), State::Closed);
}

/// [CLOSE-6] [CODE-4002] [CODE-1002] [CODE-1009]
#[test]
fn protocol_errors_that_the_node_sees() {
    for codes in [[4002, 4002, 4002], [1002, 1003, 1007]] {
        let mut host = Host::open();
        for (round, code) in codes.into_iter().enumerate() {
            host.close(code);
            let told = Notice::ProtocolError { count: round as u8 + 1, clause: None };
            assert_eq!(host.notices().last(), Some(&told));
            if round < 2 {
                host.redial();
                host.welcome("{}");
            }
        }
        assert_eq!(host.state(), State::Closed);
    }
    // 1009 before `welcome` withdraws nothing and counts. [REF-10]
    let mut host = Host::open();
    host.send(1..=1);
    host.relink();
    host.close(1009);
    assert!(host.notices().contains(&Notice::ProtocolError { count: 1, clause: None }));
    assert_eq!(host.record.up.alone_until, None);
    // Progress in either direction forgives; so does an hour.
    for progress in ["advance 0 1", "ack 1 9000"] {
        let mut host = Host::open();
        host.send(1..=2);
        for _ in 0..2 {
            host.close(4002);
            host.redial();
            host.welcome("{}");
        }
        host.frame(progress);
        host.close(4002);
        assert_ne!(host.state(), State::Closed);
    }
    for (lives, closed) in [(secs(3599), State::Closed), (secs(3600), State::Waiting)] {
        let mut host = Host::open();
        for _ in 0..2 {
            host.close(4002);
            host.redial();
            host.welcome("{}");
        }
        host.pass_answered(lives);
        host.close(4002);
        assert_eq!(host.state(), closed);
    }
}

/// The counts survive the instance. [KEEP-1] [CLOSE-6]
#[test]
fn counts_are_on_the_record() {
    let mut host = Host::open();
    for _ in 0..3 {
        host.frame("advance 100 101");
        if host.client.phase() == Phase::Closed {
            return;
        }
        host.crash();
        host.drain();
        host.redial();
        host.welcome("{}");
    }
    panic!("it has forgotten");
}

/// [CLOSE-10]
#[test]
fn five_links_without_progress_are_told_and_keep_the_backoff() {
    let mut host = Host::open();
    host.send(1..=1);
    let told = |host: &Host| {
        host.notices().iter().filter(|notice| matches!(notice, Notice::StoreStalled { .. })).count()
    };
    for link in 1..=5 {
        assert_eq!(told(&host), 0, "{link}");
        host.close(4004);
        if link < 5 {
            host.redial();
            host.welcome("{}");
            host.frame(&format!("advance 0 {link}"));
        }
    }
    assert!(host.notices().contains(&Notice::StoreStalled { n: 1, code: Some(4004) }));
    assert!(host.exits.is_empty(), "it does not drop the message");
    // The backoff is not reset by ten seconds any more.
    let mut longest = Duration::ZERO;
    for _ in 0..12 {
        host.redial();
        host.welcome("{}");
        host.pass_answered(secs(11));
        host.close(4004);
        longest = longest.max(host.wait());
    }
    assert!(longest > secs(15), "{longest:?}");
    host.redial();
    host.welcome("{}");
    host.frame("ack 1 9000");
    host.pass_answered(secs(11));
    host.close(4004);
    assert!(host.wait() < secs(1));
}

/// A link on which nothing was written does not count. [CLOSE-10]
#[test]
fn idle_links_are_no_stalled_store() {
    let mut host = Host::open();
    host.send(1..=1);
    for link in 0..8 {
        host.close(4004);
        host.redial();
        host.welcome(if link % 4 == 3 { r#"{"credit":0}"# } else { "{}" });
    }
    assert_eq!(host.notices(), []);
}

/// [CODE-4004]
#[test]
fn an_engine_that_is_away_three_times_is_told() {
    let mut host = Host::open();
    host.close(4004);
    for _ in 0..3 {
        assert_eq!(host.notices(), []);
        host.redial();
        host.close(4004);
    }
    assert_eq!(host.notices(), [Notice::Unavailable]);
}

/// [ERR-1] [ERR-2] [ERR-3] [ERR-4] [ERR-5] [FRM-1] [FRM-2] [FRM-3] [FRM-4] [FRM-10] [LIM-1] [LIM-17] [ERR-6] [ERR-9]
#[test]
fn what_is_no_frame() {
    for (frame, clause) in [
        ("", Some("ERR-1")),
        ("nonsense", Some("FRM-4")),
        ("send 1 1 1\n[]", Some("FRM-4")),
        ("hello\n{}", Some("FRM-4")),
        ("ack  0 8192", Some("ERR-2")),
        ("ack +1 8192", Some("ERR-2")),
        ("ack 0 8192 ", Some("ERR-1")),
        ("ping 1\n", Some("FRM-2")),
        ("pïng 1", Some("ERR-1")),
        ("auth", Some("FRM-2")),
        ("auth\n[]", Some("ERR-6")),
        ("auth\n{\"renewed\":true}", None),
        ("auth\n{\"expires\":1}", Some("ERR-6")),
        ("goaway 1 1\n{}", Some("ERR-6")),
        ("goaway 1\n{\"reason\":\"\"}", Some("FRM-1")),
        ("x-whatever\u{ff} and more\nbody", None),
        ("welcome\n{}", Some("ERR-9")),
        ("pong 3", None),
        ("denied room_a", Some("FRM-1")),
    ] {
        let answer = Host::answer_to(frame);
        match clause {
            None => assert_eq!(answer, None, "{frame:?}"),
            Some(clause) if ["ERR-1", "ERR-2", "FRM-1"].contains(&clause) => {
                assert_eq!(answer.map(|(code, _)| code), Some(4002), "{frame:?}");
            }
            Some(clause) => assert_eq!(answer, Some((4002, clause)), "{frame:?}"),
        }
    }
    let mut host = Host::open();
    host.binary(b"ping 1");
    host.assert_broken("ERR-3");
    let mut host = Host::open();
    host.binary(b"push 0 2 2\n{\"type\":\"t\"}");
    host.assert_broken("FRM-7");
    // An extension has no limit but the frame's. [LIM-3]
    assert_eq!(Host::answer_to(&format!("x-{}", "y".repeat(40_000))), None);
    assert_eq!(Host::answer_to(&format!("x-{}", "y".repeat(1 << 21))), Some((4002, "LIM-3")));
}

/// The reason names the clause and nothing of the peer's. [CLOSE-2] [CLOSE-9]
#[test]
fn after_an_error_nothing_of_the_link_is_carried_out() {
    let mut host = Host::open();
    host.send(1..=1);
    host.frame("ack 1 9000");
    host.frame("advance 7 9");
    assert_eq!(host.close_code(), Some(Close { code: 4002, reason: "POS-3" }));
    host.octets_come(1, everwire_core::frame::Form::Text, b"push 0 1 1\n[{\"type\":\"t\"}]");
    assert_eq!((host.record.down.received, host.started.len()), (0, 0));
    assert_eq!(host.exit(1), Some(&Exit::Settled), "what was carried out before stays");
    // It waits for no handshake: the next dial is due already.
    assert!(host.wait() < secs(5));
}

/// As many tries as were allowed.
#[test]
fn attempts_may_be_bounded() {
    let mut host = Host::new(Config { attempts_max: 3, ..Config::default() });
    host.send(1..=1);
    host.connect();
    for _ in 0..3 {
        host.close(1006);
        assert_ne!(host.state(), State::Closed);
        host.redial();
    }
    host.close(1006);
    assert_eq!(host.state(), State::Closed);
    assert!(matches!(host.done.last(), Some(Action::Ended { why: Why::Attempts, retry: None, .. })));
}

/// A socket that takes nothing more, and says why or does not.
#[test]
fn a_socket_that_takes_nothing() {
    for says in [true, false] {
        let mut host = Host::open();
        host.client.handle_write_failed(1, host.now);
        host.drain();
        host.send(1..=1);
        host.frame("ping 4");
        assert!(host.wire.is_empty());
        if says {
            host.pass(ms(1900));
            host.close(4501);
            assert_eq!(host.state(), State::Closed);
        } else {
            host.pass(secs(2));
            assert_eq!(host.state(), State::Waiting);
        }
    }
}
