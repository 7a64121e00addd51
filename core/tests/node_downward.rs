//! Downwards: pushes, advances, the window, and what the log has lost in mid-link.
mod node_common;

use everwire_core::engine::*;
use everwire_core::session::Hello;
use everwire_core::session::down::{Amount, Loss};
use everwire_core::session::node::*;
use node_common::*;

fn long(octets: u64) -> Body {
    Body { octets, ..body(1) }
}

/// [POS-1] [POS-8] [POS-9] [POS-16] [POS-19] [TIME-22] [NODE-12] [ROOM-6]
#[test]
fn everything_of_the_filter_is_pushed_in_order() {
    let mut rig = Rig::open(&["room_a"]);
    rig.post("room_b");
    rig.post("room_a");
    rig.post("room_b");
    rig.texts(1, 1, 1);
    rig.post(OWN);
    assert_eq!(rig.pushes(), [(0, 2, vec![2]), (2, 4, vec![4]), (4, 5, vec![5])]);
    // Whatever `vis` says. [VIS-2]
    rig.line("vis 0");
    rig.post("room_a");
    assert_eq!(rig.pushes(), [(5, 6, vec![6])]);
}

/// [POS-12] [TIME-6] [POS-10]
#[test]
fn an_advance_now_and_then() {
    let mut rig = Rig::open(&[]);
    let begun = rig.now;
    let mut advances = 0;
    for nth in 1..=600u64 {
        rig.post("elsewhere");
        rig.pass(ms(100));
        rig.line("vis 1");
        for (after, upto, messages) in rig.pushes() {
            assert!(messages.is_empty() && after < upto && upto <= nth);
            advances += 1;
        }
    }
    assert!((2..=3).contains(&advances), "{advances} in {:?}", rig.now.since(begun));
    rig.pass(secs(30));
    rig.line("vis 1");
    assert_eq!(rig.pushes().last().map(|push| push.1), Some(600));
}

/// [CRED-9] [CRED-10] [POS-11] [POS-18] [LIM-9] [SEND-25]
#[test]
fn the_window_shuts_and_opens() {
    let mut rig = Rig::open(&["room_a"]);
    // Six frames, of which each counts 262,144 at most: the fifth may not begin.
    for _ in 0..6 {
        rig.post_body("room_a", long(300_000));
    }
    assert_eq!(rig.pushes(), [(0, 1, vec![1]), (1, 2, vec![2]), (2, 3, vec![3]), (3, 4, vec![4])]);
    rig.calls.clear();
    rig.post("room_a");
    assert!(rig.calls.is_empty(), "it would read the same again");
    rig.line("seen 1 1 262144");
    assert_eq!(rig.pushes(), [(4, 5, vec![5])]);
    rig.line("seen 5 5 1310720");
    assert_eq!(rig.pushes(), [(5, 6, vec![6]), (6, 7, vec![7])]);
}

/// [CRED-9] [CRED-10] [KEEP-3] [LIM-8] What earlier links have pushed counts.
#[test]
fn held_counts_against_the_window() {
    let mut rig = Rig::new();
    let held = Amount { messages: 8_190, octets: 0 };
    rig.hello(Hello { held, rooms: vec![wished("room_a", None)], ..hello() });
    rig.take();
    for _ in 0..4 {
        rig.post("room_a");
    }
    assert_eq!(rig.pushes().len(), 2);
    rig.line("seen 0 1 0");
    assert_eq!(rig.pushes(), [(2, 3, vec![3])]);
}

/// [CRED-16] [ERR-16] [NUM-3]
#[test]
fn totals_of_seen_neither_fall_nor_exceed() {
    let pushed = || {
        let mut rig = Rig::open(&["room_a"]);
        rig.post("room_a");
        rig.post("room_a");
        rig.line("seen 1 1 12");
        assert_eq!(rig.closed(), None);
        rig
    };
    for head in [
        "seen 0 1 12",
        "seen 3 1 12",
        "seen 1 0 12",
        "seen 1 3 12",
        "seen 1 1 11",
        "seen 1 1 25",
        "bye 0",
        "bye 3",
    ] {
        let mut rig = pushed();
        rig.line(head);
        assert_eq!(rig.closed(), Some((4002, "CRED-16")), "{head}");
    }
    let mut rig = pushed();
    rig.line("seen 2 2 24");
    assert_eq!(rig.closed(), None);
}

/// [LOST-1] [LOST-3] [LOST-6] [LOST-2] Trimming overtakes a slow link.
#[test]
fn a_loss_in_mid_link() {
    let memory = MemoryConfig { messages_max: 3, ..MemoryConfig::default() };
    let mut rig = Rig::with(NodeConfig::default(), memory);
    let held = Amount { messages: 8_192, octets: 0 };
    rig.hello(Hello { held, rooms: vec![wished("room_a", None), wished("room_b", None)], ..hello() });
    rig.take();
    for _ in 0..3 {
        rig.post("room_a");
        rig.post("room_a");
        rig.post("room_b");
    }
    assert_eq!(rig.frames(), []);
    rig.line("seen 0 8192 0");
    let mut frames = rig.frames().into_iter();
    let loss = Loss { subjects: vec!["room_a".into(), "room_b".into()], first: 10 };
    assert_eq!(frames.next(), Some(NodeFrame::Lost { epoch: "e0".into(), loss }));
    rig.post("room_b");
    rig.said.extend(frames.map(Said::Frame));
    assert_eq!(rig.pushes(), [(0, 10, vec![10])]);
}

/// [ENG-31] [EPOCH-6] A replica that lags, in mid-link.
#[test]
fn a_tail_that_is_behind() {
    let lagging = || {
        let mut rig = Rig::open(&["room_a"]);
        rig.hooks.waits_calls = true;
        rig.wake();
        rig
    };
    let lag = |rig: &mut Rig| {
        let Some(NodeAction::Call { id, call: Call::Tail { cursor, .. } }) = rig.waiting.pop_front() else {
            panic!()
        };
        let answer = Answer::Tail(Ok((Tailed::Behind { head: 0 }, cursor)));
        rig.node.handle_answer(id, answer, rig.now);
        rig.drain();
    };
    let mut rig = lagging();
    lag(&mut rig);
    rig.hooks.waits_calls = false;
    rig.post("room_a");
    assert_eq!(rig.pushes(), [], "it is left alone for a while");
    rig.pass(ms(250));
    assert_eq!(rig.pushes(), [(0, 1, vec![1])]);
    rig.pass(secs(6));
    assert_eq!(rig.closed(), None);

    let mut rig = lagging();
    for _ in 0..19 {
        lag(&mut rig);
        rig.pass(ms(250));
        assert_eq!(rig.closed(), None);
    }
    lag(&mut rig);
    rig.pass(ms(250));
    assert_eq!(rig.closed(), Some((4004, "EPOCH-6")));
}

/// [NODE-4] [ENG-5] A look that is not answered is made again, from where the link stands.
#[test]
fn a_lost_tail_begins_where_the_link_stands() {
    let mut rig = Rig::open(&["room_a"]);
    rig.hooks.waits_calls = true;
    rig.post("room_a");
    rig.fail(false);
    rig.pass(ms(250));
    rig.release();
    assert_eq!(rig.pushes(), [(0, 1, vec![1])]);
    // Not answered at all.
    rig.post("room_a");
    rig.waiting.clear();
    rig.pass(secs(10));
    rig.release();
    assert_eq!(rig.pushes(), [(1, 2, vec![2])]);
}

/// [LIM-23] [CODE-4000] A message that is longer than what this link was told.
#[test]
fn a_limit_that_was_raised_since() {
    let mut rig = Rig::open(&["room_a"]);
    rig.post_body("room_a", long((1 << 20) + 1024));
    assert_eq!(rig.closed(), None);
    rig.line("seen 1 1 262144");
    rig.take();
    rig.post_body("room_a", long((1 << 20) + 1025));
    assert_eq!(rig.take(), [Said::Close(4000, "LIM-23".into())]);
}
