//! Each known bug of a node does what its name says, and would be seen.
#![cfg(feature = "mutants")]
mod node_common;

use everwire_core::engine::*;
use everwire_core::mutant::{Mutant, switch};
use everwire_core::session::Hello;
use everwire_core::session::down::Amount;
use everwire_core::session::node::*;
use node_common::*;

/// What this does with the bug, and without.
fn differs<T: PartialEq + core::fmt::Debug>(mutant: Mutant, right: T, act: impl Fn() -> T) {
    assert_eq!(act(), right, "without it");
    switch(Some(mutant));
    let wrong = act();
    switch(None);
    assert_ne!(wrong, right, "{}", mutant.name());
    assert_eq!(act(), right, "and without it again");
}

#[test]
fn ack_before_append() {
    differs(Mutant::AckBeforeAppend, 0, || {
        let mut rig = Rig::open(&[]);
        rig.hooks.waits_writes = true;
        rig.texts(1, 3, 1);
        rig.pass(ms(10));
        rig.acks().len()
    });
}

#[test]
fn refusal_unrecorded() {
    differs(Mutant::RefusalUnrecorded, (0, 0), || {
        let mut rig = Rig::open(&[]);
        rig.hooks.waits_writes = true;
        rig.send(1, 1, vec![Element { bytes: 10, kind: ElementKind::Malformed }]);
        rig.pass(ms(10));
        let told = rig.acks().len();
        rig.relink(again(2, 1, 1, 0));
        (told, rig.welcome().refused.len())
    });
}

#[test]
fn refusal_blocks() {
    differs(Mutant::RefusalBlocks, vec![2], || {
        let mut rig = Rig::open(&[]);
        rig.send(1, 1, vec![Element { bytes: 10, kind: ElementKind::Malformed }, message("room_a", 2)]);
        rig.pass(secs(20));
        rig.log("room_a")
    });
}

#[test]
fn server_cursor() {
    differs(Mutant::ServerCursor, 0, || {
        let mut rig = Rig::open(&["room_a"]);
        rig.post("room_a");
        rig.relink(Hello { rooms: vec![wished("room_a", Some(0))], ..again(2, 1, 0, 0) });
        rig.welcome().position
    });
}

#[test]
fn upto_computed() {
    differs(Mutant::UptoComputed, vec![(0, 1, vec![1]), (1, 2, vec![2])], || {
        let mut rig = Rig::open(&["room_a"]);
        rig.hooks.waits_calls = true;
        rig.wake();
        rig.release_all();
        rig.post("room_a");
        let first = rig.waiting.pop_front().unwrap();
        rig.hooks.waits_calls = false;
        rig.answer(first);
        rig.drain();
        rig.post("room_a");
        rig.pushes()
    });
}

#[test]
fn history_before_attach() {
    differs(Mutant::HistoryBeforeAttach, vec![(0, 1, vec![1])], || {
        let mut rig = Rig::open(&[]);
        rig.hooks.waits_calls = true;
        rig.line("join room_a");
        rig.release();
        // It is joined; what is stored before the node looks is its own.
        rig.post("room_a");
        rig.hooks.waits_calls = false;
        rig.release_all();
        rig.pushes()
    });
}

#[test]
fn no_from() {
    differs(Mutant::NoFrom, 1, || {
        let mut rig = Rig::open(&[]);
        rig.post("room_a");
        rig.relink(Hello { rooms: vec![wished("room_a", None)], ..again(2, 1, 0, 0) });
        rig.post("room_a");
        rig.pushes().iter().map(|push| push.2.len()).sum::<usize>()
    });
}

#[test]
fn answers_behind_credit() {
    differs(Mutant::AnswersBehindCredit, 1, || {
        let mut rig = Rig::open(&[]);
        rig.send(1, 1, vec![request(1)]);
        rig.reply(producer(1), 1, body(10));
        let held = Amount { messages: 8192, octets: 0 };
        rig.relink(Hello { held, pending: vec![1], ..again(2, 1, 1, 0) });
        rig.welcome();
        rig.frames().len()
    });
}

#[test]
fn dedupe_per_node() {
    differs(Mutant::DedupePerNode, 5, || {
        let at = |process| NodeConfig { process, ..NodeConfig::default() };
        let mut rig = Rig::with(at(1), MemoryConfig::default());
        rig.hello(hello());
        rig.texts(1, 2, 1);
        rig.relink_with(at(2), again(2, 1, 2, 0));
        rig.texts(3, 3, 1);
        rig.relink_with(at(1), again(3, 1, 5, 0));
        rig.welcome().mark
    });
}
