//! A phone lets the socket of a hidden page stall: it is dialled when the page is looked at. Everything else that a page goes
//! through changes nothing.

mod v1_client_common;

use everwire_core::session::client::*;
use v1_client_common::*;

/// What the page goes through while nobody looks at it.
const UNSEEN: [fn(&mut Host); 5] = [
    |host| host.client.handle_online(host.now),
    |host| host.client.handle_wake(host.now),
    |host| host.client.handle_network_changed(host.now),
    |host| host.client.handle_visible(false, host.now),
    |host| {
        host.client.handle_suspend(host.now);
        host.drain();
        host.client.handle_resume(false, host.now);
    },
];

fn lost(rests_hidden: bool) -> Host {
    let mut host = Host::open_with(Config { rests_hidden, ..Config::default() });
    host.client.handle_visible(false, host.now);
    host.drain();
    host.close(1006);
    host
}

#[test]
fn nothing_makes_a_hidden_phone_dial_but_a_look_and_the_application() {
    for (at, passes) in UNSEEN.iter().enumerate() {
        for wished in [false, true] {
            let mut host = lost(true);
            passes(&mut host);
            host.drain();
            assert_eq!(host.client.phase(), Phase::Waiting, "{at}, before the wait is over");
            host.pass(secs(600));
            passes(&mut host);
            host.drain();
            assert_eq!(host.client.phase(), Phase::Waiting, "{at}");
            host.pass(secs(600));
            assert_eq!((host.client.phase(), host.client.next_deadline()), (Phase::Waiting, None), "{at}");
            if wished {
                host.client.handle_reconnect(host.now);
            } else {
                host.client.handle_visible(true, host.now);
            }
            host.drain();
            assert_eq!(host.client.phase(), Phase::Asking, "{at}, at once");
        }
    }
}

#[test]
fn elsewhere_a_hidden_page_dials() {
    let mut host = lost(false);
    host.client.handle_online(host.now);
    host.drain();
    assert_eq!(host.client.phase(), Phase::Asking);
    let mut host = lost(false);
    host.client.handle_suspend(host.now);
    host.drain();
    host.client.handle_resume(false, host.now);
    host.drain();
    assert_eq!(host.client.phase(), Phase::Asking);
}

/// The user goes back and forth. [AWAY-11]
#[test]
fn each_return_to_the_page_dials_at_once_within_the_budget() {
    let mut host = Host::open();
    let mut at_once = 0;
    for _ in 0..12 {
        host.client.handle_suspend(host.now);
        host.drain();
        host.client.handle_resume(true, host.now);
        host.drain();
        at_once += u32::from(host.client.phase() == Phase::Asking);
        if host.client.phase() == Phase::Waiting {
            assert!(host.until_deadline() < secs(1));
            host.sleep_to_deadline();
        }
        host.dial();
        host.welcome("{}");
        host.take();
    }
    assert_eq!(at_once, 10);
}

#[test]
fn a_phone_that_is_back_and_looked_at_dials() {
    let mut host = lost(true);
    host.client.handle_suspend(host.now);
    host.drain();
    host.client.handle_resume(true, host.now);
    host.drain();
    assert_eq!(host.client.phase(), Phase::Asking);
}
