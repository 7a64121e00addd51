//! Coming back spread out over the window that the server has named.

mod common;

use common::{Harness, ms, secs};
use everwire_core::{
    Action, BackoffConfig, Cause, Config, Duration, ExpectReply, Instant, Phase, State, Window,
};

fn hear(harness: &mut Harness, window: Window) {
    harness.client.handle_window(harness.client.link(), window, harness.now);
    harness.drain();
}

/// A wire in use for so long that earlier failures are forgotten, whose server has named a window.
fn stable(seed: u64, config: Config, window: Window) -> Harness {
    let mut harness = Harness::seeded(config, seed);
    harness.connect();
    harness.open_link();
    harness.frame();
    harness.pass(secs(10));
    hear(&mut harness, window);
    harness
}

fn refuse(harness: &mut Harness) {
    harness.client.handle_dialled(harness.client.link(), true, harness.now);
    harness.drain();
    harness.reset();
}

/// The next dials after the link has ended with `code`, counted from there, if each is refused at once.
fn dials(harness: &mut Harness, code: u16, count: usize) -> Vec<Duration> {
    let began = harness.now;
    harness.closed(code, code != 1006);
    let dials = (0..count).map(|dial| {
        if dial > 0 {
            refuse(harness);
        }
        harness.pass_until_dial();
        harness.now.since(began)
    });
    dials.collect()
}

fn longest(of: impl Fn(u64) -> Duration) -> Duration {
    (0..300).map(of).max().unwrap()
}

fn within(longest: Duration, window: Duration) {
    let nearly = Duration::from_micros(window.as_micros() * 9 / 10);
    assert!(longest < window && longest > nearly, "{longest:?} of {window:?}");
}

/// Every end of a link on which the server has said so, not those codes alone that mean it.
#[test]
fn an_instruction_is_used_whole_and_phi_is_kept() {
    for code in [1001, 1012, 1013, 1000, 1006, 1011, 4000] {
        within(
            longest(|seed| {
                let mut harness = stable(seed, Config::default(), Window::Instructed(secs(40)));
                let dials = dials(&mut harness, code, 5);
                let rounds: Vec<_> = dials.iter().map(|due| *due - dials[0]).collect();
                assert_eq!(rounds, [secs(0), secs(40), secs(80), secs(120), secs(160)], "code {code}");
                dials[0]
            }),
            secs(40),
        );
    }
}

#[test]
fn an_advertised_window_is_for_a_server_that_goes_and_capped() {
    for code in [1001, 1012, 1013] {
        within(
            longest(|seed| {
                let mut harness = stable(seed, Config::default(), Window::Advertised(secs(40)));
                let dials = dials(&mut harness, code, 4);
                let rounds: Vec<_> = dials.iter().map(|due| *due - dials[0]).collect();
                assert_eq!(rounds, [secs(0), secs(30), secs(60), secs(90)]);
                dials[0]
            }),
            secs(30),
        );
    }
}

#[test]
fn the_users_own_cap_holds_for_what_is_advertised() {
    let config = Config {
        backoff: BackoffConfig { delay_max: secs(8), ..BackoffConfig::default() },
        ..Config::default()
    };
    within(
        longest(|seed| {
            let mut harness = stable(seed, config, Window::Advertised(secs(40)));
            dials(&mut harness, 1012, 1)[0]
        }),
        secs(8),
    );
}

/// The server is probably well: the first dial is as quick as ever, and a refused one begins the phase.
#[test]
fn a_lone_loss_does_not_wait_for_an_advertised_window_but_its_refused_dial_does() {
    let ways = |seed| {
        let mut harness = stable(seed, Config::default(), Window::Advertised(secs(20)));
        let dials = dials(&mut harness, 1006, 4);
        assert!(dials[0] <= secs(1));
        assert_eq!((dials[2] - dials[1], dials[3] - dials[2]), (secs(20), secs(20)));
        dials[1] - dials[0]
    };
    within(longest(ways), secs(20));
}

#[test]
fn a_dial_that_hangs_begins_the_phase_as_a_refused_one_does() {
    within(
        longest(|seed| {
            let mut harness = stable(seed, Config::default(), Window::Advertised(secs(20)));
            harness.reset();
            harness.pass_until_dial();
            harness.client.handle_dialled(2, true, harness.now);
            harness.pass(secs(20));
            harness.pass_until_dial()
        }),
        secs(20),
    );
}

/// Nobody else comes back with a client whose own token or own provider is at fault.
#[test]
fn a_refused_token_and_a_failed_provider_are_no_crowd() {
    for case in 0..3 {
        within(
            longest(|seed| {
                let mut harness = stable(seed, Config::default(), Window::Advertised(secs(30)));
                if case == 0 {
                    harness.closed(1008, true);
                } else {
                    harness.reset();
                    harness.pass_until_dial();
                }
                match case {
                    1 => harness.client.handle_dial_failed(2, harness.now),
                    2 => harness.pass(secs(20)),
                    _ => {}
                }
                harness.drain();
                harness.pass_until_dial()
            }),
            secs(5) + ms(1),
        );
    }
}

#[test]
fn our_own_verdict_does_not_wait_for_an_advertised_window() {
    let mut config = Config::default();
    config.liveness.expect_reply = ExpectReply::Yes;
    let mut harness = stable(1, config, Window::Advertised(secs(30)));
    harness.pass(secs(33));
    assert_eq!((harness.client.phase(), harness.client.link()), (Phase::Asking, 2), "dialled at once");
}

/// φ counts from the word, not from the end of the link.
#[test]
fn the_link_may_go_on_until_phi() {
    let mut ends = (0..100).filter_map(|seed| {
        let began = stable(seed, Config::default(), Window::Instructed(secs(40))).now;
        let due = |after: Duration| {
            let mut harness = stable(seed, Config::default(), Window::Instructed(secs(40)));
            harness.pass(after);
            harness.closed(4000, true);
            harness.pass_until_dial();
            harness.now.since(began)
        };
        let phase = due(Duration::ZERO);
        (phase > secs(3)).then(|| (phase, due(secs(3))))
    });
    assert!(ends.all(|(phase, later)| phase == later));
}

#[test]
fn the_phase_ends_with_ten_stable_seconds_and_not_with_a_link() {
    let mut harness = stable(3, Config::default(), Window::Instructed(secs(40)));
    let first = dials(&mut harness, 1012, 1)[0];
    let began = harness.now;
    harness.open_link();
    harness.frame();
    harness.pass(ms(9_980));
    harness.reset();
    harness.pass_until_dial();
    assert_eq!(harness.now.since(began), secs(40), "its own place in the next round, φ = {first:?}");
    harness.open_link();
    harness.frame();
    harness.pass(secs(10));
    harness.reset();
    assert!(harness.pass_until_dial() <= secs(1), "a lone loss again");
}

/// A node that is drained right after another has sent us there: its word must outlive the stable link.
#[test]
fn the_word_of_a_server_outlives_a_link_that_becomes_stable() {
    for again in [secs(40), secs(60)] {
        within(
            longest(|seed| {
                let mut harness = stable(seed, Config::default(), Window::Instructed(secs(40)));
                dials(&mut harness, 1012, 1);
                harness.open_link();
                harness.frame();
                hear(&mut harness, Window::Instructed(again));
                harness.pass(secs(12));
                harness.closed(4000, true);
                harness.pass_until_dial() + secs(12)
            }),
            again + ms(1),
        );
    }
}

/// An endless chain of instructions is no tight loop, whatever they say.
#[test]
fn a_server_that_accepts_and_sends_everybody_away_is_not_hammered() {
    for windows in [[0, 0], [1, 1], [0, 1], [1, 999], [999, 0]] {
        let mut harness = stable(9, Config::default(), Window::Instructed(ms(windows[0])));
        let until = harness.now + secs(600);
        harness.closed(1012, true);
        let mut round = 0;
        while harness.now < until {
            harness.pass_until_dial();
            harness.open_link();
            harness.frame();
            hear(&mut harness, Window::Instructed(ms(windows[round % 2])));
            harness.closed(1012, true);
            round += 1;
        }
        // The mean wait of the backoff at its cap is 15 s: 40 in 600 s, and the quick ones before.
        assert!(round < 70, "{round} dials with {windows:?}");
    }
}

#[test]
fn a_hostile_window_is_harmless() {
    for (window, longest_wait) in [
        (Window::Advertised(Duration::ZERO), secs(5)),
        (Window::Advertised(ms(1)), secs(5)),
        (Window::Advertised(Duration::from_micros(u64::MAX)), secs(30)),
        (Window::Instructed(Duration::ZERO), Duration::ZERO),
        (Window::Instructed(ms(1)), ms(1)),
        (Window::Instructed(Duration::from_micros(u64::MAX)), secs(600)),
    ] {
        let mut close = 0;
        for seed in 0..200 {
            let mut harness = stable(seed, Config::default(), window);
            let first = dials(&mut harness, 1012, 1)[0];
            assert!(first <= longest_wait, "{window:?}: {first:?}");
            let mut last = first;
            for _ in 0..6 {
                refuse(&mut harness);
                let wait = harness.pass_until_dial();
                assert!(wait <= longest_wait.max(secs(30)), "{window:?}: {wait:?}");
                close += u32::from(wait < ms(10) && last < ms(10));
                last = wait;
            }
        }
        assert!(close <= 3, "{window:?}: {close} pairs of dials in no time");
    }
}

/// Without a word of the server's all is as it was: the same draws from the same seed.
#[test]
fn a_window_of_nothing_changes_nothing() {
    for (seed, code) in [(1, 1012), (2, 1001), (3, 1006), (4, 1008)] {
        let mut plain = stable(seed, Config::default(), Window::Advertised(Duration::ZERO));
        let mut none = Harness::seeded(Config::default(), seed);
        none.connect();
        none.open_link();
        none.frame();
        none.pass(secs(10));
        assert_eq!(dials(&mut plain, code, 8), dials(&mut none, code, 8));
    }
}

fn waiting_for_phi(of_at_least: Duration) -> (Harness, Instant) {
    (0..)
        .find_map(|seed| {
            let mut harness = stable(seed, Config::default(), Window::Instructed(secs(120)));
            harness.closed(1012, true);
            let due = harness.client.next_deadline().unwrap();
            (due.since(harness.now) >= of_at_least).then_some((harness, due))
        })
        .unwrap()
}

#[test]
fn nothing_local_cuts_the_wait_for_phi_short_but_the_application() {
    let (mut harness, due) = waiting_for_phi(secs(90));
    for _ in 0..3 {
        harness.client.handle_online(harness.now);
        harness.client.handle_wake(harness.now);
        harness.drain();
        harness.client.handle_offline(harness.now);
        harness.drain();
        assert_eq!(harness.client.state(), State::Offline);
        assert!(harness.client.next_deadline().unwrap() >= due, "offline brings it no earlier");
        harness.client.handle_online(harness.now);
        harness.drain();
        assert_eq!((harness.client.phase(), harness.client.next_deadline()), (Phase::Waiting, Some(due)));
        harness.pass(secs(5));
    }
    harness.client.handle_reconnect(harness.now);
    harness.drain();
    assert_eq!(harness.client.phase(), Phase::Asking);
    // Its failure leads back to the place that was given.
    refuse(&mut harness);
    harness.pass_until_dial();
    assert_eq!(harness.now, due);
}

/// A phone that was in a tunnel at φ need not wait for another round.
#[test]
fn what_comes_behind_phi_is_cut_short_when_the_network_is_back() {
    let (mut harness, due) = waiting_for_phi(secs(20));
    harness.client.handle_offline(harness.now);
    harness.pass_until_dial();
    assert!(harness.now >= due);
    refuse(&mut harness);
    harness.client.handle_online(harness.now);
    harness.drain();
    assert_eq!((harness.client.phase(), harness.client.link()), (Phase::Asking, 3));
    refuse(&mut harness);
    assert!(harness.pass_until_dial() >= secs(1));
}

/// However the next dial came about, a stable link ends the phase.
#[test]
fn a_phase_whose_wait_was_never_drawn_ends_as_well() {
    for case in 0..2 {
        let mut harness = stable(1, Config::default(), Window::Instructed(secs(600)));
        if case == 0 {
            harness.client.handle_offline(harness.now);
            harness.closed(1012, true);
            harness.pass_until_dial();
            harness.client.handle_online(harness.now);
        } else {
            harness.client.handle_reconnect(harness.now);
        }
        harness.drain();
        harness.open_link();
        harness.frame();
        harness.pass(secs(10));
        harness.reset();
        assert!(harness.pass_until_dial() <= secs(1), "case {case}");
    }
}

#[test]
fn offline_brings_no_later_round_forward() {
    let mut harness = stable(1, Config::default(), Window::Instructed(secs(120)));
    dials(&mut harness, 1012, 1);
    refuse(&mut harness);
    let due = harness.client.next_deadline();
    harness.client.handle_offline(harness.now);
    harness.drain();
    assert_eq!(harness.client.next_deadline(), due);
}

#[test]
fn online_gives_phi_back_to_a_wait_that_offline_made_longer() {
    let mut harness = (0..)
        .map(|seed| {
            let mut harness = stable(seed, Config::default(), Window::Instructed(secs(40)));
            harness.closed(1012, true);
            harness
        })
        .find(|harness| harness.client.next_deadline().unwrap().since(harness.now) < secs(10))
        .unwrap();
    let due = harness.client.next_deadline();
    harness.client.handle_offline(harness.now);
    harness.drain();
    assert!(harness.client.next_deadline() > due);
    harness.client.handle_online(harness.now);
    harness.drain();
    assert_eq!(harness.client.next_deadline(), due);
}

/// `window=0` is an instruction for one dial; what was advertised stands behind it.
#[test]
fn a_short_instruction_makes_way_for_the_advertised_window() {
    let mut harness = stable(1, Config::default(), Window::Advertised(secs(20)));
    hear(&mut harness, Window::Instructed(Duration::ZERO));
    let dials = dials(&mut harness, 1012, 6);
    assert_eq!(dials[0], Duration::ZERO);
    assert!(dials[1] <= secs(5));
    assert_eq!(
        (dials[3] - dials[2], dials[4] - dials[3], dials[5] - dials[4]),
        (secs(20), secs(20), secs(30))
    );
}

/// Every refusal of a busy server may repeat the window: the place in it is drawn once.
#[test]
fn a_window_that_is_said_again_keeps_phi() {
    for seed in 0..20 {
        let mut harness = stable(seed, Config::default(), Window::Instructed(secs(40)));
        let first = dials(&mut harness, 1012, 1)[0];
        let began = harness.now - first;
        for round in 1..4 {
            harness.open_link();
            harness.frame();
            hear(&mut harness, Window::Instructed(secs(40)));
            harness.closed(1013, true);
            harness.pass_until_dial();
            assert_eq!(harness.now.since(began), first + secs(40).times(round));
        }
    }
}

/// An advertised window is a wish, and the wait for it our own: one page whose network is back is no crowd.
#[test]
fn a_wait_that_nobody_instructed_is_cut_short_as_ever() {
    for behind_phi in [false, true] {
        let window = if behind_phi { Window::Instructed(secs(60)) } else { Window::Advertised(secs(30)) };
        let mut harness = stable(1, Config::default(), window);
        if behind_phi {
            dials(&mut harness, 1012, 1);
            refuse(&mut harness);
        } else {
            harness.closed(1012, true);
        }
        assert_eq!(harness.client.phase(), Phase::Waiting);
        harness.client.handle_online(harness.now);
        harness.drain();
        assert_eq!(harness.client.phase(), Phase::Asking);
    }
}

#[test]
fn a_link_lost_without_a_network_waits_for_phi_as_well() {
    let (_, due) = waiting_for_phi(secs(90));
    let mut seen = 0;
    for seed in 0..50 {
        let mut harness = stable(seed, Config::default(), Window::Instructed(secs(120)));
        harness.client.handle_offline(harness.now);
        harness.closed(1012, true);
        let wait = harness.pass_until_dial();
        assert!(wait >= secs(15) && wait < secs(120));
        seen += u32::from(wait > secs(30));
    }
    assert!(seen > 25, "{seen} of 50 waited for φ; {due:?}");
}

#[test]
fn three_attempts_are_three_in_a_sticky_phase_too() {
    let config = Config {
        backoff: BackoffConfig { attempts_max: 3, ..BackoffConfig::default() },
        ..Config::default()
    };
    let mut harness = stable(1, config, Window::Instructed(secs(40)));
    dials(&mut harness, 1012, 3);
    refuse(&mut harness);
    let last = harness.log.last().unwrap().1;
    assert!(matches!(last, Action::Ended { cause: Cause::MaxAttempts, retry: None, .. }), "{last:?}");
}

#[test]
fn the_wait_is_told_with_its_end() {
    let mut harness = stable(1, Config::default(), Window::Instructed(secs(500)));
    harness.take();
    harness.closed(1012, true);
    let due = harness.client.next_deadline().unwrap();
    let told = harness.count(|action| {
        matches!(action, Action::Reconnecting { delay, code: 1012, attempt: 1, .. } if harness.now + *delay == due)
    });
    assert_eq!(told, 1);
}

#[test]
fn a_window_from_an_older_link_or_from_nobody_is_not_heard() {
    let mut harness = stable(1, Config::default(), Window::Advertised(Duration::ZERO));
    harness.reset();
    hear(&mut harness, Window::Instructed(secs(600)));
    harness.pass_until_dial();
    refuse(&mut harness);
    assert!(harness.pass_until_dial() <= secs(5));
    harness.open_link();
    harness.frame();
    harness.pass(secs(10));
    harness.client.handle_window(1, Window::Instructed(secs(600)), harness.now);
    harness.reset();
    assert!(harness.pass_until_dial() <= secs(1));
}
