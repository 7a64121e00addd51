//! A dial from before the network came back, or from before the machine slept, may hang until it is given up.

mod v1_client_common;

use everwire_core::session::client::*;
use v1_client_common::*;

type Back = fn(&mut Host);

const BACK: [(Back, Why); 2] = [
    (|host| host.client.handle_online(host.now), Why::Online),
    (|host| host.client.handle_wake(host.now), Why::Wake),
];

fn dialling(asking: bool) -> Host {
    let mut host = Host::new(Config::default());
    host.client.handle_connect(host.now);
    host.drain();
    if !asking {
        host.dialled();
    }
    host
}

#[test]
fn a_dial_that_hangs_is_not_waited_for_when_the_network_is_back() {
    for asking in [false, true] {
        for (back, cause) in BACK {
            let mut host = dialling(asking);
            let before = host.client.link();
            host.pass(secs(3));
            back(&mut host);
            host.drain();
            assert!(
                host.did(|action| matches!(action, Action::Reconnecting { why, .. } if *why == cause)) == 1
            );
            host.pass(ms(1));
            assert_eq!((host.client.phase(), host.client.link()), (Phase::Asking, before + 1), "at once");
            // No token was refused: the same one will do, as for any other dial.
            host.token_changed = false;
            host.dialled();
            assert_eq!((host.client.phase(), host.client.link()), (Phase::Dialling, before + 1));
        }
    }
}

#[test]
fn a_dial_that_has_just_begun_goes_on() {
    for asking in [false, true] {
        for (back, _) in BACK {
            let mut host = dialling(asking);
            let before = (host.client.phase(), host.client.link());
            host.pass(ms(2_999));
            back(&mut host);
            host.drain();
            host.pass(secs(1));
            assert_eq!((host.client.phase(), host.client.link()), before);
        }
    }
}

/// What began while the browser said that there is no network is older than the network.
#[test]
fn a_dial_that_was_begun_without_a_network_is_begun_anew_with_it() {
    for asking in [false, true] {
        let mut host = dialling(asking);
        let before = host.client.link();
        host.client.handle_offline(host.now);
        host.pass(ms(100));
        host.client.handle_online(host.now);
        host.drain();
        host.pass(ms(1));
        assert_eq!((host.client.phase(), host.client.link()), (Phase::Asking, before + 1), "at once");
        host.token_changed = false;
        host.dialled();
        assert_eq!((host.client.phase(), host.client.link()), (Phase::Dialling, before + 1));
    }
}
