//! What a page goes through: looked at or not, put away and brought back.

mod common;

use common::*;
use everwire_core::{Closed, Config, Phase};

fn open(rests_hidden: bool) -> Harness {
    Harness::open(Config { rests_hidden, ..Config::default() })
}

fn lose(harness: &mut Harness) {
    let link = harness.client.link();
    harness.client.handle_link_closed(link, Closed { code: 1006, clean: false }, harness.now);
    harness.drain();
}

#[test]
fn a_hidden_phone_waits_until_it_is_looked_at() {
    let mut harness = open(true);
    harness.client.handle_visible(false, harness.now);
    lose(&mut harness);
    harness.pass(secs(600));
    assert_eq!((harness.client.phase(), harness.client.next_deadline()), (Phase::Waiting, None));
    harness.client.handle_visible(true, harness.now);
    harness.drain();
    assert_eq!(harness.client.phase(), Phase::Asking, "at once");
}

/// What the page goes through while nobody looks at it.
const UNSEEN: [fn(&mut Harness); 5] = [
    |harness| harness.client.handle_online(harness.now),
    |harness| harness.client.handle_wake(harness.now),
    |harness| harness.client.handle_network_changed(harness.now),
    |harness| harness.client.handle_visible(false, harness.now),
    |harness| {
        harness.client.handle_suspend(harness.now);
        harness.client.handle_resume(false, harness.now);
    },
];

#[test]
fn nothing_makes_a_hidden_phone_dial_but_a_look_and_the_application() {
    for (at, passes) in UNSEEN.iter().enumerate() {
        for wished in [false, true] {
            let mut harness = open(true);
            harness.client.handle_visible(false, harness.now);
            lose(&mut harness);
            passes(&mut harness);
            harness.drain();
            assert_eq!(harness.client.phase(), Phase::Waiting, "{at}, before the wait is over");
            harness.pass(secs(600));
            passes(&mut harness);
            harness.drain();
            assert_eq!(
                (harness.client.phase(), harness.client.next_deadline()),
                (Phase::Waiting, None),
                "{at}"
            );
            if wished {
                harness.client.handle_reconnect(harness.now);
            } else {
                harness.client.handle_visible(true, harness.now);
            }
            harness.drain();
            assert_eq!(harness.client.phase(), Phase::Asking, "{at}, at once");
        }
    }
}

#[test]
fn a_phone_that_is_back_and_looked_at_dials() {
    let mut harness = open(true);
    harness.client.handle_visible(false, harness.now);
    harness.client.handle_suspend(harness.now);
    harness.client.handle_resume(true, harness.now);
    harness.drain();
    assert_eq!(harness.client.phase(), Phase::Asking);
}

#[test]
fn elsewhere_a_hidden_page_dials() {
    let mut harness = open(false);
    harness.client.handle_visible(false, harness.now);
    lose(&mut harness);
    harness.pass(secs(5));
    assert_eq!(harness.client.phase(), Phase::Asking);
}

#[test]
fn a_page_that_is_put_away_has_no_deadline_and_dials_when_it_is_back() {
    let mut harness = open(false);
    harness.client.handle_suspend(harness.now);
    harness.drain();
    assert_eq!((harness.client.phase(), harness.client.next_deadline()), (Phase::Waiting, None));
    harness.client.handle_resume(true, harness.now + secs(1_000));
    harness.drain();
    assert_eq!(harness.client.phase(), Phase::Asking);
}
