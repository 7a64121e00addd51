//! Chapters 10 to 12: pages, casts and requests.

mod v1_client_common;

use everwire_core::frame::{Form, PageMark};
use everwire_core::session::client::*;
use everwire_core::session::up::{Dropped, Exit, Unwritten};
use everwire_core::{Refusal, Ticket};
use v1_client_common::*;

const MAX: u64 = (1 << 53) - 1;

fn ask(page: u32, before: Option<(&str, u64)>, count: u16) -> PageAsk {
    let before = before.map(|(epoch, before)| (epoch.into(), before));
    PageAsk { page: PageId(page), subject: subject("room_a"), before, count }
}

fn page(host: &mut Host, ask: PageAsk) {
    host.client.page(ask, host.now).unwrap();
    host.drain();
}

fn part(id: u64, mark: &str, numbers: &[u64]) -> String {
    let list: String = numbers.iter().map(|s| format!(" {s}")).collect();
    format!("page {id} {mark}{list}\n[{}]", vec![r#"{"type":"t"}"#; numbers.len()].join(","))
}

fn failures(host: &Host) -> Vec<(u32, PageFailure)> {
    let failure = |action: &Action| match action {
        Action::PageFailed { page, why } => Some((page.0, why.clone())),
        _ => None,
    };
    host.done.iter().filter_map(failure).collect()
}

/// [PAGE-1] [PAGE-2] [LIM-13] [PAGE-5]
#[test]
fn four_pages_at_a_time() {
    let mut host = Host::open();
    for id in 1..=6 {
        page(&mut host, ask(id, None, 2));
    }
    assert_eq!(host.wire, (1..=4).map(|id| format!("page {id} room_a {MAX} 2")).collect::<Vec<_>>());
    host.frame(&part(3, "more", &[5]));
    host.frame(&part(3, "cut", &[9]));
    host.frame("page 1 !forbidden");
    assert_eq!(host.wire[4..], [format!("page 5 room_a {MAX} 2"), format!("page 6 room_a {MAX} 2")]);
    let parts: Vec<_> = host
        .done
        .iter()
        .filter_map(|action| match action {
            Action::Paged { page, mark, numbers } => Some((page.0, *mark, numbers.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [(3, PageMark::More, vec![5]), (3, PageMark::Cut, vec![9])]);
    assert_eq!(failures(&host), [(1, PageFailure::Refused("forbidden".into()))]);
    assert_eq!(host.record.down.received, 0);
}

/// [PAGE-8] [ERR-22] [PAGE-3]
#[test]
fn a_wrong_answer_breaks_the_link() {
    for (frames, clause) in [
        (vec![part(9, "end", &[1])], "PAGE-8"),
        (vec![part(1, "end", &[0])], "PAGE-8"),
        (vec![part(1, "end", &[10])], "PAGE-8"),
        (vec![part(1, "more", &[5]), part(1, "end", &[5])], "PAGE-8"),
        (vec![part(1, "more", &[5]), part(1, "end", &[4])], "PAGE-8"),
        (vec![part(1, "end", &[1, 2, 3])], "PAGE-8"),
        (vec![part(1, "more", &[1, 2]), part(1, "end", &[3])], "PAGE-8"),
        (vec![part(1, "cut", &[])], "PAGE-8"),
        (vec![part(1, "more", &[])], "PAGE-8"),
        (vec![part(1, "more", &[1]), "page 1 !unavailable".into()], "PAGE-2"),
        (vec![part(1, "end", &[1]), part(1, "end", &[2])], "PAGE-8"),
        (vec!["page 9 !unavailable".into()], "PAGE-8"),
        (vec!["page 1 end 1 2\n[{\"type\":\"t\"}]".into()], "ERR-7"),
    ] {
        let mut host = Host::open();
        page(&mut host, ask(1, Some(("e", 10)), 2));
        for frame in &frames {
            host.frame(frame);
        }
        assert_eq!(host.close_code().map(|close| close.reason), Some(clause), "{frames:?}");
    }
    let mut host = Host::open();
    page(&mut host, ask(1, Some(("e", 10)), 2));
    host.frame(&part(1, "end", &[]));
    assert_eq!(host.close_code(), None);
}

/// [PAGE-7] [PAGE-8]
#[test]
fn pages_die_with_their_link_and_an_aborted_one_waits_for_its_answer() {
    let mut host = Host::open();
    for id in 1..=5 {
        page(&mut host, ask(id, None, 2));
    }
    host.client.handle_page_abort(PageId(1), host.now);
    host.drain();
    assert_eq!(host.wire.len(), 4, "its place is not free before its answer has come");
    host.frame(&part(1, "end", &[1]));
    assert_eq!((host.wire.len(), host.did(|action| matches!(action, Action::Paged { .. }))), (5, 0));
    host.done.clear();
    host.relink();
    let lost: Vec<_> = (2..=5).map(|id| (id, PageFailure::LinkLost)).collect();
    assert_eq!(failures(&host), lost);
    page(&mut host, ask(6, None, 1));
    assert_eq!(host.wire.len(), 1, "not before `welcome`");
    host.welcome("{}");
    assert_eq!(host.wire[1..], [format!("page 1 room_a {MAX} 1")]);
}

/// [PAGE-10]
#[test]
fn a_cursor_of_another_log_fails() {
    let mut host = Host::open();
    page(&mut host, ask(1, Some(("d", 9)), 1));
    assert_eq!(failures(&host), [(1, PageFailure::Lost)]);
    host.close(1006);
    page(&mut host, ask(2, Some(("e", 9)), 1));
    page(&mut host, ask(3, None, 1));
    host.redial();
    host.done.clear();
    host.welcome(r#"{"logEpoch":"f","rooms":[{"room":"user_1","from":0}]}"#);
    assert_eq!(failures(&host), [(2, PageFailure::Lost)]);
    assert_eq!(host.wire[1..], [format!("page 1 room_a {MAX} 1")]);
}

/// [LIM-14] [FRM-11]
#[test]
fn what_is_no_page_is_refused_at_the_call() {
    let mut host = Host::new(Config::default());
    for wrong in
        [ask(1, None, 0), ask(1, None, 257), PageAsk { subject: subject("a\u{7f}"), ..ask(1, None, 1) }]
    {
        assert_eq!(host.client.page(wrong, host.now), Err(PageUnfit::Malformed));
    }
    for id in 0..256 {
        host.client.page(ask(id, None, 1), host.now).unwrap();
    }
    assert_eq!(host.client.page(ask(300, None, 1), host.now), Err(PageUnfit::TooMany));
    host.shut(secs(0));
    assert_eq!(failures(&host).len(), 256);
    assert_eq!(host.client.page(ask(301, None, 1), host.now), Err(PageUnfit::Closed));
}

/// [CAST-1] [CAST-2] [CAST-5] [LIVE-13]
#[test]
fn casts_are_never_kept() {
    let cast = |bytes| Cast { ticket: Ticket(1), bytes, form: Form::Text };
    let mut host = Host::new(Config::default());
    assert!(!host.client.cast(cast(10), host.now));
    host.connect();
    assert!(!host.client.cast(cast(10), host.now));
    host.welcome("{}");
    assert_eq!(host.wire.len(), 1);
    assert!(host.client.cast(cast(10), host.now));
    assert!(host.client.cast(cast(20_000), host.now));
    host.drain();
    assert_eq!(host.wire[1..], ["cast", "more 20005", "cast"]);
    assert!(!host.client.cast(cast(1_081_400), host.now), "over the frame limit");
    host.relink();
    host.welcome("{}");
    assert_eq!(host.wire.len(), 1);
}

/// [FRM-5] [CAST-5] [ERR-8]
#[test]
fn casts_that_come() {
    let mut host = Host::open();
    host.frame("cast\n[{\"type\":\"t\"},3]");
    host.binary(b"cast\n{\"type\":\"t\"}\nxy");
    assert_eq!(host.did(|action| matches!(action, Action::Casts)), 2);
    assert_eq!(host.close_code(), None);
    assert_eq!(Host::answer_to("cast\n[]"), Some((4002, "FRM-5")));
    assert_eq!(Host::answer_to(&format!("cast\n[{}3]", "3,".repeat(1023))), None);
    assert_eq!(Host::answer_to(&format!("cast\n[{}3]", "3,".repeat(1024))), Some((4002, "FRM-5")));
    assert_eq!(Host::answer_to("cast\n{}"), Some((4002, "ERR-6")));
}

fn answered(host: &Host) -> Vec<u32> {
    let answered = |action: &Action| match action {
        Action::Answered { ticket, .. } => Some(ticket.0),
        _ => None,
    };
    host.done.iter().filter_map(answered).collect()
}

fn unanswered(host: &Host) -> Vec<(u32, Dropped)> {
    let unanswered = |action: &Action| match action {
        Action::Unanswered { ticket, why, .. } => Some((ticket.0, *why)),
        _ => None,
    };
    host.done.iter().filter_map(unanswered).collect()
}

const REPLY: &str = "[{\"type\":\"t\"}]";

/// [REQ-8] [REQ-9] [REQ-14] [ERR-23]
#[test]
fn a_reply_answers_and_does_not_settle() {
    let mut host = Host::open();
    host.request(1, secs(30));
    host.request(2, secs(30));
    host.frame(&format!("reply 2\n{REPLY}"));
    host.frame(&format!("reply 2\n{REPLY}"));
    host.frame(&format!("reply 77\n{REPLY}"));
    assert_eq!(answered(&host), [2]);
    assert!(host.exits.is_empty());
    host.frame("ack 2 9000");
    assert_eq!(host.exits.len(), 2);
    // Settled, and pending still: over links and instances.
    host.relink();
    assert!(host.wire[0].contains("\"pending\":[1]"));
    host.crash();
    host.drain();
    host.redial();
    assert!(host.wire[0].contains("\"pending\":[1]"));
    host.welcome("{}");
    host.frame(&format!("reply 1\n{REPLY}"));
    assert_eq!(answered(&host), [2, 1]);
    assert_eq!(Host::answer_to("reply 1\n[]"), Some((4002, "ERR-7")));
    assert_eq!(Host::answer_to("reply 1\n{}"), Some((4002, "ERR-6")));
}

/// [REQ-10] [SEND-5]
#[test]
fn a_request_is_waited_for_so_long() {
    let mut host = Host::open();
    host.request(1, secs(3));
    host.frame("ack 1 9000");
    host.request(2, secs(5));
    host.frame("ack 2 9000");
    host.pass(ms(2999));
    assert_eq!(unanswered(&host), []);
    host.pass(ms(1));
    assert_eq!(unanswered(&host), [(1, Dropped::InDoubt)]);
    host.frame(&format!("reply 1\n{REPLY}"));
    assert!(answered(&host).is_empty());
    host.close(1006);
    host.request(3, secs(1));
    host.pass(secs(1));
    assert_eq!(host.dropped(3), Some(Dropped::NeverWritten(Unwritten::Expired)));
    // With a number and unsettled, it goes on without its promise.
    let mut host = Host::open();
    host.request(1, ms(100));
    host.pass(ms(100));
    assert_eq!(unanswered(&host), [(1, Dropped::InDoubt)]);
    assert!(host.exits.is_empty() && host.record.requests.is_empty());
    host.frame("ack 1 9000");
    assert_eq!(host.exit(1), Some(&Exit::Settled));
}

/// [REQ-11] [EPOCH-3]
#[test]
fn requests_end_with_their_message_or_their_producer() {
    let mut host = Host::open();
    for ticket in 1..=3 {
        host.request(ticket, secs(30));
    }
    host.frame("ack 2 9000 1:forbidden");
    assert_eq!(host.exit(1), Some(&Exit::Refused("forbidden".into())));
    assert_eq!(host.record.requests.iter().map(|(n, _)| n).collect::<Vec<_>>(), [2, 3]);
    host.close(4005);
    assert_eq!(host.dropped(3), Some(Dropped::Unknown));
    assert_eq!(unanswered(&host), [(2, Dropped::InDoubt)], "2 was settled: it may have had its effect");
    assert!(host.record.requests.is_empty());
}

/// [REQ-9]
#[test]
fn an_aborted_request_is_given_up() {
    let mut host = Host::open();
    host.request(1, secs(30));
    host.abort(1);
    assert_eq!(unanswered(&host), [(1, Dropped::InDoubt)]);
    host.frame(&format!("reply 1\n{REPLY}"));
    assert!(answered(&host).is_empty());
    host.frame("ack 1 9000");
    assert_eq!(host.exit(1), Some(&Exit::Settled));
}

/// Dead between the record and the machine: what was aborted is not sent, or no longer waited for. [KEEP-1] [SEND-5]
#[test]
fn an_abort_survives_the_instance() {
    let mut host = Host::open();
    host.request(1, secs(30));
    host.close(1006);
    host.send(2..=3);
    host.record.aborted(Ticket(1));
    host.record.aborted(Ticket(2));
    host.crash();
    host.drain();
    assert_eq!(host.dropped(2), Some(Dropped::NeverWritten(Unwritten::Aborted)));
    assert_eq!(unanswered(&host), [(1, Dropped::InDoubt)]);
    host.redial();
    host.welcome("{}");
    assert_eq!(host.wire[1..], ["send 1 2 1 [1,3]"]);
    host.frame("ack 2 9000");
    assert!(host.record.aborted.is_empty());
}

/// At most an hour. [REQ-10]
#[test]
fn no_request_is_waited_for_for_more_than_an_hour() {
    let now = Host::open().now;
    assert_eq!(text(1, 1).answered_within(secs(7200), now).answer_by, Some(now + secs(3600)));
    assert_eq!(text(1, 1).answered_within(secs(5), now).answer_by, Some(now + secs(5)));
}

/// [REQ-13] [LIM-12]
#[test]
fn the_257th_is_rejected_at_the_call() {
    let mut host = Host::open();
    host.frame("ack 0 200");
    host.close(1006);
    host.redial();
    host.welcome(r#"{"credit":200}"#);
    for ticket in 1..=256 {
        host.request(ticket, secs(30));
    }
    // 200 have a number, 56 have none.
    assert_eq!(host.client.unsettled(), (200, 56));
    let another = everwire_core::session::up::Outgoing { answer_by: Some(host.now), ..text(257, 10) };
    assert_eq!(host.client.admits(&another), Err(Refusal::OutboxFull));
    assert_eq!(host.client.admits(&text(257, 10)), Ok(()));
    host.frame(&format!("reply 7\n{REPLY}"));
    assert_eq!(host.client.admits(&another), Ok(()));
}

/// At the end of the wire every promise is answered for. [CLOSE-5]
#[test]
fn nothing_hangs_when_the_wire_closes() {
    let mut host = Host::open();
    host.request(1, secs(30));
    host.request(2, secs(30));
    host.frame("ack 1 9000");
    page(&mut host, ask(1, None, 1));
    host.close(4501);
    assert_eq!(host.client.phase(), Phase::Closed);
    assert_eq!(host.dropped(2), Some(Dropped::InDoubt));
    assert_eq!(unanswered(&host), [(1, Dropped::InDoubt)]);
    assert_eq!(failures(&host).len(), 1);
}
