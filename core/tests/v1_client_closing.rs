//! Chapters 14 and 20: renewal, visibility, the last word, and the end of the wire.

mod v1_client_common;

use everwire_core::State;
use everwire_core::session::client::*;
use everwire_core::session::up::{Dropped, Unwritten};
use v1_client_common::*;

fn with_token() -> Config {
    Config { has_token: true, ..Config::default() }
}

fn renewals(host: &Host) -> usize {
    host.did(|action| matches!(action, Action::Renew { .. }))
}

/// [AUTH-4] [AUTH-1] [AUTH-6] [HELLO-10]
#[test]
fn a_credential_is_renewed_in_time() {
    let mut host = Host::new(with_token());
    host.connect();
    host.welcome(r#"{"expires":100000}"#);
    host.take();
    host.pass_answered(ms(79_999));
    assert_eq!(renewals(&host), 0);
    host.pass_answered(ms(1));
    assert_eq!(renewals(&host), 1);
    // Not two at a time.
    host.frame("auth\n{\"expires\":0,\"renewed\":false}");
    host.pass_answered(secs(31));
    assert_eq!(renewals(&host), 1);
    host.client.handle_renewed(1, 40, host.now);
    host.drain();
    assert_eq!(host.wire, ["auth"]);
    host.frame("auth\n{\"expires\":0,\"renewed\":false}");
    host.pass_answered(secs(31));
    assert_eq!(renewals(&host), 1);
    host.frame("auth\n{\"expires\":0,\"renewed\":true}");
    host.pass_answered(ms(29_999));
    assert_eq!(renewals(&host), 1, "not within 30 s after the last");
    host.pass_answered(ms(1));
    assert_eq!(renewals(&host), 2);
    host.client.handle_renewal_failed(1, host.now);
    host.drain();
    host.pass_answered(secs(30));
    assert_eq!(renewals(&host), 3);
    host.client.handle_renewed(1, 40, host.now);
    host.drain();
    host.frame("auth\n{\"expires\":null,\"renewed\":true}");
    host.pass_answered(secs(100_000));
    assert_eq!(renewals(&host), 3);
    // A long one is announced.
    host.frame("auth\n{\"expires\":0,\"renewed\":false}");
    host.pass_answered(secs(30));
    host.take();
    host.client.handle_renewed(1, 16_400, host.now);
    host.drain();
    assert_eq!(host.wire, ["more 16400", "auth"]);
}

/// [VIS-1]
#[test]
fn visibility_is_told_when_it_differs() {
    let mut host = Host::open();
    host.client.handle_visible(false, host.now);
    host.client.handle_visible(false, host.now);
    host.drain();
    assert_eq!(host.wire, ["vis 0"]);
    host.client.handle_visible(true, host.now);
    host.drain();
    assert_eq!(host.wire[1..], ["ping 1", "vis 1"]);
    host.client.handle_visible(false, host.now);
    host.drain();
    host.relink();
    assert!(host.wire[0].contains("\"visible\":false"));
    host.welcome("{}");
    assert_eq!(host.wire.len(), 1);
}

/// [BYE-1] [BYE-4] [ERR-28]
#[test]
fn a_page_that_is_put_away_says_bye_and_closes_at_once() {
    let mut host = Host::open();
    host.frame("push 0 4 4\n[{\"type\":\"t\"}]");
    host.client.handle_suspend(host.now);
    host.drain();
    assert_eq!(host.wire, ["bye 3"]);
    assert_eq!(host.close_code().unwrap().code, 1000);
    assert_eq!((host.client.phase(), host.client.next_deadline()), (Phase::Suspended, None));
    host.send(1..=1);
    host.frame("advance 4 9");
    host.client.handle_timeout(host.now + secs(1000));
    host.drain();
    assert_eq!((host.record.down.received, host.wire.len()), (4, 1));
    host.client.handle_resume(true, host.now + secs(1000));
    host.drain();
    assert_eq!(host.client.phase(), Phase::Asking);
    host.now = host.now + secs(1000);
    host.dial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 1 1 [1]"]);
    // Before `welcome`, 0.
    let mut host = Host::new(Config::default());
    host.connect();
    host.client.handle_suspend(host.now);
    host.drain();
    assert_eq!(host.wire[1..], ["bye 0"]);
}

/// [SEND-7] [TIME-13] [CLOSE-5]
#[test]
fn closing_gives_up_when_its_time_is_over() {
    let mut host = Host::open();
    host.send(1..=2);
    host.close(1006);
    host.send(3..=3);
    host.shut(secs(5));
    assert_eq!(host.state(), State::Closing);
    // Nothing new is taken; what was handed over before gets its number.
    host.send(4..=4);
    assert_eq!(host.dropped(4), Some(Dropped::NeverWritten(Unwritten::Closed)));
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 3 1 [1,2,3]"]);
    host.frame("ack 1 9000");
    host.close(1006);
    assert_eq!(host.state(), State::Closing);
    while host.client.phase() != Phase::Closed {
        match host.client.phase() {
            Phase::Asking => host.dial(),
            Phase::Closing | Phase::Waiting | Phase::Greeting => host.sleep_to_deadline(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((host.dropped(2), host.dropped(3)), (Some(Dropped::InDoubt), Some(Dropped::InDoubt)));
    assert_eq!(host.socket, None);
}

/// [SEND-7] [BYE-4]
#[test]
fn closing_in_every_phase() {
    // Nothing left: at once.
    let mut host = Host::new(Config::default());
    host.shut(secs(5));
    assert_eq!(host.state(), State::Closed);
    let mut host = Host::open();
    host.close(1006);
    host.shut(secs(5));
    assert_eq!(host.state(), State::Closed);
    // The node's close ends it.
    let mut host = Host::open();
    host.shut(secs(5));
    assert_eq!((host.client.phase(), host.wire.as_slice()), (Phase::Closing, &["bye 0".to_string()][..]));
    host.frame("advance 0 9");
    assert_eq!(host.record.down.received, 0);
    host.close(1000);
    assert_eq!(host.state(), State::Closed);
    assert_eq!(host.done.last(), Some(&Action::Ended { link: 1, why: Why::Closed, code: 1000, retry: None }));
    // Put away.
    let mut host = Host::open();
    host.send(1..=1);
    host.shut(secs(5));
    host.client.handle_suspend(host.now);
    host.drain();
    assert_eq!((host.state(), host.dropped(1)), (State::Closed, Some(Dropped::InDoubt)));
    assert_eq!(host.wire.last().unwrap(), "bye 0");
}

/// A wire that has been closed stays so, wherever its instance dies. [KEEP-1]
#[test]
fn a_closed_wire_does_not_come_back() {
    for cut in 0..6 {
        let mut host = Host::open();
        host.send(1..=2);
        host.frame("ack 1 9000");
        host.record.closing(host.now + secs(5));
        host.client.handle_close(secs(5), host.now);
        host.client.handle_timeout(host.now + secs(5));
        for _ in 0..cut {
            host.carry_out_one();
        }
        host.crash();
        host.now = host.now + secs(5);
        host.client.handle_timeout(host.now);
        host.drain();
        while host.client.phase() != Phase::Closed {
            host.sleep_to_deadline();
        }
        assert_eq!(host.dropped(2), Some(Dropped::InDoubt), "cut {cut}");
        assert_eq!(host.socket, None);
    }
}
