//! A message has its number from its first write until its exit, and never another.
mod session_up_common;
use everwire_core::engine::Producer;
use everwire_core::frame::{Form, NUMBER_MAX};
use everwire_core::session::up::*;
use everwire_core::{OutboxConfig, Overflow, Refusal, Ticket};
use session_up_common::*;

/// [SEND-1] What has no number may leave without a trace; the numbers have no hole for it.
#[test]
fn a_number_is_given_at_the_first_write() {
    let mut sending = open(4);
    assert_eq!((sending.written(), sending.oldest()), (0, 1));
    let left = sending.remove(Ticket(2)).unwrap();
    assert_eq!((left.n, left.exit), (None, Exit::Dropped(Dropped::NeverWritten(Unwritten::Aborted))));
    let written = sending.write(at(0)).unwrap();
    let tickets: Vec<_> =
        written.messages.iter().map(|numbered| (numbered.n, numbered.message.ticket.0)).collect();
    assert_eq!(tickets, [(1, 1), (2, 3), (3, 4)]);
    assert_eq!((sending.written(), sending.oldest()), (3, 1));
}

/// [SEND-2] [SEND-8]
#[test]
fn numbers_begin_at_1_and_have_no_hole() {
    let mut sending = open(2);
    assert_eq!(write(&mut sending, 0), [(1, 2, 1)]);
    submit(&mut sending, 3..=3);
    assert_eq!(write(&mut sending, 0), [(3, 1, 1)]);
    assert_eq!(ack(&mut sending, 2, 8194, &[]), Ok(settled(1..=2)));
    submit(&mut sending, 4..=5);
    // [SEND-10]
    assert_eq!(write(&mut sending, 0), [(4, 2, 3)]);
}

/// [SEND-5] Neither an abort nor an overflow reaches it.
#[test]
fn what_has_a_number_stays() {
    let config = OutboxConfig { messages_max: 2, bytes_max: 100, overflow: Overflow::DropOldest };
    let mut sending = Sending::new(config, producer(1));
    submit(&mut sending, 1..=2);
    sending.welcome(&WELCOME, at(0)).unwrap();
    write(&mut sending, 0);
    assert_eq!(sending.remove(Ticket(1)), None);
    submit(&mut sending, 3..=4);
    let left = sending.submit(text(5, 10)).map(exits);
    assert_eq!(left, Ok(all(3..=3, Dropped::NeverWritten(Unwritten::Overflow))));
    assert_eq!(sending.submit(text(6, 101)), Err(Refusal::OutboxFull));
    let left = sending.submit(text(6, 95)).map(exits);
    assert_eq!(left, Ok(all(4..=5, Dropped::NeverWritten(Unwritten::Overflow))));
    assert_eq!(write(&mut sending, 0), [(3, 1, 1)]);
    assert_eq!(ack(&mut sending, 3, 9000, &[]).map(|left| left.len()), Ok(3));
}

/// A full queue says so, unless it may drop.
#[test]
fn a_full_queue_refuses() {
    let config = OutboxConfig { messages_max: 2, bytes_max: 25, overflow: Overflow::Reject };
    let mut sending = Sending::new(config, producer(1));
    submit(&mut sending, 1..=1);
    assert_eq!(sending.submit(text(2, 16)), Err(Refusal::OutboxFull));
    submit(&mut sending, 2..=2);
    assert_eq!(sending.submit(text(3, 1)), Err(Refusal::OutboxFull));
    assert_eq!(sending.len(), (0, 2));
}

/// [WELC-8] [SEND-4] [WELC-7] In order, unchanged, and before anything new.
#[test]
fn what_was_not_settled_goes_again_under_its_numbers() {
    let mut sending = open(0);
    sending.submit(text(1, 10)).unwrap();
    sending.submit(binary(2, 20)).unwrap();
    sending.submit(text(3, 30)).unwrap();
    let before: Vec<_> =
        core::iter::from_fn(|| sending.write(at(0))).flat_map(|written| written.messages).collect();
    sending.link_ended(LinkEnd::Other);
    assert_eq!(sending.write(at(0)), None, "without a link nothing is written");
    submit(&mut sending, 4..=4);
    sending.set_successor(producer(2));
    assert_eq!(sending.welcome(&welcome(1, 8193), at(0)).map(exits), Ok(settled(1..=1)));
    let after: Vec<_> =
        core::iter::from_fn(|| sending.write(at(0))).flat_map(|written| written.messages).collect();
    assert_eq!(after[..2], before[1..]);
    assert_eq!((after[2].n, after[2].message.ticket), (4, Ticket(4)));
    assert_eq!(sending.write(at(0)), None, "nothing twice on one link");
}

/// [WELC-8] As credit allows.
#[test]
fn what_goes_again_needs_credit_too() {
    let mut sending = open(5);
    write(&mut sending, 0);
    sending.link_ended(LinkEnd::Other);
    sending.welcome(&welcome(0, 2), at(0)).unwrap();
    assert_eq!(write(&mut sending, 0), [(1, 2, 1)]);
    // What was written on another link has not been carried by this one. [ACK-6]
    assert_eq!(ack(&mut sending, 3, 8195, &[]), broken("ACK-6"));
    assert_eq!(ack(&mut sending, 1, 5, &[]), Ok(settled(1..=1)));
    assert_eq!(write(&mut sending, 0), [(3, 3, 2)]);
}

/// [SEND-3] [KEEP-1] Cut behind the record and before the write: the number stays given.
#[test]
fn a_restored_instance_goes_on_with_the_same_numbers() {
    let mut sending = open(3);
    sending.submit(binary(4, 7)).unwrap();
    let first = sending.write(at(0)).unwrap();
    let record = sending.record();
    assert_eq!((record.written, record.numbered.len(), record.waiting.len()), (3, 3, 1));
    let mut restored = Sending::restore(OutboxConfig::default(), record.clone()).unwrap();
    assert_eq!(restored.record(), record);
    assert_eq!((restored.hello(), restored.written()), (None, 3));
    restored.set_successor(producer(2));
    let hello = restored.hello().unwrap();
    assert_eq!((hello.oldest, hello.written, hello.born), (1, 3, Some(1)));
    restored.welcome(&WELCOME, at(0)).unwrap();
    assert_eq!(restored.write(at(0)), Some(first));
    assert_eq!(restored.write(at(0)).unwrap().form, Form::Binary);
}

/// A record that contradicts itself gives no client.
#[test]
fn no_client_from_a_record_that_is_none() {
    let mut sending = open(3);
    write(&mut sending, 0);
    let good = sending.record();
    let bad: [&dyn Fn(&mut Record); 6] = [
        &|record| record.written = 2,
        &|record| record.numbered[1].n = 3,
        &|record| record.written = 4,
        &|record| record.born = None,
        &|record| record.successor = Some(record.producer),
        &|record| record.alone_until = Some(4),
    ];
    for spoil in bad {
        let mut record = good.clone();
        spoil(&mut record);
        assert_eq!(Sending::restore(OutboxConfig::default(), record).err(), Some(NotARecord));
    }
    assert!(Sending::restore(OutboxConfig::default(), good).is_ok());
}

/// [NUM-6]
#[test]
fn the_last_number_is_never_given() {
    let record = Record {
        producer: producer(1),
        successor: Some(producer(2)),
        born: Some(1),
        written: NUMBER_MAX - 2,
        numbered: [].into(),
        waiting: [text(1, 10), text(2, 10)].into_iter().collect(),
        alone_until: None,
        broken_links: 0,
    };
    let mut sending = Sending::restore(OutboxConfig::default(), record).unwrap();
    sending.welcome(&welcome(NUMBER_MAX - 2, NUMBER_MAX), at(0)).unwrap();
    assert_eq!(write(&mut sending, 0), [(NUMBER_MAX - 1, 1, NUMBER_MAX - 1)]);
    assert!(!sending.is_exhausted(), "it has not exited");
    assert_eq!(ack(&mut sending, NUMBER_MAX - 1, NUMBER_MAX, &[]), Ok(settled(1..=1)));
    assert_eq!(write(&mut sending, 0), []);
    assert!(sending.is_exhausted());
    assert_eq!(sending.unknown(producer(3), producer(4)), vec![]);
    sending.welcome(&WELCOME, at(0)).unwrap();
    assert_eq!(write(&mut sending, 0), [(1, 1, 1)]);
}

/// [CLOSE-5] [SEND-7] [SEND-6]
#[test]
fn at_the_end_of_the_wire_everything_leaves_once() {
    let mut sending = open(3);
    write(&mut sending, 0);
    ack(&mut sending, 1, 9000, &[]).unwrap();
    submit(&mut sending, 4..=5);
    let left = exits(sending.close());
    assert_eq!(
        left,
        [all(2..=3, Dropped::InDoubt), all(4..=5, Dropped::NeverWritten(Unwritten::Closed))].concat()
    );
    assert!(sending.is_empty() && sending.close().is_empty());
}

/// [HELLO-11] The spare stays until it is used, and is a producer of its own.
#[test]
fn a_spare_stays_the_same() {
    let mut sending = open(1);
    assert_eq!(
        sending.hello().map(|hello| (hello.written, hello.successor, hello.born)),
        Some((0, None, None))
    );
    write(&mut sending, 0);
    sending.link_ended(LinkEnd::Other);
    assert_eq!(sending.hello(), None);
    sending.set_successor(producer(2));
    sending.set_successor(producer(3));
    assert_eq!(sending.hello().unwrap().successor, Some(Producer([2; 16])));
}
