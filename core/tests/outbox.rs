//! What waits, and what holds it back: time to live, key, priority, the rate, and a buffer that is full.

mod common;

use common::{Harness, ms, secs};
use everwire_core::session::up::Outgoing;
use everwire_core::{Config, OutboxConfig, Overflow, Rate, Reason, Refusal, SENDERS_MAX, State, Ticket};

fn with_overflow(overflow: Overflow) -> Config {
    Config {
        outbox: OutboxConfig { messages_max: 2, overflow, ..OutboxConfig::default() },
        ..Config::default()
    }
}

fn offline(config: Config) -> Harness {
    let mut harness = Harness::new(config);
    harness.connect();
    harness
}

#[test]
fn a_message_is_late_at_its_time_and_not_before() {
    let mut harness = offline(Config::default());
    let expires = harness.now + ms(500);
    let late = harness.send_as(|message| Outgoing { expires: Some(expires), ..message });
    let other = harness.send(10);
    harness.pass(ms(499));
    assert_eq!(harness.dropped(), []);
    harness.pass(ms(1));
    assert_eq!(harness.dropped(), [(late, Reason::Expired)]);
    assert_eq!(harness.client.waiting(), (1, 10));
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written(), [other]);
}

#[test]
fn what_is_written_is_never_late() {
    let mut harness = Harness::open(Config::default());
    let expires = harness.now + ms(100);
    let ticket = harness.send_as(|message| Outgoing { expires: Some(expires), ..message });
    assert_eq!(harness.written(), [ticket]);
    harness.pass(secs(5));
    assert_eq!(harness.dropped(), []);
    harness.frame();
    assert_eq!(harness.settled(), [ticket]);
}

/// A timer may be late, on a page whose timers are throttled: the link that opens first looks at the clock.
#[test]
fn nothing_late_is_written_by_a_late_timer() {
    let mut harness = offline(Config::default());
    let expires = harness.now + ms(100);
    let ticket = harness.send_as(|message| Outgoing { expires: Some(expires), ..message });
    let link = harness.client.link();
    harness.client.handle_dialled(link, false, harness.now);
    harness.now = harness.now + ms(200);
    harness.client.handle_link_open(link, harness.now);
    harness.frame();
    assert_eq!((harness.written(), harness.dropped()), (vec![], vec![(ticket, Reason::Expired)]));
}

#[test]
fn a_time_to_live_outlives_its_link() {
    let mut harness = offline(Config::default());
    let expires = harness.now + secs(300);
    let ticket = harness.send_as(|message| Outgoing { expires: Some(expires), ..message });
    harness.open_link();
    harness.closed(1006, false);
    harness.client.handle_offline(harness.now);
    harness.drain();
    while harness.dropped().is_empty() {
        let due = harness.client.next_deadline().expect("it is late some day");
        harness.pass(due.since(harness.now));
        assert!(harness.now <= expires, "nobody looked");
    }
    assert_eq!((harness.now, harness.dropped()), (expires, vec![(ticket, Reason::Expired)]));
}

/// The last one that `close()` waits for is late: nothing is left to wait for.
#[test]
fn a_wire_that_drains_closes_when_the_last_is_late() {
    let mut harness = offline(Config::default());
    let expires = harness.now + ms(100);
    harness.send_as(|message| Outgoing { expires: Some(expires), ..message });
    harness.client.handle_close(secs(5), harness.now);
    harness.drain();
    assert_eq!(harness.client.state(), State::Closing);
    harness.pass(ms(100));
    assert_eq!(harness.client.state(), State::Closed);
}

#[test]
fn of_a_key_the_newest_waits_in_the_place_of_the_first() {
    let mut harness = offline(Config::default());
    let keyed = |message| Outgoing { key: Some(7), ..message };
    let first = harness.send_as(keyed);
    let between = harness.send(10);
    let newest = harness.send_as(keyed);
    assert_eq!(harness.dropped(), [(first, Reason::Replaced)]);
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written(), [newest, between]);
    let later = harness.send_as(keyed);
    assert_eq!(harness.dropped().len(), 1, "what is written is replaced by nobody");
    assert_eq!(harness.written().last(), Some(&later));
}

#[test]
fn the_higher_priority_goes_first_and_each_in_its_order() {
    let mut harness = offline(Config::default());
    let tickets: Vec<_> = [0, 5, 255, 5, 0]
        .map(|priority| harness.send_as(|message| Outgoing { priority, ..message }))
        .to_vec();
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written(), [2, 1, 3, 0, 4].map(|at: usize| tickets[at]));
}

#[test]
fn what_leaves_for_want_of_room() {
    for (overflow, leaves) in [(Overflow::DropOldest, Ticket(1)), (Overflow::DropNewest, Ticket(2))] {
        let mut harness = offline(with_overflow(overflow));
        harness.send_as(|message| Outgoing { priority: 1, ..message });
        harness.send(10);
        harness.send(10);
        assert_eq!(harness.dropped(), [(leaves, Reason::Overflow)], "{overflow:?}");
    }
    let mut harness = offline(with_overflow(Overflow::Reject));
    harness.send(10);
    harness.send(10);
    assert_eq!(harness.client.submit(Ticket(9), 10, harness.now), Err(Refusal::OutboxFull));
}

#[test]
fn so_many_wait_for_room_and_all_are_told_at_the_end() {
    let mut harness = offline(with_overflow(Overflow::Wait));
    for _ in 0..2 + SENDERS_MAX {
        harness.send(10);
    }
    assert_eq!(harness.client.submit(Ticket(9999), 10, harness.now), Err(Refusal::OutboxFull));
    assert!(harness.client.handle_abort(Ticket(1000), harness.now));
    harness.drain();
    assert_eq!(harness.client.submit(Ticket(9999), 10, harness.now), Ok(()));
    harness.client.handle_close(ms(0), harness.now);
    harness.drain();
    let dropped = harness.dropped();
    assert_eq!(dropped.len(), 3 + SENDERS_MAX as usize);
    assert_eq!(dropped[0], (Ticket(1000), Reason::Aborted));
    assert!(dropped[1..].iter().all(|(_, reason)| *reason == Reason::Closed));
}

#[test]
fn the_rate_holds_messages_back_and_they_wait() {
    let rate = Some(Rate { per_second_milli: 2_000, burst: 3 });
    let mut harness = Harness::open(Config { rate, ..Config::default() });
    for _ in 0..5 {
        harness.send(10);
    }
    assert_eq!((harness.written().len(), harness.client.waiting()), (3, (2, 20)));
    harness.pass(ms(499));
    assert_eq!(harness.written().len(), 3);
    harness.pass(ms(1));
    assert_eq!(harness.written().len(), 4);
    let urgent = harness.send_as(|message| Outgoing { priority: 1, ..message });
    harness.pass(ms(500));
    assert_eq!(harness.written().last(), Some(&urgent), "priority acts on what the rate holds back");
    harness.pass(ms(500));
    assert_eq!((harness.written().len(), harness.client.waiting()), (6, (0, 0)));
    assert!(
        harness.client.next_deadline().is_none_or(|due| due > harness.now + secs(1)),
        "nothing to come back for"
    );
}

/// A link that breaks all the time would otherwise be a way around it.
#[test]
fn a_new_link_gives_no_new_allowance() {
    let rate = Some(Rate { per_second_milli: 10, burst: 2 });
    let mut harness = Harness::open(Config { rate, ..Config::default() });
    for _ in 0..4 {
        harness.send(10);
    }
    assert_eq!(harness.written().len(), 2);
    harness.reset();
    harness.pass_until_dial();
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written().len(), 2);
    harness.pass(secs(200));
    assert_eq!(harness.written().len(), 4);
}

#[test]
fn nothing_is_written_into_a_buffer_over_its_mark() {
    let mut harness = Harness::open(Config { high_water: 100, ..Config::default() });
    harness.takes_all = false;
    harness.send(100);
    harness.send(1);
    assert_eq!(harness.written().len(), 2, "100 is not over 100");
    assert!(harness.client.is_over_high_water());
    harness.send(10);
    harness.pass(secs(1));
    assert_eq!((harness.written().len(), harness.client.waiting()), (2, (1, 10)));
    harness.client.handle_buffered(101, harness.now);
    harness.drain();
    assert_eq!(harness.written().len(), 2);
    harness.client.handle_buffered(100, harness.now);
    harness.drain();
    assert_eq!((harness.written().len(), harness.client.waiting()), (3, (0, 0)));
}

#[test]
fn a_full_buffer_is_looked_at_again_and_its_link_takes_it_along() {
    let mut harness = Harness::open(Config { high_water: 100, ..Config::default() });
    harness.takes_all = false;
    harness.send(101);
    harness.send(10);
    let due = harness.client.next_deadline().expect("to look again");
    assert!(due.since(harness.now) <= ms(100), "{due:?}");
    harness.reset();
    harness.pass_until_dial();
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written().len(), 2, "the buffer of a link is gone with it");
}
