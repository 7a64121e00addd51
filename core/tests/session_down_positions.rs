//! What a client does with intervals, and what it says of its positions.

mod session_down_common;

use everwire_core::frame::{FromClient, Numbers};
use everwire_core::session::down::*;
use everwire_core::{Duration, Instant};
use session_down_common::*;

const NOW: Instant = Instant::from_micros(1_000_000_000);

fn place(room: &str, from: u64) -> Place {
    Place { subject: subject(room), from, grant: None }
}

fn welcome(epoch: &str, position: u64, rooms: &[(&str, u64)]) -> Welcome {
    let rooms = rooms.iter().map(|(room, from)| place(room, *from)).collect();
    Welcome { epoch: epoch.into(), own: subject(OWN), position, rooms, denied: Vec::new(), lost: None }
}

/// At position 10 of log e, in nothing but its own subject from 10.
fn reader() -> Reader {
    let mut reader = Reader::new();
    assert_eq!(reader.hello().position, None);
    reader.handle_welcome(welcome("e", 10, &[(OWN, 10)]), NOW).unwrap();
    reader
}

fn push(reader: &mut Reader, after: u64, upto: u64, numbers: &[u64]) -> Result<(), Violation> {
    let elements = vec![Element::Message(subject(OWN)); numbers.len()];
    reader.handle_push(after, upto, Numbers::new(numbers), &elements, 100, NOW).map(drop)
}

fn start_all(reader: &mut Reader) -> Vec<(Delivery, u64)> {
    core::iter::from_fn(|| reader.start(NOW)).map(|started| (started.delivery, started.s)).collect()
}

fn numbers(started: &[(Delivery, u64)]) -> Vec<u64> {
    started.iter().map(|(_, s)| *s).collect()
}

/// [POS-3] [ERR-14]
#[test]
fn a_gap_is_not_handed_on() {
    let mut reader = reader();
    let before = reader.record().clone();
    assert_eq!(push(&mut reader, 11, 12, &[12]), Err(Violation::Gap));
    assert_eq!(reader.handle_advance(11, 12), Err(Violation::Gap));
    assert_eq!(*reader.record(), before);
    assert_eq!(start_all(&mut reader), []);
}

/// [POS-4] [POS-1] [POS-15] [ERR-15]
#[test]
fn what_has_been_received_is_dropped_and_the_rest_starts_in_order() {
    let mut reader = reader();
    push(&mut reader, 10, 14, &[11, 13]).unwrap();
    push(&mut reader, 8, 16, &[11, 13, 15]).unwrap();
    assert_eq!(numbers(&start_all(&mut reader)), [11, 13, 15]);
    assert_eq!(reader.received(), 16);
    push(&mut reader, 9, 12, &[11]).unwrap();
    reader.handle_advance(5, 9).unwrap();
    assert_eq!(reader.received(), 16);
    reader.handle_advance(16, 20).unwrap();
    assert_eq!(reader.received(), 20);
    assert_eq!(start_all(&mut reader), []);
}

/// [POS-2] [POS-7]
#[test]
fn a_push_that_contradicts_itself_changes_nothing() {
    let mut reader = reader();
    let before = reader.record().clone();
    for numbers in [&[10, 11][..], &[12, 12], &[13, 11], &[11, 15]] {
        assert_eq!(push(&mut reader, 10, 14, numbers), Err(Violation::Order));
    }
    assert_eq!(reader.handle_advance(14, 13), Err(Violation::Order));
    let one = [Element::Skipped];
    let wrong = reader.handle_push(10, 14, Numbers::new(&[11, 12]), &one, 9, NOW);
    assert_eq!(wrong, Err(Violation::Elements));
    assert_eq!(*reader.record(), before);
}

/// [POS-13] [CRED-12]
#[test]
fn seen_is_below_the_oldest_that_is_pending_and_received_otherwise() {
    let mut reader = reader();
    push(&mut reader, 10, 20, &[11, 13, 15]).unwrap();
    assert_eq!(reader.seen(), 10);
    let started = start_all(&mut reader);
    reader.settle(started[1].0, NOW);
    assert_eq!(reader.seen(), 10);
    reader.settle(started[0].0, NOW);
    assert_eq!(reader.seen(), 14);
    assert_eq!(reader.flush_seen(NOW), Some(FromClient::Seen { s: 14, count: 2, bytes: 66 }));
    reader.settle(started[2].0, NOW);
    assert_eq!(reader.seen(), 20);
}

/// [HELLO-5] [KEEP-1] [POS-5]: the handlers of 11 and 13 have started, and one of them runs on in the page.
#[test]
fn a_restored_instance_goes_on_from_what_was_received() {
    let mut old = reader();
    push(&mut old, 10, 20, &[11, 13, 15]).unwrap();
    let first = old.start(NOW).unwrap();
    let second = old.start(NOW).unwrap();
    old.settle(second.delivery, NOW);
    let mut reader = Reader::restore(old.record().clone(), NOW);
    let hello = reader.hello();
    assert_eq!(hello.position, Some(20));
    // Two thirds of 100, less what was counted of it.
    assert_eq!(hello.held, Amount { messages: 2, octets: 67 });
    reader.handle_welcome(welcome("e", 20, &[(OWN, 10)]), NOW).unwrap();
    assert_eq!(numbers(&start_all(&mut reader)), [15]);
    reader.settle(first.delivery, NOW);
    assert_eq!(reader.flush_seen(NOW), Some(FromClient::Seen { s: 14, count: 1, bytes: 33 }));
}

/// [HELLO-6]: what had not been processed comes again, and nothing else does.
#[test]
fn a_new_page_goes_on_from_what_was_seen() {
    let mut old = reader();
    push(&mut old, 10, 20, &[11, 13, 15]).unwrap();
    let started = start_all(&mut old);
    old.settle(started[0].0, NOW);
    let mut page = Reader::reopen(old.persisted().unwrap());
    let hello = page.hello();
    assert_eq!((hello.position, hello.held), (Some(12), Amount::default()));
    assert_eq!(hello.rooms[0].1.from, Some(10));
    assert_eq!(Reader::new().persisted(), None);
}

/// [POS-6] [EPOCH-2] [POS-13]: numbers begin anew, and what ran under the old ones is not confused with them.
#[test]
fn nothing_crosses_a_log_epoch() {
    let mut reader = reader();
    push(&mut reader, 10, 20, &[11]).unwrap();
    let old = start_all(&mut reader);
    reader.link_lost();
    assert_eq!(reader.hello().held, Amount { messages: 1, octets: 100 });
    let reports = reader.handle_welcome(welcome("f", 2, &[(OWN, 2)]), NOW).unwrap();
    assert_eq!(reports, [Report::Lost(vec![subject(OWN)])]);
    assert_eq!((reader.received(), reader.seen()), (2, 2));
    assert_eq!(reader.record().seats[&subject(OWN)].from, Some(2));
    push(&mut reader, 2, 11, &[3, 11]).unwrap();
    let new = start_all(&mut reader);
    assert_eq!(numbers(&new), [3, 11]);
    assert!(new.iter().all(|(delivery, _)| *delivery > old[0].0));
    reader.settle(old[0].0, NOW);
    assert_eq!(reader.seen(), 2);
    assert_eq!(reader.flush_seen(NOW), Some(FromClient::Seen { s: 2, count: 1, bytes: 100 }));
}

/// [WELC-9] [WELC-10]
#[test]
fn a_welcome_that_does_not_answer_hello_changes_nothing() {
    let mut reader = reader();
    reader.join(subject("room_a")).unwrap();
    assert_eq!(reader.handle_welcome(welcome("e", 10, &[(OWN, 10)]), NOW), Err(Violation::Unexpected));
    reader.link_lost();
    reader.hello();
    let before = reader.record().clone();
    let mut both = welcome("e", 10, &[(OWN, 10), ("room_a", 10)]);
    both.denied.push((subject("room_a"), "forbidden".into()));
    for wrong in [
        welcome("e", 9, &[(OWN, 10), ("room_a", 10)]),
        welcome("e", 10, &[(OWN, 9), ("room_a", 10)]),
        welcome("e", 10, &[(OWN, 10), ("room_a", 9)]),
        welcome("e", 10, &[(OWN, 10)]),
        welcome("e", 10, &[("room_a", 10)]),
        welcome("e", 10, &[(OWN, 10), ("room_a", 10), ("room_b", 10)]),
        welcome("e", 10, &[(OWN, 10), (OWN, 10), ("room_a", 10)]),
        both,
    ] {
        assert_eq!(reader.handle_welcome(wrong, NOW), Err(Violation::Welcome));
        assert_eq!(*reader.record(), before);
    }
    reader.handle_welcome(welcome("e", 10, &[(OWN, 10), ("room_a", 12)]), NOW).unwrap();
}

/// [POS-14] [CRED-17]
#[test]
fn a_handler_that_does_not_end_is_told_once_and_counts_as_pending() {
    let mut reader = reader();
    push(&mut reader, 10, 12, &[11, 12]).unwrap();
    let started = start_all(&mut reader);
    reader.settle(started[0].0, NOW);
    assert_eq!(reader.stuck_due(), Some(NOW + STUCK_AFTER));
    assert_eq!(reader.poll_stuck(NOW + Duration::from_secs(59)), None);
    assert_eq!(reader.poll_stuck(NOW + STUCK_AFTER), Some(Report::Unsettled(started[1].0)));
    assert_eq!(reader.poll_stuck(NOW + STUCK_AFTER), None);
    assert_eq!((reader.seen(), reader.stuck_due()), (11, None));
}
