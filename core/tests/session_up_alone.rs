//! A message that no server takes is found, tried alone and withdrawn, and no other one with it.
mod session_up_common;
use everwire_core::OutboxConfig;
use everwire_core::frame::Form;
use everwire_core::session::up::*;
use session_up_common::*;

fn again(sending: &mut Sending, mark: u64) -> Vec<(u32, Exit)> {
    sending.set_successor(producer(2));
    sending.welcome(&welcome(mark, mark + 8192), at(0)).map(exits).unwrap()
}

/// [REF-9]
#[test]
fn after_1009_messages_go_one_at_a_time_until_all_have_passed() {
    let mut sending = open(3);
    write(&mut sending, 0);
    sending.link_ended(LinkEnd::TooLong);
    submit(&mut sending, 4..=5);
    again(&mut sending, 0);
    assert!(!sending.is_alone());
    for n in 1..=3 {
        assert_eq!(write(&mut sending, 0), [(n, 1, n)]);
        assert!(sending.is_alone(), "no cast beside it");
        ack(&mut sending, n, 9000, &[]).unwrap();
    }
    assert_eq!(write(&mut sending, 0), [(4, 2, 4)]);
    assert!(!sending.is_alone());
}

/// [REF-9] [SEND-16] Under its own number, in every later link, and the verdict is the engine's.
#[test]
fn a_second_1009_withdraws_the_one_that_was_out() {
    let mut sending = open(1);
    sending.submit(binary(2, 900)).unwrap();
    submit(&mut sending, 3..=3);
    write(&mut sending, 0);
    sending.link_ended(LinkEnd::TooLong);
    again(&mut sending, 0);
    write(&mut sending, 0);
    ack(&mut sending, 1, 9000, &[]).unwrap();
    write(&mut sending, 0);
    sending.link_ended(LinkEnd::TooLong);
    for _ in 0..2 {
        let record = sending.record();
        assert!(record.numbered[0].withdrawn && !record.numbered[1].withdrawn);
        sending = Sending::restore(OutboxConfig::default(), record).unwrap();
        again(&mut sending, 1);
        let written = sending.write(at(0)).unwrap();
        assert_eq!((header(&written), written.form), ((2, 1, 2), Form::Text));
        assert!(written.messages[0].withdrawn && written.messages[0].bytes() == 4);
        sending.link_ended(LinkEnd::Other);
    }
    again(&mut sending, 1);
    write(&mut sending, 0);
    let left = ack(&mut sending, 2, 9000, &[(2, "withdrawn")]).unwrap();
    assert_eq!(left, [(2, Exit::Refused("too-large".into()))]);
    assert_eq!(write(&mut sending, 0), [(3, 1, 3)]);
}

/// [REF-9] It may have been stored after all.
#[test]
fn a_withdrawn_message_that_was_stored_is_settled() {
    let mut sending = open(1);
    write(&mut sending, 0);
    for _ in 0..2 {
        sending.link_ended(LinkEnd::TooLong);
        again(&mut sending, 0);
        write(&mut sending, 0);
    }
    assert!(sending.record().numbered[0].withdrawn);
    assert_eq!(ack(&mut sending, 1, 9000, &[]), Ok(settled(1..=1)));
}

/// [REF-10] [REF-9] Not for 1006, not for what was acknowledged, not for what was not written.
#[test]
fn nothing_else_withdraws() {
    for end in [LinkEnd::Broke, LinkEnd::Other] {
        let mut sending = open(1);
        write(&mut sending, 0);
        sending.link_ended(LinkEnd::TooLong);
        for _ in 0..5 {
            again(&mut sending, 0);
            write(&mut sending, 0);
            sending.link_ended(end);
        }
        assert!(!sending.record().numbered[0].withdrawn, "{end:?}");
    }
    let mut sending = open(2);
    write(&mut sending, 0);
    sending.link_ended(LinkEnd::TooLong);
    again(&mut sending, 0);
    write(&mut sending, 0);
    ack(&mut sending, 1, 9000, &[]).unwrap();
    sending.link_ended(LinkEnd::TooLong);
    again(&mut sending, 1);
    sending.link_ended(LinkEnd::TooLong);
    assert!(!sending.record().numbered[0].withdrawn, "1009 before anything was written");
    // [REF-10] Before `welcome`.
    sending.link_ended(LinkEnd::TooLong);
    assert!(!sending.record().numbered[0].withdrawn);
    let mut sending = open(0);
    sending.link_ended(LinkEnd::TooLong);
    assert_eq!(sending.record().alone_until, None, "nothing is unsettled");
}

/// [REF-9] Three in a row, each under a frame of more than 65,536 octets.
#[test]
fn three_breaks_under_a_long_frame_make_it_go_alone() {
    let breaks = |ends: &[LinkEnd], bytes: u32| {
        let mut sending = open(0);
        sending.submit(text(1, bytes)).unwrap();
        submit(&mut sending, 2..=2);
        write(&mut sending, 0);
        for end in ends {
            sending.link_ended(*end);
            sending = Sending::restore(OutboxConfig::default(), sending.record()).unwrap();
            again(&mut sending, 0);
            write(&mut sending, 0);
        }
        sending.record().alone_until
    };
    use LinkEnd::{Broke, Other};
    assert_eq!(breaks(&[Broke, Broke], 65_536), None);
    assert_eq!(breaks(&[Broke, Broke, Broke], 65_536), Some(2));
    assert_eq!(breaks(&[Broke, Broke, Other, Broke], 65_536), None);
    assert_eq!(breaks(&[Broke, Broke, Broke], 60_000), None);
    let mut sending = open(0);
    sending.submit(text(1, 70_000)).unwrap();
    write(&mut sending, 0);
    ack(&mut sending, 1, 9000, &[]).unwrap();
    submit(&mut sending, 2..=2);
    write(&mut sending, 0);
    sending.link_ended(Broke);
    assert_eq!(sending.record().broken_links, 0, "it was acknowledged");
}
