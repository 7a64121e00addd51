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
    harness.client.handle_resume(harness.now + secs(1_000));
    harness.drain();
    assert_eq!(harness.client.phase(), Phase::Asking);
}
