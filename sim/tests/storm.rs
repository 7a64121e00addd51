//! The shape of a storm, with few clients and fixed seeds.

use everwire_core::Duration;
use everwire_sim::storm::{Outcome, Rule, Storm, Told, Who};

const WINDOW: Duration = Duration::from_secs(40);

fn storm(down: u64, seed: u64) -> Storm {
    Storm { clients: 400, accepts_per_second: 10, down: Duration::from_secs(down), seed }
}

fn everwire(down: u64, seed: u64, told: Told) -> Outcome {
    storm(down, seed).run(Who::Everwire(told))
}

#[test]
fn everybody_comes_back_with_one_link_and_nobody_before_the_floor() {
    for down in [0, 5, 60, 600] {
        for told in [Told::Instructed(WINDOW), Told::Restart(WINDOW), Told::Before(WINDOW), Told::Nothing] {
            for seed in 0..3 {
                let outcome = everwire(down, seed, told);
                let all = outcome.back_all.unwrap_or_else(|| panic!("{told:?} after {down} s: {outcome:?}"));
                assert!(all >= storm(down, seed).floor(), "{told:?} after {down} s: {outcome:?}");
                assert_eq!((outcome.links_max, outcome.gave_up), (1, 0), "{told:?} after {down} s");
                assert!(outcome.attempts >= 400);
            }
        }
    }
}

#[test]
fn the_same_seed_is_the_same_storm_and_another_is_another() {
    for told in [Told::Instructed(WINDOW), Told::Nothing] {
        assert_eq!(everwire(60, 7, told), everwire(60, 7, told));
        assert_ne!(everwire(60, 7, told), everwire(60, 8, told));
    }
    for rule in Rule::ALL {
        assert_eq!(storm(5, 7).run(Who::Rule(rule)), storm(5, 7).run(Who::Rule(rule)));
    }
}

/// With the server's own window the crowd is hardly ever larger than what the server can take.
#[test]
fn told_a_window_the_crowd_fits_the_server_and_socket_io_does_not() {
    for down in [5, 60, 600] {
        for seed in 0..3 {
            let told = everwire(down, seed, Told::Instructed(WINDOW));
            let socket_io = storm(down, seed).run(Who::Rule(Rule::SocketIo));
            assert!(told.attempts * 2 < socket_io.attempts, "{told:?} {socket_io:?}");
            assert!(told.peak_up * 2 < socket_io.peak_up, "{told:?} {socket_io:?}");
            // 10 are expected in a second and, if every second is full, 10 + 4·√10 in the worst of 40.
            assert!(told.peak <= 23, "{told:?}");
            // One round of W late at the most: whom a full queue turned away.
            let late = told.back_all.unwrap() - storm(down, seed).floor();
            assert!(late <= WINDOW + Duration::from_secs(1), "{told:?}");
        }
    }
}

/// To know W is half of it. Drawn anew, a wait is W ÷ 2 in the mean, and so twice as many come in a second.
#[test]
fn who_keeps_a_place_in_the_window_dials_less_than_who_draws_anew() {
    for down in [60, 600] {
        for seed in 0..3 {
            let kept = everwire(down, seed, Told::Instructed(WINDOW));
            let anew = storm(down, seed).run(Who::Rule(Rule::JitterOver(WINDOW)));
            assert!(kept.attempts * 3 < anew.attempts * 2, "{kept:?} {anew:?}");
            assert!(kept.peak < anew.peak, "{kept:?} {anew:?}");
        }
    }
}

/// Nearly nobody fails twice after the return: an outage of D costs D ÷ W rounds and one more.
#[test]
fn attempts_are_the_rounds_of_the_outage() {
    for (down, rounds) in [(5u64, 1.0 + 5.0 / 40.0), (60, 1.0 + 60.0 / 40.0), (600, 1.0 + 600.0 / 40.0)] {
        let outcome = everwire(down, 1, Told::Instructed(WINDOW));
        let each = outcome.attempts as f64 / 400.0;
        assert!((each - rounds).abs() < 0.3, "{each} dials each after {down} s");
    }
}

#[test]
fn rules_that_stop_leave_people_behind() {
    let outcome = storm(60, 1).run(Who::Rule(Rule::SignalR));
    assert_eq!((outcome.gave_up, outcome.back_all), (400, None), "four dials in 42 s");
}
