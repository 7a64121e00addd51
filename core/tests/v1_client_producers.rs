//! Producers: secrets that the host draws, each for one wire.

mod v1_client_common;

use std::collections::BTreeSet;

use everwire_core::engine::Producer;
use everwire_core::session::Client;
use everwire_core::session::client::*;
use v1_client_common::*;

/// What a `hello` says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    producer: Producer,
    successor: Option<Producer>,
    /// The server has taken the spare since the last one.
    succeeded: bool,
}

fn named(actions: &[Action]) -> Vec<Named> {
    let mut taken = false;
    let mut all = Vec::new();
    for action in actions {
        match action {
            Action::Opened(opened) => taken |= opened.succeeded,
            Action::Write { frame: Outbound::Hello(hello), .. } => {
                let (producer, successor) = (hello.producer, hello.successor);
                all.push(Named { producer, successor, succeeded: core::mem::take(&mut taken) });
            }
            _ => {}
        }
    }
    all
}

/// Every way in which a wire comes to another producer, twice and with deaths of its instance in between. Draws are given
/// from a list of this wire's own, and what was given is told with what was used.
fn story(seed: u64, first: u64) -> (BTreeSet<Producer>, Vec<Named>) {
    let mut host = Host::new(Config::default());
    host.client = Client::new(host.config, seed, producer(first));
    host.record = Record::new(producer(first));
    let mut given = BTreeSet::from([producer(first)]);
    let mut drawn = first;
    let mut all = Vec::new();
    let mut dial = |host: &mut Host| {
        while host.client.phase() == Phase::Waiting {
            host.sleep_to_deadline();
        }
        let fresh = [drawn + 1, drawn + 2, drawn + 3].map(producer);
        drawn += 3;
        assert!(fresh.iter().all(|fresh| given.insert(*fresh)));
        host.client.handle_dialled(host.client.link(), false, fresh, host.now);
        host.drain();
        host.opens();
        all.append(&mut host.done);
    };
    let unknown = r#"{"producer":"successor","mark":0,"credit":8192,"born":LINK}"#;
    host.client.handle_connect(host.now);
    host.drain();
    let mut ticket = 0;
    for round in 0..2 {
        let mut write = |host: &mut Host| {
            ticket += 1;
            host.send(ticket..=ticket);
        };
        dial(&mut host);
        host.welcome("{}");
        write(&mut host);
        // A spare that is not needed stays the spare.
        for _ in 0..2 {
            host.close(1006);
            dial(&mut host);
            host.welcome("{}");
        }
        // The server has forgotten the producer and takes the spare.
        host.close(1006);
        dial(&mut host);
        host.welcome(&unknown.replace("LINK", &host.client.link().to_string()));
        write(&mut host);
        host.close(1006);
        host.crash();
        host.drain();
        dial(&mut host);
        host.welcome("{}");
        // It is fenced.
        host.close(4005);
        if round == 0 {
            host.crash();
            host.drain();
        }
        dial(&mut host);
        host.welcome("{}");
        write(&mut host);
        // It is told of a mark that it cannot have.
        host.close(1006);
        dial(&mut host);
        host.welcome(r#"{"mark":7,"credit":9000}"#);
        assert_ne!(host.client.phase(), Phase::Open);
        dial(&mut host);
        host.welcome("{}");
        write(&mut host);
        host.close(1006);
    }
    dial(&mut host);
    all.append(&mut host.done);
    (given, named(&all))
}

/// [HELLO-4] All that a client uses was handed in by its host, and what it has done with it uses once: under none that was
/// replaced does it greet or keep a spare again. The core has no generator for secrets: the seed, which spreads delays,
/// changes nothing.
#[test]
fn producers_are_the_hosts_and_used_for_one_life() {
    let (given, hellos) = story(1, 1_000);
    assert!(hellos.len() > 12);
    let (mut finished, mut known) = (BTreeSet::new(), BTreeSet::new());
    let (mut promoted, mut drawn) = (0, 0);
    for pair in hellos.windows(2) {
        let [before, after] = pair else { panic!() };
        known.extend([Some(before.producer), before.successor].into_iter().flatten());
        for named in [Some(after.producer), after.successor].into_iter().flatten() {
            assert!(given.contains(&named), "{named:?} is nobody's");
            assert!(!finished.contains(&named), "{named:?} again");
        }
        assert_ne!(Some(after.producer), after.successor);
        if after.succeeded {
            promoted += 1;
            assert_eq!(Some(after.producer), before.successor);
            finished.insert(before.producer);
        } else if after.producer != before.producer {
            drawn += 1;
            assert!(!known.contains(&after.producer), "the server has heard of it: {:?}", after.producer);
            finished.insert(before.producer);
            finished.extend(before.successor);
        } else if before.successor.is_some() {
            assert_eq!(before.successor, after.successor, "the spare is on record");
        }
    }
    assert_eq!((promoted, drawn), (2, 4));
    for seed in [2, 3, u64::MAX] {
        assert_eq!(story(seed, 1_000).1, hellos);
    }
    // Another wire's draws are its own, and nothing passes from one to the other.
    let (others, of_other) = story(1, 9_000);
    assert!(
        of_other.iter().all(|named| others.contains(&named.producer) && !given.contains(&named.producer))
    );
}
