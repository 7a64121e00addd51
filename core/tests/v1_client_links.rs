//! A client finds its way: dial, greet, send, lose a link, come back, be restored.

mod v1_client_common;

use everwire_core::session::client::*;
use everwire_core::session::up::Exit;
use everwire_core::{Duration, State};
use v1_client_common::*;

fn hello(host: &Host) -> serde_json::Value {
    let (verb, body) = host.wire[0].split_once('\n').unwrap();
    assert_eq!(verb, "hello");
    serde_json::from_str(body).unwrap()
}

/// `hello` is the first frame, written in the turn in which the link opens, and nothing else before `welcome`.
/// [HELLO-1] [HELLO-2] [HELLO-6] [HELLO-7] [TRN-2] [WELC-1] [STATE-1]
#[test]
fn hello_alone_until_welcome() {
    let mut host = Host::new(Config::default());
    host.join("room_a");
    host.send(1..=3);
    host.connect();
    assert_eq!(host.wire.len(), 1);
    let body = hello(&host);
    assert_eq!((body["logEpoch"].clone(), body["position"].clone()), (().into(), ().into()));
    assert_eq!((body["written"].clone(), body["successor"].clone()), (0.into(), ().into()));
    assert_eq!(body["rooms"], serde_json::json!([{ "room": "room_a", "from": null }]));
    assert_eq!((host.client.phase(), host.state()), (Phase::Greeting, State::Connecting));
    host.send(4..=4);
    host.client.handle_visible(false, host.now);
    host.drain();
    assert!(!host.client.cast(cast(9, 10), host.now));
    host.pass(secs(5));
    assert_eq!(host.wire.len(), 1);

    host.welcome("{}");
    assert_eq!(host.state(), State::Open);
    assert_eq!(host.wire[1..], ["vis 0", "send 1 4 1 [1,2,3,4]"]);
}

fn cast(ticket: u32, bytes: u32) -> Cast {
    Cast { ticket: everwire_core::Ticket(ticket), bytes, form: everwire_core::frame::Form::Text }
}

/// What is unsettled goes again, unchanged and before anything new. [WELC-8] [SEND-4] [SEND-8] [SEND-10] [WELC-7]
#[test]
fn a_lost_link_is_resumed() {
    let mut host = Host::open();
    host.send(1..=3);
    host.frame("ack 1 8193");
    assert_eq!(host.exit(1), Some(&Exit::Settled));
    host.close(1006);
    assert_eq!(host.state(), State::Waiting);
    host.send(4..=4);
    host.redial();
    let body = hello(&host);
    assert_eq!(
        (body["link"].clone(), body["oldest"].clone(), body["written"].clone()),
        (2.into(), 2.into(), 3.into())
    );
    assert!(body["successor"].is_string());
    host.welcome(r#"{"mark":2,"credit":9000}"#);
    assert_eq!(host.exit(2), Some(&Exit::Settled));
    assert_eq!(host.wire[1..], ["send 3 2 3 [3,4]"]);
}

/// At every action of a whole story, the instance dies and another takes its place: all messages exit once, and those
/// with a number keep it. [KEEP-1] [KEEP-6] [SEND-3] [SEND-6] [HELLO-3] [HELLO-8] [SEND-11]
#[test]
fn restored_at_every_action() {
    for cut in 0..60 {
        let mut host = Host::new(Config::default());
        let mut left = cut;
        let mut died = false;
        let mut given = std::collections::BTreeMap::new();
        let mut step = 0;
        while step < 12 {
            match step {
                0 => host.client.handle_connect(host.now),
                1 => (1..=3).for_each(|ticket| host.submit(text(ticket, 10))),
                6 => host.client.handle_timeout(host.now + secs(40)),
                _ => {}
            }
            while left > 0 && host.carry_out_one() {
                left -= 1;
            }
            if left == 0 && !died {
                died = true;
                host.crash();
            }
            host.drain();
            for numbered in &host.record.up.numbered {
                let ticket = numbered.message.ticket;
                assert_eq!(*given.entry(ticket).or_insert(numbered.n), numbered.n, "cut {cut}");
            }
            match host.client.phase() {
                Phase::Idle => host.client.handle_connect(host.now),
                Phase::Waiting => host.pass(secs(60)),
                Phase::Asking => host.dialled(),
                Phase::Dialling => host.opens(),
                Phase::Greeting => host.welcome("{}"),
                Phase::Open if step < 8 => host.frame(&format!("ack {} 9000", host.record.up.written.min(2))),
                Phase::Open => host.frame(&format!("ack {} 9000", host.record.up.written)),
                other => panic!("{other:?}"),
            }
            host.drain();
            step += 1;
        }
        if host.client.phase() != Phase::Open {
            while host.client.phase() != Phase::Open {
                match host.client.phase() {
                    Phase::Waiting => host.pass(secs(60)),
                    Phase::Asking => host.dialled(),
                    Phase::Dialling => host.opens(),
                    Phase::Greeting => host.welcome("{}"),
                    other => panic!("{other:?}"),
                }
            }
        }
        host.frame(&format!("ack {} 9000", host.record.up.written));
        assert_eq!(host.exits.len(), 3, "cut {cut}");
        assert!(host.exits.values().all(|exit| *exit == Exit::Settled), "cut {cut}");
    }
}

/// [SEND-7] [CLOSE-5] [BYE-1] [BYE-4]
#[test]
fn closing_drains_and_says_bye() {
    let mut host = Host::open();
    host.send(1..=2);
    host.shut(secs(5));
    assert_eq!(host.state(), State::Closing);
    host.take();
    host.frame("ack 2 8194");
    assert_eq!(host.wire, ["bye 0"]);
    assert_eq!(host.client.phase(), Phase::Closing);
    host.pass(Duration::from_millis(1999));
    assert_eq!(host.client.phase(), Phase::Closing);
    host.pass(Duration::from_millis(1));
    assert_eq!((host.client.phase(), host.close_code().unwrap().code), (Phase::Closed, 1000));
}
