//! Every receipt is true: what an `ack` may say, and what it does.
mod session_up_common;
use everwire_core::session::up::*;
use session_up_common::*;

fn written(messages: u32) -> Sending {
    let mut sending = open(messages);
    write(&mut sending, 0);
    sending
}

/// [ACK-2] [ACK-5]
#[test]
fn an_ack_settles_everything_up_to_it() {
    let mut sending = written(5);
    assert_eq!(ack(&mut sending, 2, 8194, &[]), Ok(settled(1..=2)));
    assert_eq!(ack(&mut sending, 2, 8194, &[]), Ok(vec![]));
    assert_eq!(ack(&mut sending, 5, 8197, &[]), Ok(settled(3..=5)));
    assert!(sending.is_empty());
}

/// [ACK-6] [ACK-5] [ERR-13] And a broken one does nothing at all.
#[test]
fn an_ack_out_of_range_or_order_is_broken() {
    let mut sending = written(5);
    ack(&mut sending, 2, 8194, &[]).unwrap();
    let before = sending.record();
    assert_eq!(ack(&mut sending, 1, 8194, &[]), broken("ACK-5"));
    assert_eq!(ack(&mut sending, 6, 8194, &[]), broken("ACK-6"));
    assert_eq!(ack(&mut sending, 4, 8194, &[(2, "forbidden")]), broken("ACK-6"));
    assert_eq!(ack(&mut sending, 4, 8194, &[(5, "forbidden")]), broken("ACK-6"));
    assert_eq!(ack(&mut sending, 4, 8194, &[(4, "forbidden"), (3, "forbidden")]), broken("ACK-6"));
    assert_eq!(ack(&mut sending, 4, 8194, &[(3, "forbidden"), (3, "forbidden")]), broken("ACK-6"));
    assert_eq!(sending.record(), before);
    assert_eq!(ack(&mut sending, 5, 8194, &[]), Ok(settled(3..=5)));
}

/// [CRED-2] [CRED-1] Absolute, and never less.
#[test]
fn credit_does_not_shrink_on_a_link() {
    let mut sending = written(3);
    assert_eq!(ack(&mut sending, 1, 8191, &[]), broken("CRED-2"));
    assert_eq!(ack(&mut sending, 1, 1 << 53, &[]), broken("CRED-2"));
    assert_eq!(ack(&mut sending, 1, 8192, &[]), Ok(settled(1..=1)));
    sending.link_ended(LinkEnd::Other);
    sending.set_successor(producer(2));
    // Another link may grant less.
    assert_eq!(sending.welcome(&welcome(1, 1), at(0)).map(exits), Ok(vec![]));
    assert_eq!(write(&mut sending, 0), []);
}

/// A link without a `welcome` has carried nothing. [ERR-9]
#[test]
fn no_ack_without_a_welcome_and_no_second_welcome() {
    let mut sending = written(1);
    assert_eq!(
        sending.welcome(&WELCOME, at(0)),
        Err(NotWelcome::Broken(session_up_common::broken::<()>("ERR-9").unwrap_err()))
    );
    sending.link_ended(LinkEnd::Other);
    assert_eq!(ack(&mut sending, 1, 8193, &[]), broken("ERR-9"));
}

/// [WELC-7] [WELC-5] [EPOCH-3] [HELLO-21]
#[test]
fn a_mark_out_of_range_or_another_life_of_the_producer_is_unknown() {
    let mut sending = written(5);
    ack(&mut sending, 2, 8194, &[]).unwrap();
    sending.link_ended(LinkEnd::Other);
    let before = sending.record();
    for bad in [
        welcome(1, 9000),
        welcome(6, 9000),
        Welcome { born: 2, ..welcome(3, 9000) },
        Welcome { epoch_changed: true, ..welcome(3, 9000) },
    ] {
        assert_eq!(sending.welcome(&bad, at(0)), Err(NotWelcome::Unknown), "{bad:?}");
    }
    assert_eq!(sending.record(), before);
    assert_eq!(sending.welcome(&welcome(5, 9000), at(0)).map(exits), Ok(settled(3..=5)));
}

/// [WELC-5] [WELC-7] [CRED-2]
#[test]
fn a_welcome_that_contradicts_itself_is_broken() {
    use everwire_core::frame::Code;
    let code = |n| (n, Code::new(b"forbidden").unwrap());
    let mut sending = written(5);
    ack(&mut sending, 1, 8194, &[]).unwrap();
    sending.link_ended(LinkEnd::Other);
    let mut is_broken = |welcome: Welcome<'_>, clause| {
        let answer = sending.welcome(&welcome, at(0));
        assert_eq!(answer, Err(NotWelcome::Broken(broken::<()>(clause).unwrap_err())));
    };
    is_broken(welcome(4, 3), "CRED-2");
    is_broken(Welcome { refused: &[code(1)], ..welcome(4, 9000) }, "WELC-7");
    is_broken(Welcome { refused: &[code(5)], ..welcome(4, 9000) }, "WELC-7");
    is_broken(Welcome { refused: &[code(3), code(2)], ..welcome(4, 9000) }, "WELC-7");
    let successor = Welcome { producing: Producing::Successor, ..WELCOME };
    is_broken(successor, "WELC-5");
    sending.set_successor(producer(2));
    for bad in [Welcome { mark: 1, ..successor }, Welcome { refused: &[code(1)], ..successor }] {
        assert!(matches!(sending.welcome(&bad, at(0)), Err(NotWelcome::Broken(_))));
    }
    assert_eq!(sending.len(), (4, 0));
}

/// [WELC-6] [CLOSE-3] What has no number goes on, and begins with 1.
#[test]
fn an_unknown_producer_takes_its_numbers_with_it() {
    let mut sending = written(3);
    sending.link_ended(LinkEnd::Other);
    submit(&mut sending, 4..=5);
    sending.set_successor(producer(2));
    let successor = Welcome { producing: Producing::Successor, born: 2, ..WELCOME };
    assert_eq!(sending.welcome(&successor, at(0)).map(exits), Ok(all(1..=3, Dropped::Unknown)));
    assert_eq!(write(&mut sending, 0), [(1, 2, 1)]);
    let record = sending.record();
    assert_eq!((record.producer, record.successor, record.born), (producer(2), None, Some(2)));
    assert_eq!(ack(&mut sending, 2, 8194, &[]), Ok(settled(4..=5)));
}

/// [CLOSE-8] [WELC-5] Both producers are fresh ones.
#[test]
fn a_fenced_client_begins_anew() {
    let mut sending = written(3);
    submit(&mut sending, 4..=4);
    assert_eq!(exits(sending.unknown(producer(3), producer(4))), all(1..=3, Dropped::Unknown));
    let hello = sending.hello().unwrap();
    assert_eq!((hello.producer, hello.oldest, hello.written, hello.born), (producer(3), 1, 0, None));
    assert_eq!(sending.record().successor, Some(producer(4)));
    assert_eq!(sending.write(at(0)), None);
    sending.welcome(&Welcome { born: 7, ..WELCOME }, at(0)).unwrap();
    assert_eq!(write(&mut sending, 0), [(1, 1, 1)]);
}

/// [WELC-5] A producer without numbers has no life that could be missed: its first `welcome` may have been lost.
#[test]
fn a_producer_without_numbers_takes_any_life() {
    let mut sending = open(1);
    sending.link_ended(LinkEnd::Other);
    assert_eq!(sending.welcome(&Welcome { born: 2, ..WELCOME }, at(0)), Ok(vec![]));
    assert_eq!(sending.record().born, Some(2));
}

/// [LIM-2] Before a number: locally. What has a number keeps it, and the node judges it.
#[test]
fn what_this_server_does_not_take_leaves_before_it_is_written() {
    let mut sending = sending(1);
    sending.submit(text(2, 2000)).unwrap();
    sending.submit(text(3, 1024)).unwrap();
    let small = Welcome { message_bytes_max: 1024, ..WELCOME };
    assert_eq!(
        sending.welcome(&small, at(0)).map(exits),
        Ok(all(2..=2, Dropped::NeverWritten(Unwritten::TooLarge)))
    );
    assert_eq!(sending.submit(text(4, 1025)), Err(everwire_core::Refusal::TooLarge));
    assert_eq!(write(&mut sending, 0), [(1, 2, 1)]);
    assert_eq!(ack(&mut sending, 2, 9000, &[]).map(|left| left.len()), Ok(2));
    assert!(sending.is_empty());
}
