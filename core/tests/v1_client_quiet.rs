//! Traffic that had a rhythm and has stopped.

mod v1_client_common;

use everwire_core::session::client::*;
use v1_client_common::*;

/// As it is right behind a `welcome`.
fn open_now() -> Host {
    let mut host = Host::open_with(Config::default());
    host.take();
    host
}

/// [LIVE-7] Eight times the mean gap of the last sixteen, twice the longest, 2 s: what is longest.
#[test]
fn traffic_that_stops_is_asked_about() {
    // Gaps in ms, silence in ms that is still none.
    let rhythms: [(&[u64], u64); 5] = [
        (&[500], 3_999),
        (&[10], 1_999),
        // A machine that was held up: the feed is one all the same.
        (&[100, 100, 100, 100, 100, 100, 100, 700], 1_999),
        (&[100, 100, 100, 100, 100, 100, 100, 1_500], 2_999),
        // Streams that come and go.
        (&[10, 10, 10, 10, 10, 10, 10, 3_000], 5_999),
    ];
    for (gaps, silence) in rhythms {
        let mut host = open_now();
        for step in 0..16 {
            host.pass(ms(gaps[step % gaps.len()]));
            assert!(host.wire.is_empty(), "{gaps:?}");
            host.frame("advance 0 0");
        }
        host.pass(ms(silence));
        assert!(host.wire.is_empty(), "{gaps:?}");
        host.pass(ms(1));
        assert_eq!(host.take_pings(), [1], "{gaps:?}");
    }
    // Fifteen gaps are no rhythm.
    let mut host = open_now();
    for _ in 0..15 {
        host.pass(ms(100));
        host.frame("advance 0 0");
    }
    host.pass(secs(28));
    assert!(host.wire.is_empty());
}

/// [LIVE-7] Answers are no traffic: they neither make a rhythm nor ask anew.
#[test]
fn a_silence_is_asked_about_once() {
    let mut host = open_now();
    for _ in 0..16 {
        host.pass(ms(100));
        host.frame("advance 0 0");
    }
    host.pass(secs(2));
    assert_eq!(host.take_pings(), [1]);
    host.frame("pong 1");
    assert_eq!(host.pass_answered(secs(29)), 0);
    assert_eq!(host.pass_answered(secs(1)), 1, "30 s after what was written last");
    // It goes on, after a gap of 32 s, which sixteen others have to push out.
    for _ in 0..17 {
        host.pass(ms(100));
        host.frame("advance 0 0");
    }
    host.pass(ms(1_999));
    assert!(host.wire.is_empty());
    host.pass(ms(1));
    assert_eq!(host.take_pings(), [3]);
}

/// [LIVE-7] A ping that was written while the traffic still ran asks about no silence that has come since.
#[test]
fn a_ping_within_the_rhythm_asks_about_no_later_silence() {
    let mut host = open_now();
    for _ in 0..16 {
        host.pass(ms(100));
        host.frame("advance 0 0");
    }
    host.client.handle_wake(host.now);
    host.drain();
    assert_eq!(host.take_pings(), [1]);
    host.frame("pong 1");
    host.pass(ms(1_999));
    assert!(host.wire.is_empty());
    host.pass(ms(1));
    assert_eq!(host.take_pings(), [2]);
}
