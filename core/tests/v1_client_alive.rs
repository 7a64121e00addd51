//! Chapter 13: pings, probes, verdicts.

mod v1_client_common;

use everwire_core::frame::Form;
use everwire_core::session::client::*;
use everwire_core::session::up::Outgoing;
use everwire_core::{Duration, Ticket};
use v1_client_common::*;

/// A client whose `welcome` took so long, and the clock with it.
fn open_after(round_trip: Duration) -> Host {
    open_with(Config::default(), round_trip)
}

fn open_with(config: Config, round_trip: Duration) -> Host {
    let mut host = Host::new(config);
    host.connect();
    host.now = host.now + round_trip;
    welcome(&mut host);
    host.take();
    host
}

/// As it is right behind a `welcome`.
fn open_now(config: Config) -> Host {
    let mut host = Host::open_with(config);
    host.take();
    host
}

/// It is welcome, and has been in use for 10 s: nothing but its liveness is due for long.
fn welcome(host: &mut Host) {
    host.welcome("{}");
    settle_in(host);
}

fn settle_in(host: &mut Host) {
    host.now = host.now + secs(10);
    host.client.handle_timeout(host.now);
    let received = host.record.down.received;
    host.frame(&format!("advance {received} {received}"));
}

fn ended_by_verdict(host: &Host) -> bool {
    let verdict = Some(Close { code: 4003, reason: "LIVE-8" });
    host.did(|action| matches!(action, Action::Leave { close, .. } if *close == verdict)) > 0
}

/// [LIVE-6] [TIME-9]
#[test]
fn a_ping_after_thirty_seconds_of_quiet() {
    let mut host = open_now(Config::default());
    host.pass(ms(29_999));
    assert!(host.wire.is_empty());
    host.pass(ms(1));
    assert_eq!(host.wire, ["ping 1"]);
    host.frame("pong 1");
    // Whichever is older, the last frame out or in.
    let mut host = open_now(Config::default());
    for _ in 0..5 {
        host.pass(secs(5));
        host.frame("advance 0 0");
    }
    host.pass(secs(5));
    assert_eq!(host.wire, ["ping 1"]);
    host.frame("pong 1");
    assert_eq!(host.pass_answered(ms(29_999)), 0, "not within that time after the last");
    // An option.
    let mut host = open_now(Config { interval: secs(2), ..Config::default() });
    host.pass(secs(2));
    assert_eq!(host.wire, ["ping 1"]);
    let host = open_now(Config { interval: secs(0), ..Config::default() });
    assert_eq!(host.until_deadline(), secs(1));
}

/// [LIVE-1] [LIVE-2]
#[test]
fn a_ping_is_answered_in_its_turn() {
    let mut host = open_after(ms(50));
    host.frame("ping 3");
    host.frame("ping 9");
    assert_eq!(host.wire, ["pong 3", "pong 9"]);
    // Over the high-water mark the newest is kept, with the newest `seen`, and both go first.
    let mut host = open_after(ms(50));
    host.stuck = Some(u64::MAX);
    host.client.handle_buffered(2 << 20, host.now);
    host.frame("push 0 2 1 2\n[{\"type\":\"t\"},{\"type\":\"t\"}]");
    host.settle_all();
    host.frame("ping 10");
    host.frame("ping 11");
    host.send(1..=1);
    host.pass(ms(20));
    assert!(host.wire.is_empty(), "{:?}", host.wire);
    host.stuck = None;
    host.client.handle_buffered(1 << 20, host.now);
    host.drain();
    assert_eq!(host.wire, ["seen 2 2 27", "pong 11", "send 1 1 1 [1]"]);
}

/// [LIVE-2] [ERR-23]
#[test]
fn a_pong_answers_all_earlier_pings_and_others_are_ignored() {
    let mut host = open_after(ms(50));
    for x in [0, 5, 77] {
        host.frame(&format!("pong {x}"));
    }
    assert_eq!(host.close_code(), None);
    host.client.handle_wake(host.now);
    host.drain();
    assert_eq!(host.wire, ["ping 1"]);
    host.oversleep(secs(10));
    assert_eq!(host.wire, ["ping 1", "ping 2"], "the first was found late");
    host.frame("pong 2");
    assert_eq!(host.pass_answered(secs(29)), 0);
    assert!(!ended_by_verdict(&host));
}

/// [LIVE-7]
#[test]
fn suspicions_are_asked_about_once() {
    // An unsettled number, at most once in 5 s.
    let mut host = open_after(ms(100));
    host.send(1..=1);
    host.take();
    host.pass(ms(999));
    assert!(host.wire.is_empty());
    host.pass(ms(1));
    assert_eq!(host.take_pings(), [1]);
    host.frame("pong 1");
    assert_eq!(host.pass_answered(ms(4_999)), 0);
    assert_eq!(host.pass_answered(ms(2)), 1);
    host.frame("ack 1 9000");
    assert_eq!(host.pass_answered(secs(24)), 0);
    // The page, the network, the clock.
    let asks: [fn(&mut Host); 4] = [
        |host| host.client.handle_visible(true, host.now),
        |host| host.client.handle_online(host.now),
        |host| host.client.handle_wake(host.now),
        |host| host.client.handle_resume(true, host.now),
    ];
    for ask in asks {
        let mut host = open_after(ms(50));
        ask(&mut host);
        ask(&mut host);
        host.drain();
        assert_eq!(host.wire, ["ping 1"], "while one is unanswered no other is sent");
    }
    // srtt + 4·rttvar is 3 s if the first round trip took one.
    let mut host = open_after(secs(1));
    host.send(1..=1);
    host.take();
    host.pass(ms(2999));
    assert!(host.wire.is_empty());
    host.pass(ms(1));
    assert_eq!(host.wire, ["ping 1"]);
}

/// [LIVE-8] [LIVE-16] [TIME-10]
#[test]
fn the_deadline_of_a_ping() {
    for (round_trip, patience) in [(ms(50), ms(1000)), (secs(1), secs(3)), (secs(19), secs(57))] {
        let mut host = open_after(round_trip);
        host.client.handle_wake(host.now);
        host.drain();
        // Its own octets at 16,000 a second.
        let octets = Duration::from_micros(6 * 1_000_000 / 16_000);
        assert_eq!(host.until_deadline(), patience + octets);
        // Every frame restarts it.
        host.now = host.now + ms(900);
        host.frame("advance 0 0");
        assert_eq!(host.until_deadline(), patience + octets);
        host.pass(patience + octets);
        assert!(ended_by_verdict(&host));
    }
}

/// A link that brings what others say and no longer takes anything. [LIVE-8]
#[test]
fn what_others_say_puts_a_verdict_off_no_longer_than_it_may_stand_in_front_of_the_answer() {
    let until_verdict = |rounds: usize, every: Duration, frame: &dyn Fn(&mut Host)| {
        let mut host = open_after(ms(50));
        host.client.handle_wake(host.now);
        host.drain();
        let began = host.now;
        for _ in 0..rounds {
            if ended_by_verdict(&host) {
                return Some(host.now.since(began));
            }
            host.pass(every);
            frame(&mut host);
        }
        None
    };
    // Ten short frames a second: ten seconds, and what they take at 16,000 octets a second.
    let feed = until_verdict(10_000, ms(100), &|host| host.frame("advance 0 0")).expect("a verdict");
    assert!(feed > secs(10) && feed < ms(10_500), "{feed:?}");
    // As fast as the link is believed to be, everything that comes may have stood in front of the answer.
    let queue = until_verdict(600, ms(100), &|host| {
        let form = everwire_core::frame::Form::Text;
        host.octets_come(host.client.link(), form, format!("x-filler\n{}", "x".repeat(1_600)).as_bytes());
    });
    assert_eq!(queue, None);
}

/// A page on which nothing is said, taken through one network after another. [LIVE-10]
#[test]
fn verdicts_without_traffic_are_forgotten_when_an_idle_link_answers() {
    let mut host = open_after(ms(50));
    for network in 0..8 {
        host.pass_answered(secs(20));
        host.client.handle_online(host.now);
        host.drain();
        assert!(host.until_deadline() < ms(1_010), "network {network}: {:?}", host.until_deadline());
        host.pass(ms(1_010));
        assert!(ended_by_verdict(&host), "network {network}");
        host.done.clear();
        while host.client.phase() == Phase::Waiting {
            host.sleep_to_deadline();
        }
        host.dial();
        host.welcome("{}");
        host.take();
    }
}

/// Unconfirmed octets are those since the newest ping that was answered. [LIVE-8] [LIVE-9]
#[test]
fn octets_in_front_of_a_ping_are_given_their_time() {
    let mut host = open_after(ms(50));
    host.send_one(text(1, 159_000));
    let octets: u64 = 11 + 11 + 2 + 159_000;
    host.client.handle_wake(host.now);
    host.drain();
    let expected = secs(1) + Duration::from_micros((octets + 6 + 1) * 1_000_000 / 16_000);
    let off = host.until_deadline().as_micros().abs_diff(expected.as_micros());
    assert!(off < 1_000, "{:?} {expected:?}", host.until_deadline());
    host.now = host.now + ms(50);
    host.frame("pong 1");
    host.client.handle_wake(host.now);
    host.drain();
    assert!(host.until_deadline() < ms(1_010));
}

/// The time begins when the ping has left the buffer, once, and at the latest when the buffer should have emptied.
/// [LIVE-8]
#[test]
fn the_clock_of_a_ping_starts_once() {
    let mut host = open_after(ms(50));
    host.stuck = Some(u64::MAX);
    host.client.handle_buffered(160_000, host.now);
    host.client.handle_wake(host.now);
    host.drain();
    let all = host.until_deadline();
    assert!(all >= secs(11) && all < ms(11_010), "{all:?}");
    // It has left after 4 s: then 1 s.
    host.now = host.now + secs(4);
    host.client.handle_buffered(0, host.now);
    let left = host.until_deadline();
    assert!(left >= secs(1) && left < ms(1_010), "{left:?}");
    host.now = host.now + ms(500);
    host.client.handle_buffered(0, host.now);
    assert_eq!(host.until_deadline(), left - ms(500), "once");
    // On a dead link it never empties.
    let mut host = open_after(ms(50));
    host.stuck = Some(u64::MAX);
    host.client.handle_buffered(16_000, host.now);
    host.client.handle_wake(host.now);
    host.drain();
    host.pass(ms(2_010));
    assert!(ended_by_verdict(&host));
}

/// [LIVE-9]
#[test]
fn the_rate_comes_from_acks_and_pongs() {
    let mut host = open_after(ms(50));
    host.send_one(text(1, 100_000));
    host.now = host.now + ms(1_050);
    host.frame("ack 1 9000");
    // 100 kB/s: another 100,000 take one second.
    host.send_one(text(2, 100_000));
    host.client.handle_wake(host.now);
    host.drain();
    let wait = host.until_deadline();
    // The first has been read and stands in front of nothing.
    assert!(wait > ms(1_900) && wait < ms(2_100), "{wait:?}");
}

/// [LIVE-10]
#[test]
fn a_verdict_without_progress_doubles_the_patience() {
    let mut host = open_after(ms(50));
    let mut waits = Vec::new();
    for _ in 0..8 {
        host.client.handle_wake(host.now);
        host.drain();
        waits.push(host.until_deadline().as_micros() / 1_000_000);
        host.pass(host.until_deadline());
        host.redial();
        host.now = host.now + ms(50);
        welcome(&mut host);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    host.frame("advance 0 1");
    host.client.handle_wake(host.now);
    host.drain();
    assert_eq!(host.until_deadline().as_micros() / 1_000_000, 1, "progress");
}

/// What has got through only at a rate that was halved twice does not start over with the next long message. [LIVE-10]
#[test]
fn a_rate_that_was_halved_stays_so_when_something_has_got_through() {
    let mut host = open_after(ms(50));
    // From the probe to the verdict, in seconds.
    let verdict = |host: &mut Host| {
        host.pass(host.until_deadline());
        host.client.handle_buffered(0, host.now);
        let asked = host.now;
        while !ended_by_verdict(host) {
            host.pass(host.until_deadline());
        }
        host.now.since(asked).as_micros() / 1_000_000
    };
    let again = |host: &mut Host| {
        host.redial();
        host.now = host.now + ms(50);
        host.welcome("{}");
        host.take();
    };
    host.send_one(text(1, 64_000));
    let mut waits = Vec::new();
    for _ in 0..2 {
        waits.push(verdict(&mut host));
        again(&mut host);
    }
    host.frame("ack 1 8193");
    host.send_one(text(2, 64_000));
    waits.push(verdict(&mut host));
    assert_eq!(
        waits,
        [5, 10, 17],
        "1 s and 4 s for the octets; both doubled; the first term anew, the rate as it was"
    );
}

/// The link that a verdict is followed by need not be the next one; progress undoes it. [LIVE-10]
#[test]
fn a_verdict_is_remembered_until_there_is_progress() {
    for (progress, patience) in [(false, 2), (true, 1)] {
        let mut host = open_after(ms(50));
        host.client.handle_wake(host.now);
        host.drain();
        host.pass(host.until_deadline());
        assert!(ended_by_verdict(&host));
        host.redial();
        host.close(1006);
        host.redial();
        host.now = host.now + ms(50);
        host.welcome("{}");
        if progress {
            host.frame("advance 0 1");
        }
        settle_in(&mut host);
        host.client.handle_wake(host.now);
        host.drain();
        assert_eq!(host.until_deadline().as_micros() / 1_000_000, patience);
    }
}

/// [LIVE-11] [TIME-11] [TIME-19]
#[test]
fn a_late_timer_asks_again_and_the_second_gives_a_verdict_one_turn_later() {
    let mut host = open_after(ms(50));
    host.client.handle_wake(host.now);
    host.drain();
    host.oversleep(secs(100));
    assert_eq!(host.wire, ["ping 1", "ping 2"]);
    assert!(host.until_deadline() > ms(999), "a full deadline");
    host.oversleep(secs(100));
    assert!(!ended_by_verdict(&host));
    assert!(host.until_deadline() < ms(10));
    // A frame that was waiting is read, and restarts the time.
    host.frame("advance 0 0");
    assert!(host.until_deadline() > ms(900));
    host.oversleep(secs(100));
    assert_eq!(host.wire.len(), 3);
    host.oversleep(secs(100));
    host.oversleep(secs(100));
    assert!(ended_by_verdict(&host));

    // In time, a verdict it is, by whichever event finds it.
    let mut host = open_after(ms(50));
    host.client.handle_wake(host.now);
    host.drain();
    host.now = host.now + ms(1_900);
    host.send(1..=1);
    assert!(ended_by_verdict(&host));
    assert_eq!(host.record.up.written, 0, "a verdict before it is a write");
}

/// [LIVE-12] [CRED-7] [TIME-12]
#[test]
fn an_answered_probe_keeps_the_link_and_a_stalled_store_is_told() {
    let mut host = open_after(ms(50));
    host.send(1..=1);
    host.take();
    let pings = host.pass_answered(secs(29));
    assert!((5..=7).contains(&pings), "{pings}");
    assert_eq!(host.notices(), []);
    host.pass_answered(secs(600));
    assert_eq!(host.notices(), [Notice::StoreStalled { n: 1, code: None }]);
    assert_eq!((host.client.phase(), host.client.link()), (Phase::Open, 1));
    // Answered late, it is answered.
    let mut host = open_after(ms(50));
    host.client.handle_wake(host.now);
    host.drain();
    host.now = host.now + secs(50);
    host.frame("pong 1");
    assert_eq!(host.client.phase(), Phase::Open);
}

/// [LIVE-13]
#[test]
fn a_long_frame_is_announced() {
    let mut host = open_after(ms(50));
    host.send_one(text(1, 16_384 - 11 - 2));
    host.send_one(text(2, 16_384 - 11 - 2 + 1));
    host.send_one(Outgoing::new(Ticket(3), 20_072, Form::Binary));
    assert_eq!(host.wire, ["send 1 1 1 [1]", "more 16385", "send 2 1 1 [2]", "more 20083", "send 3 1 1 [3]"]);
}

/// [LIVE-14] [ERR-25]
#[test]
fn what_is_announced_must_come() {
    let push = |octets: u64| ("push 0 1 1".to_string(), octets - 11);
    for (announced, (head, body), clause) in [
        (20_000, push(20_000), None),
        (20_000, push(16_385), None),
        (20_000, push(20_001), Some("LIVE-14")),
        (20_000, push(16_384), Some("LIVE-14")),
        (16_384, push(16_385), Some("LIVE-14")),
    ] {
        let mut host = open_after(ms(50));
        host.frame(&format!("more {announced}"));
        if host.close_code().is_none() {
            host.long(&head, body, 1);
        }
        assert_eq!(host.close_code().map(|close| close.reason), clause, "{announced} {body}");
    }
    for frame in ["ping 1", "more 20000", "x-small", "advance 0 1"] {
        let mut host = open_after(ms(50));
        host.frame("more 20000");
        host.frame(frame);
        host.assert_broken("LIVE-14");
    }
    // An extension is as good a frame as any.
    let mut host = open_after(ms(50));
    host.frame("more 20000");
    host.frame(&format!("x-{}", "y".repeat(19_000)));
    assert_eq!(host.close_code(), None);
}

/// [LIVE-14] [LIVE-15]
#[test]
fn an_announced_frame_is_given_its_time() {
    let mut host = open_after(ms(50));
    host.client.handle_wake(host.now);
    host.drain();
    let before = host.until_deadline();
    host.frame("more 160000");
    assert_eq!(host.until_deadline(), before + secs(10));
    host.long("push 0 1 1", 150_000, 1);
    host.settle_all();
    host.take_pings();
    host.frame("advance 0 1");
    host.pass(ms(20));
    host.frame("advance 0 1");
    assert_eq!(host.until_deadline(), before, "it has come");
    // Counted as at most the frame limit.
    host.frame("more 9007199254740991");
    let most = Duration::from_micros((1_048_576 + 32_768) * 1_000_000 / 16_000);
    assert_eq!(host.until_deadline(), before + most);
    // A long frame without a word is no error.
    let mut host = open_after(ms(50));
    host.long("push 0 1 1", 150_000, 1);
    assert_eq!(host.close_code(), None);
}

/// [LIVE-17]
#[test]
fn three_verdicts_during_one_long_frame_are_told() {
    let mut host = open_after(ms(50));
    for round in 1..=3 {
        host.client.handle_wake(host.now);
        host.drain();
        host.frame("more 20000");
        assert_eq!(host.notices(), [], "{round}");
        host.pass(host.until_deadline());
        if round < 3 {
            host.redial();
            host.welcome("{}");
            settle_in(&mut host);
        }
    }
    assert_eq!(host.notices(), [Notice::TooSlow]);
    // Upwards.
    let mut host = open_after(ms(50));
    host.send_one(text(1, 20_000));
    for round in 1..=3 {
        host.client.handle_wake(host.now);
        host.drain();
        assert_eq!(host.notices(), [], "{round}");
        while host.client.phase() == Phase::Open {
            host.sleep_to_deadline();
        }
        if round < 3 {
            host.redial();
            host.welcome("{}");
            settle_in(&mut host);
        }
    }
    assert_eq!(host.notices(), [Notice::TooSlow]);
}

/// [KEEP-2] A fresh instance knows no rate and no round trip, and goes on.
#[test]
fn a_fresh_instance_measures_anew() {
    let mut host = open_after(secs(19));
    host.crash();
    host.drain();
    host.redial();
    host.now = host.now + ms(10);
    welcome(&mut host);
    host.client.handle_wake(host.now);
    host.drain();
    assert!(host.until_deadline() < ms(1_010));
}

/// Who only listens writes `seen`, which nothing confirms but a pong. [LIVE-6] [LIVE-8]
#[test]
fn minutes_of_listening_put_no_verdict_off() {
    let mut host = open_after(ms(50));
    let mut pings = 0;
    for s in 0..1_500 {
        host.frame(&format!("push {s} {} {}\n[{{\"type\":\"t\"}}]", s + 1, s + 1));
        host.settle_all();
        pings += host.pass_answered(ms(100));
        host.take();
    }
    assert!((1..=5).contains(&pings), "{pings}");
    host.client.handle_wake(host.now);
    host.drain();
    assert!(host.until_deadline() < ms(1_600), "{:?}", host.until_deadline());
}

/// What is acknowledged has been read: it stands in front of nothing. [LIVE-8]
#[test]
fn minutes_of_traffic_put_no_verdict_off() {
    let mut host = open_after(ms(50));
    let mut n = 0;
    for _ in 0..1_000 {
        n += 1;
        host.send_one(text(n, 200));
        host.take();
        host.pass(ms(50));
        host.frame(&format!("ack {n} 9000"));
        host.take();
        host.pass(ms(50));
    }
    host.send_one(text(n + 1, 200));
    let silent = host.now;
    while !ended_by_verdict(&host) {
        host.sleep_to_deadline();
    }
    let noticed = host.now.since(silent);
    assert!(noticed <= ms(2_100), "{noticed:?}");
}
