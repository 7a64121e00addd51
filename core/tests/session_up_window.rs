//! How much may be out: credit, windows, and what fits into a frame.
mod session_up_common;
use everwire_core::session::up::{Outgoing, Welcome};
use session_up_common::*;

/// [CRED-1] [CRED-7] [SEND-9]
#[test]
fn credit_is_the_highest_number_that_may_be_written() {
    let mut sending = sending(5);
    sending.welcome(&welcome(0, 0), at(0)).unwrap();
    assert_eq!(write(&mut sending, 0), []);
    ack(&mut sending, 0, 2, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(1, 2, 1)]);
    // A repeated one does no harm; it is no increment.
    ack(&mut sending, 0, 2, &[]).unwrap();
    ack(&mut sending, 1, 2, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), []);
    ack(&mut sending, 1, 4, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(3, 2, 2)]);
}

/// [CRED-4] [LIM-8] Whatever the credit.
#[test]
fn at_most_32768_numbers_are_out() {
    let mut sending = sending(32_768);
    sending.welcome(&welcome(0, 1 << 40), at(0)).unwrap();
    let frames = write(&mut sending, 0);
    // [LIM-5]
    assert_eq!((frames.len(), frames[31]), (32, (31_745, 1024, 1)));
    submit(&mut sending, 32_769..=33_500);
    assert_eq!(write(&mut sending, 0), []);
    ack(&mut sending, 1020, 1 << 40, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(32_769, 732, 1021)]);
}

/// RFC 1122 §4.2.3.4: room for a few of many that wait is no reason to write a frame.
#[test]
fn scraps_of_the_window_wait_for_more_room() {
    let mut sending = sending(32_768);
    sending.welcome(&welcome(0, 1 << 40), at(0)).unwrap();
    write(&mut sending, 0);
    submit(&mut sending, 32_769..=34_500);
    for room in [1, 800, 992] {
        ack(&mut sending, room, 1 << 40, &[]).unwrap();
        assert_eq!(write(&mut sending, 0), [], "{room} of 32768");
    }
    // A 32nd of what is out.
    ack(&mut sending, 993, 1 << 40, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(32_769, 993, 994)]);
    // All that waits has room: nothing would be gained.
    let mut sending = session_up_common::sending(32_768);
    sending.welcome(&welcome(0, 1 << 40), at(0)).unwrap();
    write(&mut sending, 0);
    sending.submit(text(40_000, 100)).unwrap();
    ack(&mut sending, 1, 1 << 40, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(32_769, 1, 2)]);
}

/// The same of octets, and of messages that share frames: others are frames of their own whatever the room.
#[test]
fn scraps_of_octets_wait_too() {
    let full = |last: Outgoing| {
        let mut sending = open(0);
        for ticket in 1..=80 {
            sending.submit(text(ticket, 52_000)).unwrap();
        }
        sending.submit(last).unwrap();
        sending.submit(text(82, 100_000)).unwrap();
        let frames = write(&mut sending, 0).len();
        (frames, sending)
    };
    // 4,160,000 of 4,194,304 are out: not even a full frame fits.
    let (frames, mut sending) = full(text(81, 6000));
    assert_eq!(frames, 80);
    ack(&mut sending, 1, 9000, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(81, 1, 2), (82, 1, 2)]);
    assert_eq!(full(text(81, 60_000)).0, 81);
    // And what is long behind it.
    assert_eq!(full(binary(81, 10)).0, 82);
}

/// A small credit is used as it comes: there is no more of it to wait for.
#[test]
fn a_small_credit_is_no_scrap() {
    let mut sending = sending(100);
    sending.welcome(&welcome(0, 10), at(0)).unwrap();
    assert_eq!(write(&mut sending, 0), [(1, 10, 1)]);
    ack(&mut sending, 1, 11, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(11, 1, 2)]);
}

/// [CRED-5] [LIM-9] One may overshoot, and the next one waits for as much as that.
#[test]
fn a_message_begins_while_less_than_the_window_is_out() {
    let mut sending = sending(0);
    let long = Welcome { message_bytes_max: 8 << 20, ..WELCOME };
    sending.welcome(&long, at(0)).unwrap();
    for (ticket, bytes) in [(1, (4 << 20) - 1), (2, 900_000), (3, 1)] {
        sending.submit(text(ticket, bytes)).unwrap();
    }
    assert_eq!(write(&mut sending, 0), [(1, 1, 1), (2, 1, 1)]);
    ack(&mut sending, 1, 9000, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(3, 1, 2)]);
    sending.submit(text(4, 4 << 20)).unwrap();
    assert_eq!(write(&mut sending, 0), [(4, 1, 2)]);
    submit(&mut sending, 5..=5);
    assert_eq!(write(&mut sending, 0), []);
    ack(&mut sending, 3, 9000, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [], "the long one alone is a window");
    ack(&mut sending, 4, 9000, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(5, 1, 5)]);
}

/// [LIM-4] [LIM-5] [FRM-9] Several messages make a body of 57,344 octets at most, a single one may be longer.
#[test]
fn frames_hold_what_a_frame_may_hold() {
    let bodies = |lengths: &[u32]| {
        let mut sending = open(0);
        for (ticket, bytes) in (1..).zip(lengths) {
            sending.submit(text(ticket, *bytes)).unwrap();
        }
        write(&mut sending, 0).into_iter().map(|(_, count, _)| count).collect::<Vec<_>>()
    };
    // Two brackets and a comma.
    assert_eq!(bodies(&[57_331, 10]), [2]);
    assert_eq!(bodies(&[57_332, 10]), [1, 1]);
    assert_eq!(bodies(&[100_000, 10, 10, 57_000, 1000]), [1, 3, 1]);
    assert_eq!(bodies(&[2; 1025]), [1024, 1]);
}

/// [FRM-8]
#[test]
fn a_binary_message_travels_alone_and_keeps_its_place() {
    let mut sending = open(2);
    sending.submit(binary(3, 10)).unwrap();
    sending.submit(binary(4, 10)).unwrap();
    submit(&mut sending, 5..=6);
    assert_eq!(write(&mut sending, 0), [(1, 2, 1), (3, 1, 1), (4, 1, 1), (5, 2, 1)]);
}
