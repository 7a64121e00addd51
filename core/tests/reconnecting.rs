//! When the next dial comes.

mod common;

use common::{Harness, ms, secs};
use everwire_core::{Action, BackoffConfig, Cause, Closed, Config, Duration, Frame, Phase, State};

fn with_attempts(attempts_max: u32) -> Config {
    Config { backoff: BackoffConfig { attempts_max, ..BackoffConfig::default() }, ..Config::default() }
}

/// Runs the same thing for many seeds and returns the longest delay until the next dial.
fn longest(mut lose: impl FnMut(&mut Harness)) -> Duration {
    (0..300)
        .map(|seed| {
            let mut harness = Harness::seeded(Config::default(), seed);
            harness.connect();
            lose(&mut harness);
            harness.pass_until_dial()
        })
        .max()
        .unwrap()
}

fn within(longest: Duration, window: Duration) {
    let nearly = Duration::from_micros(window.as_micros() * 9 / 10);
    assert!(longest <= window && longest > nearly, "{longest:?} of {window:?}");
}

#[test]
fn a_lone_loss_waits_up_to_one_second() {
    within(
        longest(|harness| {
            harness.open_link();
            harness.frame();
            harness.reset();
        }),
        secs(1),
    );
}

#[test]
fn a_refused_dial_waits_up_to_five() {
    within(
        longest(|harness| {
            harness.client.handle_dialled(1, true, harness.now);
            harness.reset();
        }),
        secs(5),
    );
}

#[test]
fn a_server_that_goes_away_is_given_five_seconds() {
    for code in [1001, 1012, 1013] {
        within(
            longest(|harness| {
                harness.open_link();
                harness.frame();
                harness.closed(code, true);
            }),
            secs(5),
        );
    }
}

#[test]
fn windows_grow_to_thirty_seconds_and_no_further() {
    for (failures, window) in [(2, 5), (3, 5), (4, 8), (5, 16), (6, 30), (7, 30), (30, 30)] {
        let wait = longest(|harness| {
            for failure in 1..=failures {
                harness.client.handle_dialled(harness.client.link(), true, harness.now);
                harness.reset();
                if failure < failures {
                    harness.pass_until_dial();
                }
            }
        });
        within(wait, secs(window));
    }
}

/// Accept-then-close servers must not become a tight loop: `open` alone resets nothing.
#[test]
fn the_backoff_is_reset_by_ten_stable_seconds_and_not_by_open() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    for attempt in 1..=8 {
        harness.open_link();
        harness.frame();
        harness.pass(ms(9_900));
        harness.reset();
        let scheduled = harness.take().into_iter().rev().find_map(|action| match action {
            Action::Reconnecting { attempt, .. } => Some(attempt),
            _ => None,
        });
        assert_eq!(scheduled, Some(attempt));
        harness.pass_until_dial();
    }
    harness.open_link();
    harness.frame();
    harness.pass(secs(10));
    harness.reset();
    assert_eq!(harness.count(|action| matches!(action, Action::Reconnecting { attempt: 1, .. })), 1);
}

#[test]
fn our_own_verdict_dials_at_once_and_then_only_once_a_minute() {
    let mut config = Config::default();
    config.liveness.expect_reply = everwire_core::ExpectReply::Yes;
    let mut harness = Harness::open(config);
    harness.pass(secs(30) + secs(3));
    assert_eq!(harness.client.phase(), Phase::Asking, "dialled at once");
    assert!(harness.log.iter().any(|(_, action)| matches!(
        action,
        Action::Ended { cause: Cause::NoReply, retry: Some(Duration::ZERO), .. }
    )));
}

#[test]
fn three_attempts_are_three_even_when_each_is_cut_short() {
    let mut harness = Harness::new(with_attempts(3));
    harness.connect();
    let mut dials = 0;
    while harness.client.phase() != Phase::Closed {
        if harness.client.phase() == Phase::Asking {
            dials += 1;
            harness.client.handle_dialled(harness.client.link(), true, harness.now);
            harness.reset();
        }
        harness.client.handle_online(harness.now);
        harness.client.handle_offline(harness.now);
        harness.client.handle_reconnect(harness.now);
        harness.drain();
        assert!(dials <= 4);
        harness.pass(ms(10));
    }
    assert_eq!(dials, 4, "the first dial and three attempts");
    let last = harness.log.last().unwrap().1;
    assert!(matches!(last, Action::Ended { cause: Cause::MaxAttempts, retry: None, .. }), "{last:?}");
}

#[test]
fn a_page_that_says_offline_a_hundred_times_uses_up_no_attempt() {
    let mut harness = Harness::new(with_attempts(2));
    harness.connect();
    harness.client.handle_dial_failed(1, harness.now);
    for _ in 0..100 {
        harness.client.handle_offline(harness.now);
    }
    harness.drain();
    assert_eq!(harness.client.state(), State::Offline);
    let wait = harness.pass_until_dial();
    assert!(wait >= secs(15) && wait <= secs(30), "{wait:?}");
    assert_eq!(harness.client.phase(), Phase::Asking);
}

#[test]
fn online_and_wake_and_reconnect_dial_now_and_cancel_the_wait() {
    for input in 0..3 {
        let mut harness = Harness::new(Config::default());
        harness.connect();
        harness.client.handle_dial_failed(1, harness.now);
        harness.drain();
        match input {
            0 => harness.client.handle_online(harness.now),
            1 => harness.client.handle_wake(harness.now),
            _ => harness.client.handle_reconnect(harness.now),
        }
        harness.drain();
        assert_eq!((harness.client.phase(), harness.client.link()), (Phase::Asking, 2));
        // The old timer is gone: no second dial.
        harness.client.handle_dialled(2, false, harness.now);
        harness.pass(secs(15));
        assert_eq!(harness.client.link(), 2);
    }
}

#[test]
fn a_reconnect_loop_is_slowed_by_the_budget() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    for _ in 0..1000 {
        if harness.client.phase() == Phase::Asking {
            harness.client.handle_dial_failed(harness.client.link(), harness.now);
        }
        harness.client.handle_reconnect(harness.now);
        harness.drain();
        harness.pass(ms(1));
    }
    assert!(harness.client.link() <= 1 + 10 + 10, "{} dials in a second", harness.client.link());
}

#[test]
fn reconnect_replaces_an_open_link() {
    let mut harness = Harness::open(Config::default());
    harness.client.handle_reconnect(harness.now);
    harness.drain();
    assert_eq!((harness.client.phase(), harness.client.link()), (Phase::Asking, 2));
    assert_eq!(harness.count(|action| matches!(action, Action::DropLink { link: 1 })), 1);
}

#[test]
fn events_of_an_older_link_are_ignored() {
    let mut harness = Harness::open(Config::default());
    harness.reset();
    harness.pass_until_dial();
    harness.open_link();
    harness.frame();
    harness.take();
    harness.client.handle_link_closed(1, Closed { code: 1006, clean: false }, harness.now);
    harness.client.handle_frame(1, Frame::Message, harness.now);
    harness.client.handle_link_open(1, harness.now);
    harness.client.handle_dialled(1, true, harness.now);
    harness.client.handle_dial_failed(1, harness.now);
    harness.drain();
    assert_eq!(harness.take(), []);
    assert_eq!(harness.client.state(), State::Open);
}

#[test]
fn a_dial_that_hangs_is_abandoned() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    harness.pass(secs(20));
    assert!(harness.count(|a| matches!(a, Action::Reconnecting { cause: Cause::ProviderTimeout, .. })) == 1);
    harness.pass_until_dial();
    harness.client.handle_dialled(2, true, harness.now);
    harness.pass(ms(19_999));
    assert_eq!(harness.client.phase(), Phase::Dialling);
    harness.pass(ms(1));
    assert!(harness.count(|a| matches!(a, Action::Reconnecting { cause: Cause::ConnectTimeout, .. })) == 1);
    assert!(harness.count(|a| matches!(a, Action::DropLink { link: 2 })) == 1);
}

/// On a throttled page the timer of the ten seconds is late; the time is what counts.
#[test]
fn a_stable_link_is_stable_although_its_timer_is_late() {
    let mut harness = Harness::new(with_attempts(3));
    harness.connect();
    for _ in 0..3 {
        harness.client.handle_dial_failed(harness.client.link(), harness.now);
        harness.pass_until_dial();
    }
    harness.open_link();
    harness.frame();
    harness.now = harness.now + secs(20);
    harness.reset();
    assert_eq!(harness.client.phase(), Phase::Waiting);
    assert_eq!(harness.count(|a| matches!(a, Action::Reconnecting { attempt: 1, .. })), 2);
}

/// Nothing has failed when the application asks for a new link: no limit forbids it, and it never waits for long.
#[test]
fn reconnect_is_no_failed_attempt() {
    let mut harness = Harness::new(with_attempts(1));
    harness.connect();
    for _ in 0..30 {
        harness.open_link();
        harness.frame();
        harness.pass(secs(1));
        harness.client.handle_reconnect(harness.now);
        harness.drain();
        assert_ne!(harness.client.phase(), Phase::Closed);
        assert!(harness.pass_until_dial() <= secs(1));
    }
}
