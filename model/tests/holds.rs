//! Every schedule within the small bounds keeps what the protocol promises.

use everwire_model::{Bug, Order, SMALL, Setting};

fn setting(name: &str) -> &'static Setting {
    SMALL.iter().find(|setting| setting.name() == name).expect("a setting")
}

/// Explores a setting, of which so many states are known; fewer would mean that something is no longer explored.
#[track_caller]
fn holds(name: &str, least: usize) {
    let outcome = setting(name).explore(Bug::NONE, Order::Depth, 1);
    println!("{}\n{outcome}", setting(name));
    assert!(outcome.holds(), "broken: {:?}", outcome.broken());
    assert!(outcome.unique >= least, "{} states", outcome.unique);
}

/// [SEND-4] [SEND-6] [REF-7] [ENG-6] [ENG-17] [WELC-7] [WELC-13] [KEEP-1] [ACK-1]
#[test]
fn two_clients_that_meet_in_an_engine_and_lose_it() {
    holds("pair", 4_400_000);
}

/// [SEND-4] [SEND-6] [SEND-22] [REF-1] [REF-7] [ENG-5] [ENG-6] [ENG-10] [ENG-14] [ENG-15] [WELC-7] [WELC-13] [KEEP-1] [NODE-6] [ACK-1]
#[test]
fn one_client_with_every_fault() {
    holds("lone", 4_200_000);
}

/// [SEND-9] [SEND-14] [CRED-2] [SEND-22] [KEEP-1]
#[test]
fn a_slow_hook_and_little_credit() {
    holds("slow", 1_100_000);
}

/// [SEND-10] [SEND-14] [CLOSE-8] [KEEP-1]
#[test]
fn a_record_that_goes_under_its_client() {
    holds("gone", 230_000);
}

/// [SEND-6] [REF-7]
#[test]
fn a_message_that_is_tried_alone_and_withdrawn() {
    holds("long", 790_000);
}

/// [POS-11] [POS-15] [POS-19] [ROOM-6]
#[test]
fn a_room_that_is_left_and_joined_again() {
    holds("room", 720_000);
}

/// [LOST-4] [POS-11] [POS-15] [HELLO-5] [KEEP-1]
#[test]
fn a_log_that_keeps_one_message() {
    holds("trim", 150_000);
}

/// [EPOCH-2] [POS-6] [ENG-30] [HELLO-5]
#[test]
fn a_log_that_is_lost() {
    holds("epoch", 390_000);
}

/// [CRED-10] [POS-11] [HELLO-5]
#[test]
fn messages_of_which_four_shut_the_window() {
    holds("window", 75_000);
}

/// So what is reached at rest is not put off for ever; and both ways to count states come to the same.
#[test]
fn every_schedule_ends() {
    for name in ["gone", "trim", "window"] {
        let (ends, states) = setting(name).ends();
        assert!(ends, "{name} goes round in circles");
        assert_eq!(states, setting(name).explore(Bug::NONE, Order::Breadth, 1).unique, "{name}");
    }
}
