//! A dial from before the network came back, or from before the machine slept, may hang until it is given up: what it sent is
//! lost, and what is sent again comes ever more rarely.

mod common;

use common::*;
use everwire_core::{Action, Cause, Config, Phase};

fn dialling(asking: bool) -> Harness {
    let mut harness = Harness::new(Config::default());
    harness.client.handle_connect(harness.now);
    harness.drain();
    if !asking {
        harness.client.handle_dialled(harness.client.link(), true, harness.now);
        harness.drain();
    }
    harness
}

type Back = fn(&mut Harness);

const BACK: [(Back, Cause); 2] = [
    (|harness| harness.client.handle_online(harness.now), Cause::Online),
    (|harness| harness.client.handle_wake(harness.now), Cause::Wake),
];

#[test]
fn a_dial_that_hangs_is_not_waited_for_when_the_network_is_back() {
    for asking in [false, true] {
        for (back, cause) in BACK {
            let mut harness = dialling(asking);
            let before = harness.client.link();
            harness.pass(secs(3));
            back(&mut harness);
            harness.drain();
            assert!(harness.log.iter().any(|(_, action)| *action == Action::DropLink { link: before }));
            let told = harness.log.iter().rev().find_map(|(_, action)| match action {
                Action::Reconnecting { cause, .. } => Some(*cause),
                _ => None,
            });
            assert_eq!(told, Some(cause));
            harness.pass(ms(1));
            assert_eq!(
                (harness.client.phase(), harness.client.link()),
                (Phase::Asking, before + 1),
                "at once"
            );
        }
    }
}

#[test]
fn a_dial_that_has_just_begun_goes_on() {
    for asking in [false, true] {
        for (back, _) in BACK {
            let mut harness = dialling(asking);
            let before = (harness.client.phase(), harness.client.link());
            harness.pass(ms(2_999));
            back(&mut harness);
            harness.pass(secs(1));
            assert_eq!((harness.client.phase(), harness.client.link()), before);
        }
    }
}

/// A page that flaps between online and offline gives up a dial every three seconds as long as the budget lasts.
#[test]
fn flapping_costs_the_budget() {
    let mut harness = dialling(false);
    let mut at_once = 0;
    for _ in 0..20 {
        harness.pass(secs(3));
        harness.client.handle_online(harness.now);
        harness.drain();
        harness.pass(ms(1));
        at_once += u32::from(harness.client.phase() == Phase::Asking);
        while harness.client.phase() == Phase::Waiting {
            harness.pass(ms(100));
        }
        harness.client.handle_dialled(harness.client.link(), true, harness.now);
        harness.drain();
    }
    assert_eq!(at_once, 10);
}

/// What began while the browser said that there is no network is older than the network.
#[test]
fn a_dial_that_was_begun_without_a_network_is_begun_anew_with_it() {
    for asking in [false, true] {
        let mut harness = dialling(asking);
        let before = harness.client.link();
        harness.client.handle_offline(harness.now);
        harness.pass(ms(100));
        harness.client.handle_online(harness.now);
        harness.drain();
        harness.pass(ms(1));
        assert_eq!((harness.client.phase(), harness.client.link()), (Phase::Asking, before + 1), "at once");
    }
}
