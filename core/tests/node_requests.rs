//! Requests: stored, run once, answered into the inbox, and from there to whoever waits.
mod node_common;

use everwire_core::engine::*;
use everwire_core::session::Hello;
use everwire_core::session::down::Amount;
use everwire_core::session::node::*;
use node_common::*;

fn replies(rig: &mut Rig) -> Vec<(u64, u32)> {
    let reply = |frame: NodeFrame<Body>| match frame {
        NodeFrame::Reply { n, payload } => Some((n, payload.id)),
        _ => None,
    };
    rig.frames().into_iter().filter_map(reply).collect()
}

fn ran(rig: &Rig) -> Vec<u64> {
    rig.runs.iter().map(|run| run.n).collect()
}

fn claim_by_another(rig: &mut Rig, link: u64) {
    let claim = Claim {
        producer: producer(1),
        identity: Identity::named(OWN),
        inbox: inbox(producer(1)),
        link,
        oldest: 1,
        written: 9,
        born: Some(1),
    };
    rig.engine.claim(&claim, rig.now).unwrap();
}

/// [REQ-1] [REQ-2] [REQ-4] [REQ-6] [REQ-8] Stored before it runs, pushed to nobody, answered by its number.
#[test]
fn a_request_runs_when_it_is_stored() {
    let mut rig = Rig::open(&["room_a"]);
    rig.hooks.waits_writes = true;
    let with_receiver = Element { bytes: 10, kind: kind(Some("room_a"), true, 2) };
    rig.send(1, 1, vec![request(1), with_receiver, message("room_a", 3)]);
    assert_eq!(ran(&rig), [0; 0]);
    rig.hooks.waits_writes = false;
    rig.release();
    assert_eq!(ran(&rig), [1, 2]);
    let run = &rig.runs[0];
    assert_eq!((run.producer, run.link, run.identity.as_str()), (producer(1), 1, OWN));
    assert_eq!((run.inbox.clone(), run.epoch.as_str(), run.limit), (inbox(producer(1)), "e0", 1 << 20));
    assert_eq!(rig.log("room_a"), [3]);
    assert_eq!(rig.acks(), [(3, 32_771, vec![])]);

    rig.reply(producer(1), 2, body(22));
    rig.reply(producer(1), 1, body(11));
    assert_eq!(replies(&mut rig), [], "[REQ-4] it is this process that knows when");
    rig.node.handle_ran(2, rig.now);
    rig.drain();
    assert_eq!(replies(&mut rig), [(2, 22), (1, 11)], "in the order of the inbox");
}

/// [REQ-2] [REQ-3] In doubt, and then found to be stored: run once, and not what another link has stored.
#[test]
fn what_a_repeated_call_finds_stored_is_run() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.send(1, 1, vec![request(1), request(2)]);
    rig.fail(true);
    assert_eq!(ran(&rig), [0; 0]);
    rig.pass(ms(250));
    rig.release();
    assert_eq!(ran(&rig), [1, 2]);

    // A link later the mark is the claim's: nothing up to it is run.
    rig.hooks.waits_writes = false;
    rig.relink(again(2, 1, 2, 0));
    assert_eq!(rig.welcome().mark, 2);
    rig.send(3, 3, vec![request(3)]);
    assert_eq!(ran(&rig), [3]);
}

/// [REQ-2] [ENG-18] The leading part of a full store is run, the rest when it is stored.
#[test]
fn the_leading_part_of_a_full_store() {
    let memory = MemoryConfig { messages_max: 2, age_min: secs(5), ..MemoryConfig::default() };
    let mut rig = Rig::with(NodeConfig::default(), memory);
    rig.hello(hello());
    let text = |id| message("room_a", id);
    rig.send(1, 1, vec![request(1), text(2), text(3), text(4), request(5)]);
    assert_eq!((ran(&rig), rig.log("room_a")), (vec![1], vec![2, 3]));
    rig.pass(secs(6));
    assert_eq!(ran(&rig), [1, 5]);
}

/// [SEND-23] [REQ-2] What is known to be stored runs, although the link is over; what is fenced does not.
#[test]
fn a_request_outlives_its_link() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.send(1, 1, vec![request(1)]);
    rig.node.handle_closed();
    assert!(!rig.node.is_over());
    rig.release();
    assert_eq!((ran(&rig), rig.node.is_over()), (vec![1], true));

    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.send(1, 1, vec![request(1)]);
    rig.line("hello");
    assert!(rig.closed().is_some());
    rig.release();
    assert_eq!((ran(&rig), rig.acks()), (vec![1], vec![]));

    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.send(1, 1, vec![request(1)]);
    claim_by_another(&mut rig, 2);
    rig.release();
    assert_eq!((ran(&rig), rig.node.is_over()), (vec![], true));
}

/// [REQ-16] [SEND-24] [LIM-12] A 257th waits before its `append`, what stands behind it too, and credit with it.
#[test]
fn at_most_256_run() {
    let mut rig = Rig::open(&[]);
    rig.send(1, 1, (1..=258).map(request).collect());
    rig.texts(259, 1, 1);
    assert_eq!(rig.runs.len(), 256);
    assert_eq!(rig.log("room_a").len(), 0);
    rig.pass(ms(10));
    assert_eq!(rig.acks().last().map(|ack| ack.0), Some(256));
    rig.node.handle_ran(7, rig.now);
    rig.drain();
    assert_eq!(rig.runs.len(), 257);
    rig.node.handle_ran(8, rig.now);
    rig.drain();
    assert_eq!((rig.runs.len(), rig.log("room_a").len()), (258, 1));
    // Those of an earlier link count, and may come to an end elsewhere.
    rig.node.handle_elsewhere(10, rig.now);
    rig.drain();
    rig.send(260, 1, vec![request(1)]);
    assert_eq!(rig.runs.len(), 258);
    (9..=19).for_each(|n| rig.node.handle_ran(n, rig.now));
    rig.drain();
    assert_eq!(rig.runs.len(), 259);
}

/// [REQ-16] [SEND-24] [CRED-3]
#[test]
fn credit_waits_with_a_request() {
    let mut rig = Rig::open(&[]);
    rig.node.handle_elsewhere(256, rig.now);
    rig.drain();
    rig.send(1, 1, vec![request(1)]);
    for n in 0..31 {
        rig.texts(2 + n * 1024, 1024, 1);
    }
    rig.texts(2 + 31 * 1024, 1023, 1);
    rig.pass(secs(1));
    assert_eq!(rig.acks(), []);
    rig.node.handle_elsewhere(0, rig.now);
    rig.drain();
    assert_eq!((rig.runs.len(), rig.acks().last().map(|ack| (ack.0, ack.1))), (1, Some((32_768, 65_536))));
}

/// [REQ-7] [REQ-3] [REQ-9] [WELC-13] At `welcome` what is pending, in the order of the inbox, and no more.
#[test]
fn pending_answers_come_with_the_welcome() {
    let mut rig = Rig::open(&[]);
    rig.send(1, 1, (1..=4).map(request).collect());
    for n in [3, 1, 2] {
        rig.reply(producer(1), n, body(n as u32 * 10));
    }
    rig.relink(Hello { pending: vec![2, 3, 4], ..again(2, 1, 4, 0) });
    rig.welcome();
    assert_eq!(replies(&mut rig), [(3, 30), (2, 20)]);
    // What comes from another node now.
    rig.reply(producer(1), 4, body(40));
    assert_eq!(replies(&mut rig), [(4, 40)]);
    // An answer that was appended twice is the client's to drop; one that nobody waits for is not written.
    rig.reply(producer(1), 4, body(41));
    rig.reply(producer(1), 1, body(10));
    assert_eq!(replies(&mut rig), []);
    assert_eq!(ran(&rig), [0; 0]);
}

/// [REQ-7] [HELLO-20] With the successor in force nothing of the old producer is pending.
#[test]
fn a_successor_has_an_inbox_of_its_own() {
    let mut rig = Rig::new();
    rig.hello(Hello { pending: vec![1], ..again(2, 1, 4, 0) });
    rig.reply(producer(1), 1, body(10));
    rig.reply(producer(2), 1, body(11));
    assert_eq!(replies(&mut rig), []);
    rig.send(1, 1, vec![request(1)]);
    rig.reply(producer(2), 1, body(12));
    rig.node.handle_ran(1, rig.now);
    rig.drain();
    // The first was in the inbox before the record was made, which no engine would keep.
    assert_eq!(replies(&mut rig).last(), Some(&(1, 12)));
}

/// [REQ-8] [CRED-13] Not behind a window that is shut.
#[test]
fn replies_stand_outside_the_window() {
    let mut rig = Rig::open(&[]);
    rig.send(1, 1, vec![request(1)]);
    rig.reply(producer(1), 1, body(10));
    let held = Amount { messages: 8192, octets: 1 << 20 };
    rig.relink(Hello { held, pending: vec![1], ..again(2, 1, 1, 0) });
    rig.welcome();
    assert_eq!(replies(&mut rig), [(1, 10)]);
}

/// [REQ-5] [REQ-6] Answers that were pushed out before they were read.
#[test]
fn an_inbox_that_has_lost_its_beginning() {
    let mut rig = Rig::open(&[]);
    rig.send(1, 1, (1..=3).map(request).collect());
    for n in 1..=3u64 {
        let long = Body { octets: 7 << 20, ..body(n as u32) };
        rig.post_body("elsewhere", body(0));
        rig.reply(producer(1), n, if n < 3 { long } else { body(3) });
    }
    for _ in 0..600 {
        rig.reply(producer(1), 3, body(33));
    }
    rig.relink(Hello { pending: vec![1, 2, 3], ..again(2, 1, 3, 0) });
    rig.welcome();
    assert_eq!((replies(&mut rig), rig.closed()), (vec![(3, 33)], None));
}

/// [REQ-7] [NODE-14] One at a time, as the transport drains.
#[test]
fn replies_wait_for_the_transport() {
    let mut rig = Rig::open(&[]);
    rig.send(1, 1, (1..=9).map(request).collect());
    for n in 1..=9u64 {
        rig.reply(producer(1), n, Body { octets: 40_000, ..body(n as u32) });
    }
    let mut written = 0;
    rig.relink(Hello { pending: (1..=9).collect(), ..again(2, 1, 9, 0) });
    // A driver that has not told yet takes everything.
    assert_eq!(replies(&mut rig).len(), 9);
    rig.node = Node::new(NodeConfig::default(), rig.now);
    rig.said.clear();
    rig.node.handle_transport(Transport::default(), rig.now);
    rig.hello(Hello { pending: (1..=9).collect(), ..again(4, 1, 9, 0) });
    let mut got = 0;
    for _ in 0..9 {
        let many = replies(&mut rig).len();
        assert!(many <= 2, "{many} at once");
        got += many;
        written += 40_000 * many as u64;
        let waits = Transport { written, taken: written - 10, waiting_other: 66_000 };
        rig.node.handle_transport(waits, rig.now);
        rig.drain();
        assert_eq!(replies(&mut rig), []);
        rig.node.handle_transport(Transport { written, taken: written, waiting_other: 0 }, rig.now);
        rig.drain();
    }
    assert_eq!(got, 9);
}

/// [SEND-22] [NODE-13] A question to the inbox that is not answered.
#[test]
fn the_inbox_is_read_again() {
    let mut rig = Rig::open(&[]);
    rig.send(1, 1, vec![request(1)]);
    rig.reply(producer(1), 1, body(10));
    rig.hooks.waits_calls = true;
    rig.node.handle_ran(1, rig.now);
    rig.drain();
    while !rig.waiting.is_empty() {
        rig.fail(false);
    }
    rig.pass(ms(250));
    rig.release_all();
    assert_eq!(replies(&mut rig), [(1, 10)]);
}
