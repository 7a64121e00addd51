//! Chapters 6 and 7, upwards: numbers, acknowledgements, refusals, credit, and what waits for them.

mod v1_client_common;

use everwire_core::frame::Form;
use everwire_core::session::Client;
use everwire_core::session::client::*;
use everwire_core::session::up::{Dropped, Exit, Outgoing, Unwritten};
use everwire_core::{Instant, OutboxConfig, Overflow, Rate, Refusal, Ticket};
use v1_client_common::*;

fn never(why: Unwritten) -> Option<Dropped> {
    Some(Dropped::NeverWritten(why))
}

fn small(overflow: Overflow) -> Config {
    let outbox = OutboxConfig { messages_max: 3, bytes_max: 1000, overflow };
    Config { outbox, ..Config::default() }
}

/// [SEND-1] [SEND-2] [FRM-9]
#[test]
fn numbers_are_given_in_the_order_of_writing() {
    let mut host = Host::new(Config::default());
    host.send_one(text(1, 10));
    host.send_one(Outgoing { priority: 2, ..text(2, 10) });
    host.send_one(Outgoing { priority: 1, ..text(3, 10) });
    host.send_one(Outgoing { priority: 2, ..text(4, 10) });
    assert_eq!(host.record.up.written, 0);
    host.connect();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 4 1 [2,4,3,1]"]);
    // In the turn in which it was sent; those of one turn share a frame.
    host.take();
    host.send_one(text(5, 10));
    assert_eq!(host.wire, ["send 5 1 1 [5]"]);
    host.send(6..=8);
    assert_eq!(host.wire[1..], ["send 6 3 1 [6,7,8]"]);
}

/// [SEND-1] [SEND-5]
#[test]
fn only_what_has_no_number_is_replaced_expires_or_is_aborted() {
    let keyed = |ticket, key| Outgoing { key: Some(key), ..text(ticket, 10) };
    let mortal = |ticket, at: Instant| Outgoing { expires: Some(at), ..text(ticket, 10) };
    let mut host = Host::open();
    let soon = host.now + secs(1);
    // Written: nothing can touch them.
    host.send_one(keyed(1, 7));
    host.send_one(mortal(2, soon));
    host.send_one(keyed(3, 7));
    host.abort(1);
    assert!(host.record.aborted.contains(&Ticket(1)));
    host.close(1006);
    // Not written: the newest of a key takes the place of the other, in its place.
    host.send_one(keyed(4, 7));
    host.send_one(mortal(5, soon));
    host.send_one(text(6, 10));
    host.send_one(text(7, 10));
    host.send_one(keyed(8, 7));
    host.abort(6);
    assert_eq!((host.dropped(4), host.dropped(6)), (never(Unwritten::Replaced), never(Unwritten::Aborted)));
    host.now = soon;
    host.client.handle_timeout(host.now);
    host.drain();
    assert_eq!(host.dropped(5), never(Unwritten::Expired));
    assert_eq!(host.exits.len(), 3);
    if host.client.phase() == Phase::Waiting {
        host.redial();
    } else {
        host.dial();
    }
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 5 1 [1,2,3,8,7]"]);
    host.frame("ack 5 9000");
    assert_eq!(host.exit(1), Some(&Exit::Settled));
    assert!(host.record.aborted.is_empty());
}

/// What was expired when the link opened is not written.
#[test]
fn nothing_is_written_too_late() {
    let mut host = Host::new(Config::default());
    let soon = host.now + secs(1);
    host.connect();
    host.submit(Outgoing { expires: Some(soon), ..text(1, 10) });
    host.drain();
    host.now = soon;
    host.welcome("{}");
    assert_eq!(host.wire.len(), 1);
    assert_eq!(host.dropped(1), never(Unwritten::Expired));
}

/// Replaced in the same priority in its place, else by the priority; overflow takes what can best be spared.
#[test]
fn what_the_outbox_does_when_it_is_full() {
    let mut host = Host::new(small(Overflow::Reject));
    host.send(1..=3);
    assert_eq!(host.client.admits(&text(4, 10)), Err(Refusal::OutboxFull));
    host.send(4..=4);
    assert_eq!(host.dropped(4), never(Unwritten::Overflow));

    let mut host = Host::new(small(Overflow::DropNewest));
    host.send(1..=4);
    assert_eq!(host.dropped(4), never(Unwritten::Overflow));
    assert_eq!(host.exits.len(), 1);

    let mut host = Host::new(small(Overflow::DropOldest));
    host.send_one(Outgoing { priority: 1, ..text(1, 10) });
    host.send(2..=4);
    assert_eq!(host.dropped(2), never(Unwritten::Overflow));
    host.send_one(text(5, 990));
    assert_eq!((host.exits.len(), host.dropped(4)), (3, never(Unwritten::Overflow)));
    // The one that is replaced makes room.
    let mut host = Host::new(small(Overflow::Reject));
    host.send_one(Outgoing { key: Some(1), ..text(1, 10) });
    host.send(2..=3);
    host.send_one(Outgoing { key: Some(1), ..text(4, 10) });
    assert_eq!((host.dropped(1), host.exits.len()), (never(Unwritten::Replaced), 1));
    assert_eq!(host.client.admits(&text(5, 1 << 21)), Err(Refusal::TooLarge));
}

/// Dead between the record and the machine: the newer of a key is what stays. [KEEP-1]
#[test]
fn a_replacement_survives_the_instance() {
    let mut host = Host::new(Config::default());
    host.send_one(Outgoing { key: Some(1), ..text(1, 10) });
    host.send_one(text(2, 10));
    host.record.submitted(Outgoing { key: Some(1), ..text(3, 10) });
    host.crash();
    host.drain();
    assert_eq!((host.dropped(1), host.exits.len()), (never(Unwritten::Replaced), 1));
    host.connect();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 2 1 [3,2]"]);
}

/// The twin leaves while its replacement is handed over, too late or to make room: the replacement keeps the place that
/// the record gives it. [KEEP-1] [SEND-1]
#[test]
fn a_replacement_keeps_its_place_whoever_leaves_first() {
    let keyed = |ticket, bytes| Outgoing { key: Some(1), ..text(ticket, bytes) };
    let both = |host: &mut Host, place: &str| {
        assert_eq!(host.record.up.waiting, host.client.record().up.waiting);
        host.connect();
        host.welcome("{}");
        assert_eq!(host.wire[1..], [place]);
    };

    let mut host = Host::new(Config::default());
    let soon = host.now + secs(1);
    host.send_one(Outgoing { expires: Some(soon), ..keyed(1, 10) });
    host.send(2..=2);
    host.now = soon;
    host.send_one(keyed(3, 10));
    assert_eq!((host.dropped(1), host.exits.len()), (never(Unwritten::Expired), 1));
    both(&mut host, "send 1 2 1 [3,2]");

    // The oldest would be the twin; it is replaced, and the one behind it is spared.
    let mut host = Host::new(small(Overflow::DropOldest));
    host.send_one(keyed(1, 10));
    host.send(2..=3);
    host.send_one(keyed(4, 1000));
    assert_eq!((host.dropped(1), host.dropped(2)), (never(Unwritten::Replaced), never(Unwritten::Overflow)));
    both(&mut host, "send 1 1 1 [4]");
}

/// The number is on the record when the frame goes out, and stays given if the write fails. [SEND-3]
#[test]
fn a_number_is_on_the_record_before_it_goes_out() {
    let mut host = Host::open();
    host.submit(text(1, 10));
    let action = host.client.poll().unwrap();
    host.record.note(&action);
    assert_eq!((host.record.up.written, host.record.up.numbered.len()), (1, 1));
    host.client.handle_write_failed(1, host.now);
    host.send(2..=2);
    assert_eq!(host.record.up.written, 1, "a link that takes nothing gets nothing");
    host.pass(secs(2));
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 2 1 [1,2]"]);
}

/// An exit is on the record before an `oldest` above it is written. [SEND-11] [SEND-10]
#[test]
fn an_exit_is_noted_before_it_is_released() {
    let mut host = Host::open();
    host.send(1..=2);
    host.client.handle_timeout(host.now);
    host.submit(text(3, 10));
    host.drain();
    host.frame("ack 1 9000 1:forbidden");
    host.submit(text(4, 10));
    while host.carry_out_one() {
        if let Some(Action::Write { frame: Outbound::Send(written), .. }) = host.done.last() {
            let everwire_core::frame::FromClient::Send { oldest, .. } = written.frame else { panic!() };
            assert!(host.record.up.oldest() >= oldest);
        }
    }
    assert_eq!(host.wire.last().unwrap(), "send 4 1 2 [4]");
}

/// [SEND-13] [SEND-14] [TIME-5]
#[test]
fn refusals_are_let_go() {
    let mut host = Host::open();
    host.send(1..=3);
    host.take();
    host.frame("ack 3 9000 2:forbidden");
    assert!(host.wire.is_empty());
    host.pass(ms(999));
    assert!(host.wire.is_empty());
    host.pass(ms(1));
    assert_eq!(host.wire, ["send 4 0 4 []"]);
    host.take();
    host.pass(secs(5));
    assert!(!host.wire.iter().any(|frame| frame.starts_with("send")));

    // At once without credit, and over the high-water mark too.
    let mut host = Host::open();
    host.send(1..=3);
    host.take();
    host.stuck = Some(2 << 20);
    host.client.handle_buffered(2 << 20, host.now);
    host.frame("ack 3 8192 2:forbidden");
    assert!(host.wire.is_empty(), "there is credit");
    host.send(4..=4);
    assert!(host.wire.is_empty(), "over the high-water mark");
    host.pass(secs(1));
    assert_eq!(host.wire[..1], ["send 4 0 4 []"]);

    let mut host = Host::new(Config::default());
    host.connect();
    host.welcome(r#"{"credit":3}"#);
    host.send(1..=4);
    host.take();
    host.frame("ack 3 3 2:forbidden");
    assert_eq!(host.wire, ["send 4 0 4 []"]);
}

/// [ACK-2] [ACK-5] [ACK-6] [CRED-2] [ERR-13] [NUM-3] [ACK-4]
#[test]
fn a_false_ack_breaks_the_link() {
    for (frames, clause) in [
        (&["ack 1 8192", "ack 0 8192"][..], "ACK-5"),
        (&["ack 4 8192"], "ACK-6"),
        (&["ack 1 8192", "ack 3 8192 1:a"], "ACK-6"),
        (&["ack 3 8192 2:a 1:a"], "ACK-6"),
        (&["ack 3 8192 4:a"], "ACK-6"),
        (&["ack 3 2"], "CRED-2"),
        (&["ack 1 8191"], "CRED-2"),
        (&["ack 1"], "FRM-1"),
        (&["ack 01 8192"], "ERR-2"),
        (&["ack 9007199254740992 9007199254740992"], "NUM-1"),
    ] {
        let mut host = Host::open();
        host.send(1..=3);
        for frame in frames {
            host.frame(frame);
        }
        host.assert_broken(clause);
        // What was carried out before stays so, and nothing of the false one was. [CLOSE-2]
        assert_eq!(host.exits.len(), frames.len() - 1, "{frames:?}");
    }
    let mut host = Host::open();
    host.send(1..=3);
    host.frame("ack 1 8192");
    host.frame("ack 1 9000");
    host.frame("ack 3 9000 2:a");
    assert_eq!(host.exits.len(), 3);
}

/// [ACK-8] [SEND-6]
#[test]
fn a_receipt_says_how_durable_it_is() {
    for durable in [false, true] {
        let mut host = Host::new(Config::default());
        host.connect();
        host.welcome(&format!(r#"{{"durable":{durable}}}"#));
        host.send(1..=1);
        host.frame("ack 1 9000");
        assert_eq!(
            host.did(|action| matches!(action, Action::Exited { durable: of, .. } if *of == durable)),
            1
        );
    }
}

/// A code that nobody knows is handed on. [REF-8] [REF-2]
#[test]
fn a_refusal_exits_with_its_code_and_the_rest_goes_on() {
    let mut host = Host::open();
    host.send(1..=3);
    host.frame("ack 3 9000 2:because-9");
    assert_eq!(host.exit(2), Some(&Exit::Refused("because-9".into())));
    assert_eq!(host.exit(3), Some(&Exit::Settled));
}

/// [REF-9] [REF-10]
#[test]
fn a_message_that_no_node_takes_is_found_and_withdrawn() {
    let mut host = Host::open();
    host.send_one(text(1, 10));
    host.send_one(Outgoing::new(Ticket(2), 70_000, Form::Binary));
    host.send_one(text(3, 10));
    host.close(1009);
    assert_eq!(host.record.up.alone_until, Some(3));
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 1 1 [1]"]);
    assert!(!host.client.cast(Cast { ticket: Ticket(9), bytes: 10, form: Form::Text }, host.now));
    host.frame("ack 1 9000");
    assert_eq!(host.wire[2..], ["more 70011", "send 2 1 2 [2]"]);
    host.crash();
    host.drain();
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["more 70011", "send 2 1 2 [2]"]);
    host.close(1009);
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 2 1 2 [null]"]);
    // Lost with its link, and with its instance: it stays withdrawn.
    host.close(1006);
    host.crash();
    host.drain();
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 2 1 2 [null]"]);
    host.frame("ack 2 9000 2:withdrawn");
    assert_eq!(host.exit(2), Some(&Exit::Refused("too-large".into())));
    host.frame("ack 3 9000");
    host.send(4..=5);
    assert_eq!(host.wire.last().unwrap(), "send 4 2 4 [4,5]");
}

/// [REF-9] An `auth` that may be too long waits while a message is tried alone.
#[test]
fn no_long_frame_beside_one_that_is_tried_alone() {
    let mut host = Host::open_with(Config { has_token: true, ..Config::default() });
    host.send(1..=2);
    host.close(1009);
    host.redial();
    host.welcome(r#"{"expires":50000}"#);
    assert_eq!(host.wire[1..], ["send 1 1 1 [1]"]);
    host.pass_answered(secs(40));
    assert_eq!(host.did(|action| matches!(action, Action::Renew { .. })), 1);
    host.take();
    host.client.handle_renewed(host.client.link(), 1025, host.now);
    host.drain();
    assert!(!host.wire.contains(&"auth".into()));
    host.frame("ack 1 9000");
    assert_eq!(host.wire, ["auth", "send 2 1 2 [2]"]);
}

/// [CRED-1] [CRED-4] [CRED-7] [SEND-9]
#[test]
fn credit_is_absolute_and_belongs_to_the_link() {
    let mut host = Host::new(Config::default());
    host.connect();
    host.welcome(r#"{"credit":2}"#);
    host.send(1..=5);
    assert_eq!(host.wire[1..], ["send 1 2 1 [1,2]"]);
    host.frame("ack 0 4");
    assert_eq!(host.wire[2..], ["send 3 2 1 [3,4]"]);
    host.frame("ack 0 4");
    assert_eq!(host.wire.len(), 3);
    host.relink();
    // Lower than before, and a link is not left for it.
    host.welcome(r#"{"credit":0}"#);
    assert_eq!(host.wire.len(), 1);
    host.frame("ack 0 1");
    assert_eq!(host.wire[1..], ["send 1 1 1 [1]"]);
    // More than there may be is no error, and not used.
    let mut host = Host::open();
    host.frame("ack 0 9007199254740991");
    host.record.submitted(text(1, 1));
    host.client.submit(text(1, 1), host.now);
    host.drain();
    assert_eq!(host.wire, ["send 1 1 1 [1]"]);
}

/// [CRED-4] [LIM-8] [LIM-5]
#[test]
fn no_more_than_32768_are_out() {
    let config = Config {
        outbox: OutboxConfig { messages_max: 34_000, ..OutboxConfig::default() },
        ..Config::default()
    };
    let mut host = Host::open_with(config);
    host.frame("ack 0 40000");
    host.send(1..=34_000);
    let counts: Vec<u64> =
        host.wire.iter().map(|send| send.split(' ').nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!((counts.iter().sum::<u64>(), counts.iter().max()), (32_768, Some(&1024)));
    host.frame("ack 1024 40000");
    assert!(host.wire.last().unwrap().starts_with("send 32769 1024 1025"));
}

/// The last may overshoot. [CRED-5] [LIM-9] [LIM-4] [FRM-8]
#[test]
fn a_window_of_octets() {
    let mut host = Host::open();
    for ticket in 1..=4 {
        host.send_one(text(ticket, 1_048_575));
    }
    host.send_one(text(5, 1_000_000));
    host.send_one(text(6, 10));
    let sends: Vec<_> = host.wire.iter().filter(|frame| frame.starts_with("send")).cloned().collect();
    assert_eq!(sends, [1, 2, 3, 4, 5].map(|n| format!("send {n} 1 1 [{n}]")));
    host.frame("ack 1 9000");
    assert_eq!(host.wire.last().unwrap(), "send 6 1 2 [6]");
    // A text frame with several messages ends at 64 KiB, and before a binary message.
    let mut host = Host::open();
    for ticket in 1..=2 {
        host.submit(text(ticket, 40_000));
    }
    host.submit(text(3, 10));
    host.submit(Outgoing::new(Ticket(4), 10, Form::Binary));
    host.submit(text(5, 10));
    host.drain();
    let sends: Vec<_> = host.wire.iter().filter(|frame| frame.starts_with("send")).cloned().collect();
    assert_eq!(sends, ["send 1 1 1 [1]", "send 2 2 1 [2,3]", "send 4 1 1 [4]", "send 5 1 1 [5]"]);
}

/// A client with five messages, whose transport has had enough after the first few.
fn full() -> Host {
    let mut host = Host::open_with(Config { high_water: 1000, ..Config::default() });
    host.stuck = Some(u64::MAX);
    for ticket in 1..=5 {
        host.send_one(text(ticket, 400));
    }
    host
}

/// A full transport takes no message, request, page or cast; what was kept goes when it has drained. [CAST-2]
#[test]
fn the_high_water_mark() {
    let mut host = full();
    let sends = host.wire.iter().filter(|frame| frame.starts_with("send")).count();
    assert!((2..=3).contains(&sends), "{:?}", host.wire);
    assert!(!host.client.cast(Cast { ticket: Ticket(9), bytes: 10, form: Form::Text }, host.now));
    let ask = PageAsk { page: PageId(1), subject: subject("room_a"), before: None, count: 1 };
    host.client.page(ask, host.now).unwrap();
    host.drain();
    assert!(!host.wire.iter().any(|frame| frame.starts_with("page")));
    host.stuck = None;
    host.client.handle_buffered(1000, host.now);
    host.drain();
    assert_eq!(host.record.up.written, 5);
    assert!(host.wire.iter().any(|frame| frame.starts_with("page")));
    assert!(host.client.cast(Cast { ticket: Ticket(9), bytes: 10, form: Form::Text }, host.now));
}

/// A browser says nothing when its buffer empties: it is looked at every 20 ms while messages wait, and not otherwise.
#[test]
fn a_full_buffer_is_looked_at_again() {
    let mut host = full();
    let written = host.record.up.written;
    assert_eq!(host.until_deadline(), ms(20));
    host.pass(ms(20));
    assert_eq!((host.record.up.written, host.until_deadline()), (written, ms(20)), "still full");
    host.stuck = None;
    host.pass(ms(10));
    // The driver tells what the buffer holds before each input.
    host.client.handle_buffered(0, host.now + ms(10));
    host.pass(ms(10));
    assert_eq!(host.record.up.written, 5);
    assert!(host.until_deadline() > ms(20), "nothing waits");
    host.stuck = Some(u64::MAX);
    host.client.handle_buffered(2000, host.now);
    host.drain();
    assert!(host.until_deadline() > ms(20), "full, and nothing waits");
}

/// What the rate holds back has no number, so that the rules of the queue act on it; what has one goes again at once.
#[test]
fn the_rate_holds_back_numbers() {
    let rate = Some(Rate { per_second_milli: 2_000, burst: 2 });
    let mut host = Host::open_with(Config { rate, ..Config::default() });
    host.send(1..=3);
    assert_eq!((host.record.up.written, host.record.up.waiting.len()), (2, 1));
    assert!(
        !host.client.cast(Cast { ticket: Ticket(9), bytes: 10, form: Form::Text }, host.now),
        "a cast beyond it"
    );
    host.send_one(Outgoing { priority: 1, ..text(4, 10) });
    host.pass(ms(499));
    assert_eq!(host.record.up.written, 2);
    host.pass(ms(1));
    assert_eq!(host.wire.last().map(String::as_str), Some("send 3 1 1 [4]"));
    host.close(1006);
    host.redial();
    host.welcome("{}");
    let sends: Vec<_> = host.wire.iter().filter(|frame| frame.starts_with("send")).cloned().collect();
    assert_eq!(sends, ["send 1 3 1 [1,2,4]"], "again, without waiting, and no new one");
    host.pass(ms(500));
    assert_eq!(host.wire.last().map(String::as_str), Some("send 4 1 1 [3]"));
}

/// [NUM-6]
#[test]
fn used_up_numbers_lead_to_a_new_producer() {
    let mut host = Host::open();
    host.close(1006);
    host.record.up.written = (1 << 53) - 3;
    host.record.up.born = Some(1);
    host.record.up.successor = Some(producer(40));
    host.client = Client::restore(host.config, 3, host.record.clone(), host.now).unwrap();
    host.redial();
    host.welcome(r#"{"mark":9007199254740989,"credit":9007199254740991}"#);
    host.send(1..=2);
    assert_eq!(host.wire[1..], ["send 9007199254740990 1 9007199254740990 [1]"]);
    let old = host.record.up.producer;
    host.frame("ack 9007199254740990 9007199254740991");
    assert_eq!(host.wire.last().unwrap(), "bye 0");
    assert_eq!(host.exits.len(), 1);
    if host.client.phase() == Phase::Waiting {
        host.redial();
    } else {
        host.dial();
    }
    host.welcome("{}");
    assert_ne!(host.record.up.producer, old);
    assert_eq!(host.wire[1..], ["send 1 1 1 [2]"]);
}

/// A message over the server's limit leaves before it has a number; the host's own limit too. [LIM-2]
#[test]
fn what_is_too_large_is_refused_at_home() {
    let mut host = Host::new(Config::default());
    host.send_one(text(1, 5000));
    host.connect();
    host.welcome(r#"{"limits":{"message":2048,"rooms":256}}"#);
    assert_eq!(host.dropped(1), never(Unwritten::TooLarge));
    assert_eq!(host.client.admits(&text(2, 2049)), Err(Refusal::TooLarge));
    assert_eq!(host.client.admits(&text(2, 2048)), Ok(()));
    host.send_one(text(2, 2049));
    assert_eq!(host.dropped(2), never(Unwritten::TooLarge));
}

/// [SEND-26]
#[test]
fn receipts_are_due_once_and_never_for_receipts() {
    let mut host = Host::open();
    let (epoch, own, room) = ("e".into(), subject(OWN), subject("room_a"));
    let original = Original {
        epoch: &epoch,
        s: 5,
        subject: &own,
        is_receipt: false,
        has_id: true,
        sender: Some("user_2"),
    };
    let record = &mut host.record;
    for wrong in [
        Original { is_receipt: true, ..original },
        Original { has_id: false, ..original },
        Original { sender: None, ..original },
        Original { sender: Some(OWN), ..original },
        Original { sender: Some("_server"), ..original },
    ] {
        assert!(
            !record.is_receipt_due(&wrong, Receipt::Delivered)
                && !record.is_receipt_due(&wrong, Receipt::Read)
        );
    }
    let roomy = Original { subject: &room, s: 6, ..original };
    assert!(!record.is_receipt_due(&roomy, Receipt::Delivered), "only of direct messages");
    assert!(record.is_receipt_due(&roomy, Receipt::Read));
    assert!(record.is_receipt_due(&original, Receipt::Delivered));
    assert!(record.is_receipt_due(&original, Receipt::Read));
    for receipt in [Receipt::Delivered, Receipt::Read] {
        assert!(!record.is_receipt_due(&original, receipt), "once in the life of a page");
    }
    let other = "f".into();
    assert!(record.is_receipt_due(&Original { epoch: &other, ..original }, Receipt::Delivered));
}
