//! The browser says that there is no network. It is a hint, so that it is tried all the same, but seldom: a dial that cannot
//! succeed may hang, and in some browsers its failure holds back the next. [AWAY-11]

mod v1_client_common;

use everwire_core::session::client::*;
use v1_client_common::*;

fn offline() -> Host {
    let mut host = Host::open();
    host.client.handle_offline(host.now);
    host.drain();
    host
}

fn assert_waits_long(host: &Host) {
    assert_eq!(host.client.phase(), Phase::Waiting);
    let wait = host.until_deadline();
    assert!(wait >= secs(15) && wait < secs(30), "{wait:?}");
}

#[test]
fn a_link_that_is_lost_without_a_network_is_dialled_after_15_to_30_seconds() {
    let mut host = offline();
    host.close(1006);
    assert_waits_long(&host);
    // By its own verdict as well, which otherwise dials at once.
    let mut host = offline();
    while host.client.phase() != Phase::Waiting {
        host.sleep_to_deadline();
    }
    assert_waits_long(&host);
    let wait = host.until_deadline();
    host.pass(wait);
    assert_eq!(host.client.phase(), Phase::Asking);
}

#[test]
fn its_return_dials_at_once() {
    let mut host = offline();
    while host.client.phase() != Phase::Waiting {
        host.sleep_to_deadline();
    }
    host.client.handle_online(host.now);
    host.drain();
    assert_eq!(host.client.phase(), Phase::Asking);
}

#[test]
fn a_wait_that_runs_becomes_a_long_one() {
    let mut host = Host::open();
    host.close(4004);
    assert!(host.until_deadline() < secs(1));
    host.client.handle_offline(host.now);
    host.drain();
    assert_waits_long(&host);
}

/// The server has asked for more than 30 s. [AWAY-12]
#[test]
fn what_the_server_asked_for_is_kept() {
    let mut host = Host::open();
    host.close_with(4000, "window=600000");
    let (phase, due) = (host.client.phase(), host.client.next_deadline());
    assert!(host.until_deadline() > secs(31));
    host.client.handle_offline(host.now);
    host.drain();
    assert_eq!((host.client.phase(), host.client.next_deadline()), (phase, due));
}
