//! How much may be out: credit, windows, and what fits into a frame.
mod session_up_common;
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
fn at_most_8192_numbers_are_out() {
    let mut sending = sending(8192);
    sending.welcome(&welcome(0, 1 << 40), at(0)).unwrap();
    let frames = write(&mut sending, 0);
    // [LIM-5]
    assert_eq!((frames.len(), frames[7]), (8, (7169, 1024, 1)));
    submit(&mut sending, 8193..=8200);
    assert_eq!(write(&mut sending, 0), []);
    ack(&mut sending, 3, 1 << 40, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(8193, 3, 4)]);
}

/// [CRED-5] [LIM-9] One may overshoot, and the next one waits for as much as that.
#[test]
fn a_message_begins_while_less_than_the_window_is_out() {
    let mut sending = open(0);
    for (ticket, bytes) in [(1, (1 << 20) - 1), (2, 900_000), (3, 1)] {
        sending.submit(text(ticket, bytes)).unwrap();
    }
    assert_eq!(write(&mut sending, 0), [(1, 1, 1), (2, 1, 1)]);
    ack(&mut sending, 1, 9000, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(3, 1, 2)]);
    sending.submit(text(4, 1 << 20)).unwrap();
    assert_eq!(write(&mut sending, 0), [(4, 1, 2)]);
    submit(&mut sending, 5..=5);
    assert_eq!(write(&mut sending, 0), []);
    ack(&mut sending, 3, 9000, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [], "the long one alone is a window");
    ack(&mut sending, 4, 9000, &[]).unwrap();
    assert_eq!(write(&mut sending, 0), [(5, 1, 5)]);
}

/// [LIM-4] [LIM-5] [FRM-9] Several messages make a body of 65,536 octets at most, a single one may be longer.
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
    assert_eq!(bodies(&[65_523, 10]), [2]);
    assert_eq!(bodies(&[65_524, 10]), [1, 1]);
    assert_eq!(bodies(&[100_000, 10, 10, 65_000, 1000]), [1, 3, 1]);
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
