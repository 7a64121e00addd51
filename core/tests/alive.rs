//! Heartbeats, the answers to them, and what is settled by them.

mod common;

use common::{Harness, ms, secs};
use everwire_core::{Action, Cause, Config, ExpectReply, Notice, Phase, Reason, State};

fn config(expect_reply: ExpectReply) -> Config {
    let mut config = Config::default();
    config.liveness.expect_reply = expect_reply;
    config
}

fn until_next_beat(harness: &mut Harness) {
    let beats = harness.beats();
    while harness.beats() == beats {
        harness.pass(ms(1));
    }
}

#[test]
fn a_heartbeat_every_thirty_seconds_of_silence() {
    let mut harness = Harness::open(config(ExpectReply::No));
    harness.pass(ms(29_999));
    assert_eq!(harness.beats(), 0);
    harness.pass(ms(1));
    assert_eq!(harness.beats(), 1);
    harness.pass(secs(300));
    assert_eq!(harness.beats(), 11);
    assert_eq!(harness.client.state(), State::Open, "nobody expects an answer");
}

/// Due 30 s after the last frame out or in, whichever is older: a client that only listens still beats, and so does
/// one that only talks; never twice within 30 s.
#[test]
fn one_direction_alone_is_not_enough() {
    for listens in [true, false] {
        let mut harness = Harness::open(config(ExpectReply::No));
        for _ in 0..90 {
            harness.pass(secs(1));
            if listens {
                harness.frame();
            } else {
                harness.send(1);
            }
        }
        assert_eq!(harness.beats(), 3);
    }
}

#[test]
fn traffic_both_ways_needs_none() {
    let mut harness = Harness::open(config(ExpectReply::No));
    for _ in 0..100 {
        harness.pass(secs(1));
        harness.frame();
        harness.send(1);
    }
    assert_eq!(harness.beats(), 0);
}

#[test]
fn an_interval_of_zero_sends_none() {
    let mut config = config(ExpectReply::Yes);
    config.liveness.interval = everwire_core::Duration::ZERO;
    let mut harness = Harness::open(config);
    harness.pass(secs(3600));
    assert_eq!(harness.beats(), 0);
}

#[test]
fn an_answer_that_stays_out_is_a_verdict_after_three_seconds() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.pass(secs(30) + ms(2_999));
    assert_eq!(harness.client.state(), State::Open);
    harness.pass(ms(1));
    assert!(harness.count(|a| matches!(a, Action::Ended { cause: Cause::NoReply, .. })) == 1);
}

#[test]
fn a_measured_round_trip_shortens_the_deadline_to_one_second() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    for _ in 0..5 {
        until_next_beat(&mut harness);
        harness.pass(ms(20));
        harness.heartbeat();
    }
    until_next_beat(&mut harness);
    harness.pass(ms(999));
    assert_eq!(harness.client.state(), State::Open);
    harness.pass(ms(1));
    assert_ne!(harness.client.state(), State::Open);
}

/// A big message in front of the answer: every frame restarts the clock.
#[test]
fn other_frames_put_the_verdict_off_for_a_minute() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.client.handle_online(harness.now);
    harness.drain();
    let began = harness.now;
    while harness.client.state() == State::Open {
        assert!(harness.now.since(began) < secs(61));
        harness.pass(ms(500));
        harness.frame();
    }
    assert!(harness.now.since(began) >= secs(60));
}

#[test]
fn other_frames_put_the_verdict_off() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.pass(secs(30));
    for _ in 0..20 {
        harness.pass(ms(2_500));
        harness.frame();
    }
    assert_eq!(harness.client.state(), State::Open);
    harness.pass(secs(3));
    assert_ne!(harness.client.state(), State::Open);
}

/// After sleep timers run before queued frames are delivered.
#[test]
fn a_late_timer_asks_again() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.pass(secs(31));
    assert_eq!(harness.beats(), 1);
    harness.now = harness.now + secs(3600);
    harness.client.handle_timeout(harness.now);
    harness.drain();
    assert_eq!((harness.client.state(), harness.beats()), (State::Open, 2));
    harness.pass(ms(10));
    harness.heartbeat();
    harness.pass(secs(20));
    assert_eq!(harness.client.state(), State::Open);
}

#[test]
fn waking_asks_and_does_not_judge() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.pass(secs(31));
    harness.now = harness.now + ms(2_500);
    harness.client.handle_wake(harness.now);
    harness.client.handle_timeout(harness.now);
    harness.drain();
    assert_eq!((harness.client.state(), harness.beats()), (State::Open, 2));
}

/// The overdue deadline is asked before the write: the message stays in the outbox.
#[test]
fn a_message_is_not_written_to_a_link_that_is_overdue() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.pass(secs(30));
    harness.now = harness.now + ms(3_500);
    harness.send(10);
    assert_eq!(harness.written(), []);
    assert_eq!(harness.client.waiting(), (1, 10));
    assert_ne!(harness.client.state(), State::Open);
}

#[test]
fn each_verdict_doubles_the_patience_until_an_answer_comes() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    for patience in [3u64, 6, 12, 24, 48, 60, 60] {
        harness.pass(secs(30));
        harness.pass(ms(patience * 1000 - 1));
        assert_eq!(harness.client.state(), State::Open, "{patience}");
        harness.pass(ms(1));
        harness.pass_until_dial();
        harness.open_link();
        harness.frame();
    }
    until_next_beat(&mut harness);
    harness.pass(secs(2));
    harness.heartbeat();
    until_next_beat(&mut harness);
    let smoothed_and_four_deviations = secs(2 + 4);
    harness.pass(smoothed_and_four_deviations - ms(1));
    assert_eq!(harness.client.state(), State::Open);
    harness.pass(ms(1));
    assert_ne!(harness.client.state(), State::Open);
}

#[test]
fn answers_are_learned_after_three_and_unlearned_after_two_verdicts() {
    let mut harness = Harness::open(config(ExpectReply::Learn));
    let answer = |harness: &mut Harness| {
        until_next_beat(harness);
        harness.pass(ms(20));
        harness.heartbeat();
    };
    answer(&mut harness);
    answer(&mut harness);
    harness.pass(secs(100));
    assert_eq!(harness.client.state(), State::Open, "two are not enough");
    for _ in 0..3 {
        answer(&mut harness);
    }
    for round in 0..2 {
        harness.pass(secs(60));
        assert_eq!(harness.count(|a| matches!(a, Action::Ended { cause: Cause::NoReply, .. })), round + 1);
        if harness.client.phase() == Phase::Waiting {
            harness.pass_until_dial();
        }
        while harness.client.phase() != Phase::Asking {
            harness.pass(secs(1));
        }
        harness.open_link();
        harness.frame();
    }
    assert_eq!(harness.count(|a| matches!(a, Action::Notice(Notice::ReplyUnlearned))), 1);
    harness.pass(secs(300));
    assert_eq!(harness.client.state(), State::Open);
}

/// A heartbeat of somebody else that the server forwarded is no answer to learn from: ours was not the cause.
#[test]
fn a_heartbeat_behind_other_frames_teaches_nothing() {
    let mut harness = Harness::open(config(ExpectReply::Learn));
    for _ in 0..10 {
        harness.pass(secs(30));
        harness.frame();
        harness.heartbeat();
        harness.pass(ms(1));
    }
    harness.pass(secs(300));
    assert_eq!(harness.client.state(), State::Open);
}

#[test]
fn an_answer_settles_what_was_written_before_the_question() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.pass(secs(29));
    let before = harness.send(10);
    harness.pass(secs(1));
    assert_eq!(harness.beats(), 1);
    let after = harness.send(10);
    harness.heartbeat();
    assert_eq!(harness.settled(), [before]);
    harness.reset();
    assert_eq!(harness.dropped(), [(after, Reason::InDoubt)]);
}

#[test]
fn a_frame_settles_what_was_written_two_seconds_before_it() {
    let mut harness = Harness::open(config(ExpectReply::No));
    let ticket = harness.send(10);
    harness.pass(ms(1_999));
    harness.frame();
    assert_eq!(harness.settled(), []);
    harness.pass(secs(600));
    assert_eq!(harness.settled(), [], "time alone proves nothing");
    harness.frame();
    assert_eq!(harness.settled(), [ticket]);
}

#[test]
fn what_is_unsettled_at_an_abnormal_end_is_in_doubt_and_never_sent_again() {
    let mut harness = Harness::open(config(ExpectReply::No));
    let ticket = harness.send(10);
    harness.reset();
    assert_eq!(harness.dropped(), [(ticket, Reason::InDoubt)]);
    harness.pass_until_dial();
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written(), [ticket], "written once");
}

#[test]
fn more_in_flight_than_can_be_followed() {
    let mut harness = Harness::open(config(ExpectReply::No));
    let first = harness.send(1);
    for _ in 1..everwire_core::IN_FLIGHT_MAX {
        harness.send(1);
    }
    assert_eq!(harness.dropped(), []);
    harness.send(1);
    harness.send(1);
    let dropped = harness.dropped();
    assert_eq!((dropped.len(), dropped[0]), (2, (first, Reason::InDoubtOverflow)));
    assert_eq!(harness.count(|a| matches!(a, Action::Notice(Notice::InDoubtOverflow))), 1);
    assert_eq!(harness.client.in_flight(), everwire_core::IN_FLIGHT_MAX);
}

#[test]
fn the_backlog_is_paced_and_new_messages_queue_behind_it() {
    let mut harness = Harness::new(config(ExpectReply::No));
    harness.connect();
    let mut tickets: Vec<_> = (0..1000).map(|_| harness.send(10)).collect();
    harness.pass(ms(5_000));
    harness.open_link();
    harness.frame();
    for _ in 0..10 {
        tickets.push(harness.send(10));
        harness.pass(ms(100));
    }
    let written = harness.written();
    assert!((190..=240).contains(&written.len()), "{} in a second", written.len());
    harness.pass(secs(5));
    assert_eq!(harness.written(), tickets);
    // The backlog is gone: live traffic is not held back.
    for _ in 0..1000 {
        tickets.push(harness.send(10));
    }
    assert_eq!(harness.written(), tickets);
}

#[test]
fn an_own_message_that_comes_back_settles_itself_and_what_was_written_before() {
    let mut harness = Harness::open(config(ExpectReply::No));
    let tickets: Vec<_> = (0..4).map(|_| harness.send(10)).collect();
    harness.client.handle_echo(tickets[2]);
    harness.drain();
    assert_eq!(harness.settled(), tickets[..3]);
    // Once is enough, and what was never written proves nothing.
    harness.client.handle_echo(tickets[2]);
    harness.client.handle_echo(everwire_core::Ticket(77));
    harness.reset();
    let waiting = harness.send(10);
    harness.client.handle_echo(waiting);
    harness.drain();
    assert_eq!(harness.settled(), tickets[..3]);
    assert_eq!(harness.dropped(), [(tickets[3], Reason::InDoubt)]);
}

#[test]
fn more_bytes_in_flight_than_can_be_followed() {
    const LONG: u32 = 1 << 20;
    let mut harness = Harness::open(config(ExpectReply::No));
    let tickets: Vec<_> = (0..16).map(|_| harness.send(LONG)).collect();
    assert_eq!(harness.dropped(), []);
    harness.send(1);
    assert_eq!(harness.dropped(), [(tickets[0], Reason::InDoubtOverflow)]);

    let config = Config { message_bytes_max: 64 << 20, ..config(ExpectReply::No) };
    let outbox = everwire_core::OutboxConfig { bytes_max: 64 << 20, ..config.outbox };
    let mut harness = Harness::open(Config { outbox, ..config });
    harness.send(64 << 20);
    assert_eq!(harness.dropped(), [], "the newest is followed, however long");
}

/// What is heard after sleep may have waited in a buffer all the while: it confirms nothing that was written before.
#[test]
fn a_frame_from_before_the_sleep_settles_nothing() {
    for wakes in [true, false] {
        let mut harness = Harness::open(config(ExpectReply::No));
        let ticket = harness.send(10);
        harness.now = harness.now + secs(3600);
        if wakes {
            harness.client.handle_wake(harness.now);
        }
        harness.frame();
        assert_eq!(harness.settled(), []);
        harness.reset();
        assert_eq!(harness.dropped(), [(ticket, Reason::InDoubt)]);
    }
}

/// A hidden page has one timer a minute: every one is late, and a dead link is noticed all the same.
#[test]
fn lateness_excuses_once() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    let mut minutes = 0;
    while harness.client.state() == State::Open {
        harness.now = harness.now + secs(60);
        harness.client.handle_timeout(harness.now);
        harness.drain();
        minutes += 1;
        assert!(minutes <= 4, "never noticed");
    }
    assert_eq!(harness.beats(), 2, "asked, and asked again");
}
