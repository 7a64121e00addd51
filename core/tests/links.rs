//! How a link comes into use, how it ends, and what the server's close codes mean.

mod common;

use common::{Harness, ms, secs};
use everwire_core::{Action, Cause, Closed, Config, Phase, State};

fn with_token() -> Config {
    Config { has_token: true, ..Config::default() }
}

fn last_end(harness: &Harness) -> Option<Action> {
    harness.log.iter().rev().map(|(_, action)| *action).find(|action| matches!(action, Action::Ended { .. }))
}

#[test]
fn open_means_a_first_frame() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    harness.open_link();
    assert_eq!(harness.client.state(), State::Connecting);
    harness.frame();
    assert_eq!(harness.client.state(), State::Open);
    assert_eq!(harness.count(|action| matches!(action, Action::Opened { link: 1, attempts: 0 })), 1);
}

/// Twice the time of the dial, 50 ms at least and 1 s at most.
#[test]
fn a_silent_server_is_used_after_a_moment() {
    for (dial, wait) in [(1, 50), (25, 50), (100, 200), (500, 1000), (5000, 1000)] {
        let mut harness = Harness::new(Config::default());
        harness.connect();
        harness.client.handle_dialled(1, false, harness.now);
        harness.pass(ms(dial));
        harness.client.handle_link_open(1, harness.now);
        harness.drain();
        harness.pass(ms(wait - 1));
        assert_eq!(harness.client.state(), State::Connecting, "dial of {dial} ms");
        harness.pass(ms(1));
        assert_eq!(harness.client.state(), State::Open, "dial of {dial} ms");
    }
}

#[test]
fn what_waits_is_written_before_open_is_announced() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    let first = harness.send(10);
    let second = harness.send(10);
    harness.open_link();
    assert_eq!(harness.written(), []);
    harness.frame();
    let order: Vec<_> = harness.take();
    let at = |wanted: Action| order.iter().position(|action| *action == wanted).unwrap();
    assert!(at(Action::Write { ticket: first }) < at(Action::Write { ticket: second }));
    assert!(at(Action::Write { ticket: second }) < at(Action::StateChanged(State::Open)));
}

#[test]
fn a_message_waits_while_a_refusal_may_still_come() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    harness.send(10);
    harness.open_link();
    harness.closed(1008, true);
    assert_eq!((harness.written(), harness.dropped()), (vec![], vec![]));
    assert_eq!(harness.client.waiting(), (1, 10));
    assert_eq!(harness.client.state(), State::Waiting, "without a token 1008 is a reason to wait");
}

#[test]
fn a_refused_token_is_replaced_once_and_then_final() {
    for code in [1008, 4401] {
        let mut harness = Harness::new(with_token());
        harness.connect();
        harness.open_link();
        harness.closed(code, true);
        harness.pass(ms(0));
        assert_eq!(
            (harness.client.phase(), harness.client.link()),
            (Phase::Asking, 2),
            "asked again at once"
        );
        harness.open_link();
        harness.closed(code, true);
        assert_eq!(harness.client.state(), State::Closed);
        let closed = Closed { code, clean: true };
        assert_eq!(
            last_end(&harness),
            Some(Action::Ended { link: 2, cause: Cause::AuthRefused, closed, retry: None })
        );
    }
}

#[test]
fn the_same_token_again_is_backoff_until_another_is_refused() {
    let mut harness = Harness::new(with_token());
    harness.connect();
    harness.open_link();
    harness.closed(1008, true);
    for _ in 0..3 {
        harness.pass_until_dial();
        let link = harness.client.link();
        harness.client.handle_dialled(link, false, harness.now);
        harness.client.handle_link_open(link, harness.now);
        harness.closed(1008, true);
        assert_eq!(harness.client.state(), State::Waiting);
    }
    harness.pass_until_dial();
    harness.open_link();
    harness.closed(1008, true);
    assert_eq!(harness.client.state(), State::Closed);
}

#[test]
fn a_policy_close_after_anything_was_exchanged_is_backoff() {
    for heard in [true, false] {
        let mut harness = Harness::new(with_token());
        harness.connect();
        harness.send(10);
        harness.open_link();
        if heard {
            harness.frame()
        } else {
            harness.pass(secs(1))
        }
        assert_eq!(harness.written().len(), 1);
        harness.closed(1008, true);
        harness.pass_until_dial();
        harness.open_link();
        harness.closed(1008, true);
        assert_eq!(harness.client.state(), State::Waiting, "a first refusal, not a second");
        harness.pass(ms(0));
        harness.frame();
    }
}

#[test]
fn a_link_that_worked_clears_the_refusals() {
    let mut harness = Harness::new(with_token());
    harness.connect();
    for _ in 0..2 {
        harness.open_link();
        harness.closed(1008, true);
        harness.pass_until_dial();
        harness.open_link();
        harness.frame();
        assert_eq!(harness.client.state(), State::Open);
        harness.pass(secs(120));
        harness.reset();
        harness.pass_until_dial();
    }
}

#[test]
fn a_broken_link_is_never_called_normal() {
    let mut harness = Harness::open(Config::default());
    harness.reset();
    let closed = Closed { code: 1006, clean: false };
    assert!(matches!(
        last_end(&harness),
        Some(Action::Ended { cause: Cause::Lost, closed: c, retry: Some(_), .. }) if c == closed
    ));
}

#[test]
fn the_true_code_of_a_close_is_handed_on() {
    for code in [1000, 1001, 1009, 1011, 1012, 4000, 4999] {
        let mut harness = Harness::open(Config::default());
        harness.closed(code, true);
        assert!(matches!(
            last_end(&harness),
            Some(Action::Ended { cause: Cause::ClosedByServer, closed, retry: Some(_), .. }) if closed.code == code
        ));
        assert_eq!(harness.client.state(), State::Waiting, "proxies close with 1000 too: come back");
    }
}

#[test]
fn close_drains_then_shakes_hands() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    let ticket = harness.send(10);
    harness.client.handle_close(secs(5), harness.now);
    harness.drain();
    assert_eq!(harness.client.state(), State::Closing);
    assert!(harness.client.submit(everwire_core::Ticket(99), 1, harness.now).is_err());
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written(), [ticket]);
    assert_eq!(harness.client.phase(), Phase::Closing);
    assert_eq!(harness.count(|action| matches!(action, Action::Opened { .. })), 0);
    harness.closed(1000, true);
    assert_eq!(harness.settled(), [ticket], "the answer to our close frame stood behind it");
    assert_eq!(harness.client.state(), State::Closed);
}

#[test]
fn close_gives_up_on_the_outbox_after_its_time() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    let ticket = harness.send(10);
    harness.client.handle_close(secs(5), harness.now);
    harness.pass(ms(4_999));
    assert_eq!(harness.client.state(), State::Closing);
    harness.pass(ms(1));
    assert_eq!(harness.client.state(), State::Closed);
    assert_eq!(harness.dropped(), [(ticket, everwire_core::Reason::Closed)]);
}

#[test]
fn a_closing_handshake_that_nobody_answers_ends() {
    let mut harness = Harness::open(Config::default());
    let ticket = harness.send(10);
    harness.client.handle_close(secs(5), harness.now);
    harness.drain();
    harness.pass(secs(2));
    assert_eq!(harness.client.state(), State::Closed);
    assert_eq!(harness.dropped(), [(ticket, everwire_core::Reason::InDoubt)]);
    assert_eq!(harness.count(|action| matches!(action, Action::DropLink { link: 1 })), 1);
}

#[test]
fn close_survives_online_wake_and_reconnect() {
    let mut harness = Harness::open(Config::default());
    harness.client.handle_close(secs(5), harness.now);
    harness.closed(1000, true);
    harness.take();
    harness.client.handle_online(harness.now);
    harness.client.handle_wake(harness.now);
    harness.client.handle_reconnect(harness.now);
    harness.client.handle_connect(harness.now);
    harness.client.handle_offline(harness.now);
    harness.drain();
    assert_eq!(harness.take(), []);
    assert_eq!(harness.client.next_deadline(), None);
}

#[test]
fn a_write_that_fails_stays_in_the_outbox_in_its_place() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    let tickets: Vec<_> = (0..3).map(|_| harness.send(10)).collect();
    harness.open_link();
    harness.client.handle_frame(1, everwire_core::Frame::Message, harness.now);
    let mut written = Vec::new();
    while let Some(action) = harness.client.poll() {
        if let Action::Write { ticket } = action {
            if ticket == tickets[1] {
                harness.client.handle_write_failed(ticket, harness.now);
            } else {
                written.push(ticket);
            }
        }
    }
    assert_eq!(written, [tickets[0]]);
    assert_eq!(harness.client.waiting(), (2, 20));
    harness.pass_until_dial();
    harness.open_link();
    harness.frame();
    assert_eq!(harness.written(), tickets[1..]);
}

/// While the second link connects, late news of the first must not open it, prove it or end it.
#[test]
fn late_news_of_an_older_link_moves_nothing() {
    let mut harness = Harness::open(Config::default());
    let ticket = harness.send(10);
    harness.pass(secs(3));
    harness.client.handle_reconnect(harness.now);
    harness.drain();
    let dropped = harness.dropped();
    assert_eq!(dropped, [(ticket, everwire_core::Reason::InDoubt)]);
    harness.client.handle_dialled(2, false, harness.now);
    harness.client.handle_link_open(1, harness.now);
    harness.drain();
    assert_eq!(harness.client.phase(), Phase::Dialling);
    harness.client.handle_link_open(2, harness.now);
    harness.drain();
    harness.client.handle_frame(1, everwire_core::Frame::Message, harness.now);
    harness.drain();
    assert_eq!(harness.client.phase(), Phase::Proving, "proved by a frame of another link");
    harness.frame();
    let ticket = harness.send(10);
    harness.pass(secs(3));
    harness.client.handle_frame(1, everwire_core::Frame::Message, harness.now);
    harness.drain();
    assert_eq!(harness.settled(), [], "settled by a frame of another link");
    harness.frame();
    assert_eq!(harness.settled(), [ticket]);
}

/// A socket may report its end from inside `send()`: what was ordered and never carried out is not in doubt.
#[test]
fn a_link_that_ends_between_order_and_write_loses_nothing() {
    let mut harness = Harness::new(Config::default());
    harness.connect();
    let tickets: Vec<_> = (0..3).map(|_| harness.send(10)).collect();
    harness.open_link();
    harness.client.handle_frame(1, everwire_core::Frame::Message, harness.now);
    assert_eq!(harness.client.poll(), Some(Action::Write { ticket: tickets[0] }));
    harness.closed(1006, false);
    assert_eq!(harness.written(), []);
    assert_eq!(harness.dropped(), [(tickets[0], everwire_core::Reason::InDoubt)]);
    assert_eq!(harness.client.waiting(), (2, 20));
}

#[test]
fn a_handshake_that_breaks_settles_nothing() {
    let mut harness = Harness::open(Config::default());
    let ticket = harness.send(10);
    harness.client.handle_close(secs(5), harness.now);
    harness.drain();
    harness.reset();
    assert_eq!(harness.client.state(), State::Closed);
    assert_eq!(harness.dropped(), [(ticket, everwire_core::Reason::InDoubt)]);
}

/// A server that greets before it closes with 1008 had no quarrel with the token.
#[test]
fn a_policy_close_after_a_greeting_counts_as_no_refusal() {
    let mut harness = Harness::new(with_token());
    harness.connect();
    harness.open_link();
    harness.frame();
    harness.closed(1008, true);
    assert_eq!(harness.client.state(), State::Waiting);
    harness.pass_until_dial();
    harness.open_link();
    harness.closed(1008, true);
    assert_ne!(harness.client.state(), State::Closed);
}
