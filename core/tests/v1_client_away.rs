//! Chapter 15: sent away, and coming back.

mod v1_client_common;

use std::collections::BTreeSet;

use everwire_core::session::Client;
use everwire_core::session::client::*;
use everwire_core::{Duration, State};
use v1_client_common::*;

fn seeded(seed: u64) -> Host {
    let mut host = Host::new(Config::default());
    host.client = Client::new(host.config, seed, producer(1));
    host.connect();
    host.welcome("{}");
    // It has lived, so that nothing counts as a failed try.
    host.pass(secs(10));
    host.take();
    host
}

fn goaway(leave_in: u64, window: u64) -> String {
    format!("goaway {leave_in} {window}\n{{\"reason\":\"deploy\"}}")
}

/// Waits until the link is left; how long that took, and how long until the dial from the beginning.
fn left_and_dialled(host: &mut Host) -> (Duration, Duration) {
    let began = host.now;
    while host.client.phase() == Phase::Leaving {
        host.sleep_to_deadline();
    }
    let left = host.now.since(began);
    (left, left + host.wait())
}

/// What a try after another waits, if each dial fails before it opens.
fn rounds(host: &mut Host, many: usize) -> Vec<u64> {
    (0..many)
        .map(|_| {
            while host.client.phase() == Phase::Waiting {
                host.sleep_to_deadline();
            }
            let due = host.now;
            host.dialled();
            host.close(1006);
            (due + host.wait()).since(due).as_micros() / 1_000
        })
        .collect()
}

/// [AWAY-2] [AWAY-1]
#[test]
fn a_goaway_is_left_at_min_and_dialled_at_phi() {
    let mut phis = Vec::new();
    for seed in 0..60 {
        let mut host = seeded(seed);
        host.frame(&goaway(5_000, 40_000));
        assert_eq!((host.client.phase(), host.state()), (Phase::Leaving, State::Open));
        // Until then it works as before.
        host.frame("push 0 1 1\n[{\"type\":\"t\"}]");
        assert_eq!(host.numbers(), [1]);
        let (left, phi) = left_and_dialled(&mut host);
        assert!(phi < secs(40));
        assert_eq!(left, phi.min(secs(5)));
        assert_eq!(host.wire.last().unwrap(), "bye 0");
        assert_eq!(host.close_code().unwrap().code, 1000);
        phis.push(phi);
    }
    assert!(phis.iter().max() > Some(&secs(35)) && phis.iter().min() < Some(&secs(5)));
    // A window of 0 is one of a second, and 10 min the longest.
    for (window, most) in [(0, 1_000), (999, 1_000), (9_007_199_254_740_991, 600_000)] {
        let mut longest = Duration::ZERO;
        for seed in 0..40 {
            let mut host = seeded(seed);
            host.frame(&goaway(0, window));
            let (left, phi) = left_and_dialled(&mut host);
            assert_eq!(left, Duration::ZERO);
            longest = longest.max(phi);
        }
        assert!(longest < ms(most) && longest > ms(most / 2), "{window}: {longest:?}");
    }
}

/// [AWAY-3]
#[test]
fn no_numbers_are_given_just_before_it_leaves() {
    let mut host = (0..).map(seeded).find_map(|mut host| {
        host.frame(&goaway(8_000, 600_000));
        (host.until_deadline() == secs(8)).then_some(host)
    });
    let host = host.as_mut().unwrap();
    host.pass(ms(5_999));
    host.send(1..=1);
    assert_eq!(host.take(), ["send 1 1 1 [1]"]);
    host.frame("ack 1 9000");
    host.pass(ms(1));
    host.send(2..=2);
    assert!(host.wire.is_empty());
    host.pass(secs(2));
    assert_eq!(host.take(), ["bye 0"]);
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 2 1 2 [2]"]);
}

/// A second one on a link is ignored. [ERR-26] [AWAY-9]
#[test]
fn a_second_goaway_changes_nothing() {
    let mut host = seeded(3);
    host.frame(&goaway(600_000, 600_000));
    let due = host.client.next_deadline();
    host.frame(&goaway(0, 1_000));
    assert_eq!(host.client.next_deadline(), due);
    // 4000 comes when the time is up: the phase that runs says when to dial. [CODE-4000]
    host.close(4000);
    assert!(host.wait() > secs(10), "{:?}", host.wait());
}

/// W, then W, 2·W, 4·W, each at most max(W, 30 s). [AWAY-4]
#[test]
fn later_tries_keep_their_place() {
    for (window, expected) in [
        (40_000, vec![40_000, 40_000, 40_000]),
        (10_000, vec![10_000, 10_000, 20_000, 30_000, 30_000]),
        (1_000, vec![1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]),
    ] {
        let mut host = seeded(5);
        host.frame(&goaway(0, window));
        left_and_dialled(&mut host);
        assert_eq!(rounds(&mut host, expected.len()), expected);
    }
    // A due time that passes while a dial is under way is skipped.
    let mut host = seeded(5);
    host.frame(&goaway(0, 10_000));
    left_and_dialled(&mut host);
    while host.client.phase() == Phase::Waiting {
        host.sleep_to_deadline();
    }
    host.dialled();
    host.now = host.now + secs(15);
    host.close(1006);
    assert_eq!(host.wait(), secs(5));
}

/// [AWAY-5] [AWAY-6]
#[test]
fn a_window_in_a_close_reason() {
    let waits = |code: u16, reason: &str| {
        let one = |seed| {
            let mut host = seeded(seed);
            host.close_with(code, reason);
            host.wait()
        };
        (0..40).map(one).max().unwrap()
    };
    for code in [1000, 1001, 1006, 1011, 4000, 4004, 4006, 4010] {
        let longest = waits(code, "deploy window=300000");
        assert!(longest > secs(200) && longest < secs(300), "{code}: {longest:?}");
    }
    // Clamped, and only at the end of the reason.
    assert!(waits(4004, "window=1") < secs(1));
    assert!(waits(4004, "window=999999") > secs(500) && waits(4004, "window=999999") < secs(600));
    assert!(waits(4004, "window=300000 or so") < secs(1));
    // None with 44xx: that is another matter.
    let mut host = Host::open_with(Config { has_token: true, ..Config::default() });
    host.pass(secs(10));
    host.close_with(4401, "window=300000");
    assert!(host.wait() < secs(31));
}

/// A phase with half the W runs on; a much wider one begins anew. [AWAY-5]
#[test]
fn phases_do_not_begin_for_ever() {
    let phi = |reason: &str| {
        let mut host = seeded(9);
        host.frame(&goaway(600_000, 100_000));
        let first = host.client.record().standing;
        host.close_with(4000, reason);
        let _ = first;
        host.wait()
    };
    assert_eq!(phi("window=200000"), phi(""));
    assert_eq!(phi("window=1000"), phi(""));
    assert_ne!(phi("window=200001"), phi(""));
}

/// [AWAY-5]
#[test]
fn an_advertised_window_spreads_those_that_a_server_drops() {
    let waits = |code: u16, window: u64| {
        let one = |seed| {
            let mut host = seeded(seed);
            host.relink();
            host.welcome(&format!(r#"{{"window":{window}}}"#));
            host.pass(secs(20));
            host.close(code);
            host.wait()
        };
        (0..40).map(one).max().unwrap()
    };
    for code in [1001, 1012, 1013, 4006] {
        let longest = waits(code, 20_000);
        assert!(longest > secs(15) && longest < secs(20), "{code}: {longest:?}");
        // Capped at 30 s; none if it is 0.
        let longest = waits(code, 600_000);
        assert!(longest > secs(25) && longest < secs(30), "{code}: {longest:?}");
        assert!(waits(code, 0) < secs(1));
    }
    assert!(waits(4004, 20_000) < secs(1));

    // A dial that fails, unless the link before ended by something on this side.
    let failed = |end: &dyn Fn(&mut Host)| {
        let one = |seed| {
            let mut host = seeded(seed);
            host.relink();
            host.welcome(r#"{"window":20000}"#);
            host.pass(secs(20));
            end(&mut host);
            while host.client.phase() == Phase::Waiting {
                host.sleep_to_deadline();
            }
            host.dialled();
            host.close(1006);
            host.wait()
        };
        (0..40).map(one).max().unwrap()
    };
    assert!(failed(&|host| host.close(1006)) > secs(15));
    assert!(
        failed(&|host| {
            host.client.handle_wake(host.now);
            host.drain();
            host.pass(secs(2));
        }) < secs(15)
    );
}

/// [AWAY-7]
#[test]
fn a_welcome_ends_the_phase_and_ten_seconds_reset_the_backoff() {
    // A chain of goaways is no tight loop.
    let mut host = seeded(1);
    let began = host.now;
    let mut links = 0;
    for _ in 0..8 {
        host.frame(&goaway(0, 1_000));
        while host.client.phase() == Phase::Leaving {
            host.sleep_to_deadline();
        }
        host.redial();
        host.welcome("{}");
        links += 1;
    }
    assert!(host.now.since(began) > secs(15), "{links} links in {:?}", host.now.since(began));
    // After 10 s it is forgotten.
    host.pass(secs(10));
    host.close(4004);
    assert!(host.wait() < secs(1));
}

/// Whether each of the two dials behind a `goaway` with this url goes there.
fn dials_redirected(url: &str) -> Vec<bool> {
    let mut host = seeded(1);
    host.frame(&format!("goaway 0 1000\n{{\"reason\":\"r\",\"url\":{url}}}"));
    host.take();
    left_and_dialled(&mut host);
    let mut redirected = Vec::new();
    for _ in 0..2 {
        while host.client.phase() == Phase::Waiting {
            host.sleep_to_deadline();
        }
        let dials = |action: &Action| match action {
            Action::Dial { redirected, .. } => Some(*redirected),
            _ => None,
        };
        redirected.extend(host.done.iter().filter_map(dials));
        host.take();
        host.dialled();
        host.close(1006);
    }
    redirected
}

/// [AWAY-8] [SEC-10]
#[test]
fn a_url_is_used_for_the_dial_at_phi_alone() {
    for url in [r#""wss://other.example/""#, r#""wss://good.example/elsewhere""#] {
        assert_eq!(dials_redirected(url), [true, false], "{url}");
    }
    // It will see the token: anything else is ignored, and the client leaves and comes back all the same.
    for url in [
        r#""wss://evil.example/""#,
        r#""ws://good.example/""#,
        r#""wss://good.example@evil.example/""#,
        r#""wss://good.example.evil.example/""#,
        r#""wss:\\\\good.example/""#,
        r#""/live""#,
        "7",
        "null",
    ] {
        assert_eq!(dials_redirected(url), [false, false], "{url}");
    }
}

/// [AWAY-11] [TIME-3] [CODE-1006] [CODE-1000]
#[test]
fn the_waits_of_a_client() {
    // A lone unexplained loss: 0 – 1 s; the first try after a further one: 0 – 5 s.
    for code in [1006, 1000] {
        let pair = |seed| {
            let mut host = seeded(seed);
            host.close(code);
            let lone = host.wait();
            host.redial();
            host.welcome("{}");
            host.pass(secs(10));
            host.close(code);
            (lone, host.wait())
        };
        let pairs: Vec<_> = (0..60).map(pair).collect();
        assert!(pairs.iter().all(|(lone, further)| *lone < secs(1) && *further < secs(5)));
        assert!(pairs.iter().any(|(_, further)| *further > secs(4)), "{code}");
    }
    // The cap first, then the jitter.
    let waits = |seed| {
        let mut host = seeded(seed);
        host.close(4004);
        let first = host.wait();
        let mut waits = vec![first.as_micros()];
        waits.extend(rounds(&mut host, 9).into_iter().map(|millis| millis * 1000));
        waits
    };
    let all: Vec<_> = (0..200).map(waits).collect();
    for (k, window) in [1, 2, 4, 8, 16, 30, 30, 30, 30, 30].into_iter().enumerate() {
        let of: Vec<_> = all.iter().map(|waits| waits[k]).collect();
        let (most, least) = (*of.iter().max().unwrap(), *of.iter().min().unwrap());
        assert!(most <= window * 1_000_000 && most > window * 900_000, "k = {k}: {most}");
        assert!(least < window * 100_000, "k = {k}: {least}");
    }
    // A dial that has not opened after 20 s is abandoned.
    let mut host = seeded(1);
    host.close(4004);
    while host.client.phase() == Phase::Waiting {
        host.sleep_to_deadline();
    }
    assert_eq!(host.until_deadline(), secs(20), "url and token");
    host.pass(secs(5));
    host.dialled();
    host.pass(ms(19_999));
    assert_eq!(host.client.phase(), Phase::Dialling);
    host.pass(ms(1));
    assert_eq!(host.client.phase(), Phase::Waiting);
}

/// [AWAY-11] [CODE-4003] [CODE-4010]
#[test]
fn a_verdict_dials_at_once_and_at_most_once_a_minute() {
    let mut host = seeded(1);
    let verdict = |host: &mut Host| {
        host.client.handle_wake(host.now);
        host.drain();
        while host.client.phase() == Phase::Open {
            host.sleep_to_deadline();
        }
    };
    verdict(&mut host);
    assert_eq!(host.wait(), Duration::ZERO);
    host.redial();
    host.welcome("{}");
    verdict(&mut host);
    let wait = host.wait();
    assert!(wait > Duration::ZERO && wait < secs(1));
    host.redial();
    host.welcome("{}");
    host.pass_answered(secs(20));
    // From the node it is none of ours.
    host.close(4003);
    assert!(host.wait() > Duration::ZERO);
    let mut host = seeded(2);
    host.close(4010);
    assert_eq!(host.wait(), Duration::ZERO);
}

/// A budget of 10, to which an open minute adds a tenth. [AWAY-11]
#[test]
fn the_budget_of_dials_without_a_wait() {
    let mut host = seeded(1);
    let mut at_once = 0;
    for _ in 0..20 {
        host.take();
        host.client.handle_reconnect(host.now);
        host.drain();
        if host.wait() == Duration::ZERO {
            at_once += 1;
        }
        host.redial();
        host.welcome("{}");
    }
    assert_eq!(at_once, 10);
    // Ten open minutes are one more.
    for _ in 0..10 {
        host.now = host.now + secs(60);
        host.frame("advance 0 0");
    }
    let mut more = 0;
    for _ in 0..3 {
        host.client.handle_reconnect(host.now);
        host.drain();
        more += u32::from(host.wait() == Duration::ZERO);
        host.redial();
        host.welcome("{}");
    }
    assert_eq!(more, 1);
}

/// [AWAY-12]
#[test]
fn phi_is_cut_short_by_the_application_alone() {
    let mut host = (0..).map(seeded).find_map(|mut host| {
        host.frame(&goaway(0, 600_000));
        left_and_dialled(&mut host);
        (host.wait() > secs(300)).then_some(host)
    });
    let host = host.as_mut().unwrap();
    // A wait of more than 30 s is reported with its end.
    let told = host.done.iter().find_map(|action| match action {
        Action::Reconnecting { delay, .. } => Some(*delay),
        _ => None,
    });
    assert_eq!(told, Some(host.wait()));
    let due = host.client.next_deadline();
    host.client.handle_online(host.now);
    host.client.handle_wake(host.now);
    host.client.handle_visible(true, host.now);
    host.drain();
    host.crash();
    host.drain();
    assert_eq!((host.client.phase(), host.client.next_deadline()), (Phase::Waiting, due));
    host.client.handle_suspend(host.now);
    host.drain();
    host.client.handle_resume(true, host.now);
    host.drain();
    assert_eq!((host.client.phase(), host.client.next_deadline()), (Phase::Waiting, due));
    host.client.handle_reconnect(host.now);
    host.drain();
    assert_eq!(host.client.phase(), Phase::Asking);
    // Any other wait is cut short by a local cause.
    let mut host = seeded(1);
    host.close(4004);
    host.client.handle_online(host.now);
    host.drain();
    assert_eq!(host.client.phase(), Phase::Asking);
}

/// Sent away, then dead: the fresh instance dials at φ. [KEEP-1] [AWAY-2]
#[test]
fn a_sticky_phase_survives_the_instance() {
    let mut host = seeded(1);
    host.frame(&goaway(600_000, 15_000));
    let phi = host.client.next_deadline();
    host.crash();
    host.drain();
    assert_eq!(host.client.next_deadline(), phi);
    host.redial();
    assert_eq!(Some(host.now), phi);
}

/// 2,000 clients fill the window evenly. [AWAY-2] [AWAY-10]
#[test]
fn a_crowd_is_spread_evenly() {
    let mut bins = [0u32; 10];
    let mut distinct = BTreeSet::new();
    for seed in 0..2000 {
        let mut host = Host::new(Config::default());
        host.client = Client::new(host.config, seed * 7919, producer(1));
        host.connect();
        host.welcome("{}");
        host.now = host.now + secs(11);
        host.frame(&goaway(0, 40_000));
        let (_, phi) = left_and_dialled(&mut host);
        distinct.insert(phi);
        bins[(phi.as_micros() / 4_000_000) as usize] += 1;
    }
    // 200 expected in each; six standard deviations are 81.
    assert!(bins.iter().all(|count| count.abs_diff(200) < 81), "{bins:?}");
    assert!(distinct.len() > 1_990);
}
