//! Pages of a room's history.
mod node_common;

use everwire_core::engine::*;
use everwire_core::session::node::*;
use node_common::*;

fn stored(many: u32, octets: u64) -> Rig {
    let mut rig = Rig::open(&[]);
    for id in 1..=many {
        rig.post_body("room_a", Body { id, octets, binary: false });
    }
    rig.take();
    rig
}

fn page(rig: &mut Rig, head: &str) -> Vec<String> {
    rig.line(head);
    pages(rig)
}

fn pages(rig: &mut Rig) -> Vec<String> {
    let page = |frame| match frame {
        NodeFrame::Page { id, mark, messages } => {
            let numbers: Vec<_> = messages.iter().map(|message| message.s.to_string()).collect();
            Some(format!("{id} {} {}", mark.as_str(), numbers.join(" ")))
        }
        NodeFrame::PageRefused { id, code } => Some(format!("{id} !{code}")),
        _ => None,
    };
    rig.frames().into_iter().filter_map(page).collect()
}

/// [PAGE-1] [PAGE-2] [PAGE-3] [PAGE-5] The newest below, in ascending order; `cut` where there is more.
#[test]
fn a_page_holds_the_newest_below() {
    let mut rig = stored(5, 10);
    assert_eq!(page(&mut rig, "page 7 room_a 9007199254740991 2"), ["7 cut 4 5"]);
    assert_eq!(page(&mut rig, "page 7 room_a 4 3"), ["7 end 1 2 3"]);
    assert_eq!(page(&mut rig, "page 7 room_a 4 2"), ["7 cut 2 3"]);
    assert_eq!(page(&mut rig, "page 0 room_a 1 2"), ["0 end "]);
    assert_eq!(page(&mut rig, "page 0 room_a 0 2"), ["0 end "]);
    assert_eq!(page(&mut rig, "page 8 room_b 6 2"), ["8 end "]);
    // What is discarded is no reason for `cut`.
    let memory = MemoryConfig { messages_max: 2, ..MemoryConfig::default() };
    let mut rig = Rig::with(NodeConfig::default(), memory);
    rig.hello(hello());
    for _ in 0..4 {
        rig.post("room_a");
    }
    rig.take();
    assert_eq!(page(&mut rig, "page 1 room_a 9007199254740991 9"), ["1 end 3 4"]);
}

/// [PAGE-6] [ROOM-11] [ROOM-19] [FRM-11]
#[test]
fn a_page_is_authorised() {
    let mut rig = stored(5, 10);
    rig.post(OWN);
    rig.take();
    rig.hooks.denied.insert("room_b".into());
    rig.hooks.since.insert("room_a".into(), 3);
    assert_eq!(page(&mut rig, "page 1 room_b 9 9"), ["1 !forbidden"]);
    assert_eq!(page(&mut rig, "page 1 room_a 9 9"), ["1 end 4 5"]);
    rig.asked.clear();
    assert_eq!(page(&mut rig, "page 1 user_2 9 9"), ["1 !forbidden"]);
    assert_eq!(page(&mut rig, "page 1 _inbox1 9 9"), ["1 !forbidden"]);
    assert_eq!(page(&mut rig, "page 1 %FF 9 9"), ["1 !malformed"]);
    assert_eq!(page(&mut rig, "page 1 user_1 9 9"), ["1 end 6"]);
    assert!(rig.asked.is_empty(), "the hook is not asked");
}

/// [ROOM-21] [TIME-2] A failure says nothing of the identity.
#[test]
fn a_hook_that_fails_makes_a_page_unavailable() {
    let mut rig = stored(1, 10);
    rig.hooks.waits_authorisation = true;
    assert_eq!(page(&mut rig, "page 1 room_a 9 9"), [""; 0]);
    rig.pass(secs(10));
    assert_eq!((pages(&mut rig), rig.closed()), (vec!["1 !unavailable".into()], None));
}

/// [LIM-13] [LIM-14] [ERR-21]
#[test]
fn too_many_pages_or_one_name_twice() {
    let waiting = || {
        let mut rig = stored(1, 10);
        rig.hooks.waits_authorisation = true;
        (1..=4).for_each(|id| rig.line(&format!("page {id} room_a 9 9")));
        assert_eq!(rig.closed(), None);
        rig
    };
    let mut rig = waiting();
    rig.line("page 5 room_a 9 9");
    assert_eq!(rig.closed(), Some((4002, "LIM-13")));
    let mut rig = stored(1, 10);
    rig.hooks.waits_authorisation = true;
    rig.line("page 1 room_a 9 9");
    rig.line("page 1 room_b 9 9");
    assert_eq!(rig.closed(), Some((4002, "ERR-21")));
    for count in [0, 257] {
        let mut rig = stored(1, 10);
        rig.line(&format!("page 1 room_a 9 {count}"));
        assert_eq!(rig.closed(), Some((4002, "LIM-14")));
    }
    // Answered, an id is free.
    let mut rig = waiting();
    rig.release_all();
    assert_eq!(pages(&mut rig).len(), 4);
    rig.line("page 1 room_a 9 9");
    assert_eq!(rig.closed(), None);
}

/// [LIM-4] [LIM-5] [FRM-8] [PAGE-2] An answer of several frames.
#[test]
fn a_long_answer_comes_in_parts() {
    let mut rig = stored(4, 25_000);
    rig.post_body("room_a", Body { binary: true, ..body(9) });
    rig.post_body("room_a", body(10));
    rig.take();
    rig.line("page 1 room_a 99 256");
    let frames = rig.frames();
    for frame in &frames {
        assert!(frame.payloads().count() == 1 || frame.message_octets() <= 57_344);
    }
    rig.said = frames.into_iter().map(Said::Frame).collect();
    assert_eq!(pages(&mut rig), ["1 more 1 2", "1 more 3 4", "1 more 5", "1 end 6"]);
}

/// [PAGE-4] The oldest are left out, and it says `cut`; one message may be longer.
#[test]
fn an_answer_is_bounded_in_octets() {
    let mut rig = stored(20, 65_000);
    rig.line("page 1 room_a 99 20");
    let octets: u64 = rig.frames().iter().map(NodeFrame::message_octets).sum();
    assert!(octets <= 1 << 20 && octets > 15 * 65_000, "{octets}");
    rig.line("page 2 room_a 99 20");
    assert_eq!(pages(&mut rig).last().unwrap(), "2 cut 20");

    let mut rig = stored(2, (1 << 20) + 5);
    assert_eq!(page(&mut rig, "page 1 room_a 99 20"), ["1 cut 2"]);
    // So long that only the brackets are too much.
    let mut rig = stored(2, 1 << 19);
    assert_eq!(page(&mut rig, "page 1 room_a 99 20"), ["1 cut 2"]);
}

/// [PAGE-9] A replica that is behind what this link was told.
#[test]
fn a_page_of_a_lagging_replica_is_unavailable() {
    let mut rig = Rig::open(&["room_a"]);
    rig.post("room_a");
    rig.take();
    for (upto, before, answer) in [(0, 99, "1 !unavailable"), (1, 99, "1 end "), (0, 1, "1 end ")] {
        rig.hooks.waits_calls = true;
        rig.line(&format!("page 1 room_a {before} 9"));
        if let Some(NodeAction::Call { id, .. }) = rig.waiting.pop_front() {
            let interval = Interval { after: 0, upto, messages: vec![], more: false };
            rig.node.handle_answer(id, Answer::Read(Ok(Read::Interval(interval))), rig.now);
            rig.drain();
        }
        assert_eq!(pages(&mut rig), [answer]);
    }
}

/// [SEND-22] [ROOM-22] [TIME-21]
#[test]
fn a_page_is_read_again_and_answered_in_time() {
    let mut rig = stored(1, 10);
    rig.hooks.waits_calls = true;
    rig.line("page 1 room_a 9 9");
    rig.fail(false);
    rig.pass(ms(250));
    rig.release();
    assert_eq!(pages(&mut rig), ["1 end 1"]);
    rig.line("page 2 room_a 9 9");
    for _ in 0..29 {
        rig.pass(secs(1));
        rig.line("vis 1");
    }
    assert_eq!(rig.closed(), None);
    rig.pass(secs(1));
    assert_eq!(rig.closed(), Some((4004, "ROOM-22")));
}

/// A room is revoked while its page waits; the answer to an old question is not taken for a new one.
#[test]
fn a_revocation_reaches_a_page() {
    let mut rig = stored(3, 10);
    rig.hooks.waits_calls = true;
    rig.line("page 1 room_a 99 9");
    rig.node.handle_revoked(&"room_a".into(), rig.now);
    rig.drain();
    assert_eq!(pages(&mut rig), ["1 !forbidden"]);
    rig.line("page 1 room_b 99 9");
    rig.release();
    assert_eq!(pages(&mut rig), [""; 0]);
    rig.release_all();
    assert_eq!(pages(&mut rig), ["1 end "]);
}

/// [NODE-14] No further part begins while the transport holds what was written before.
#[test]
fn parts_wait_for_the_transport() {
    let mut rig = stored(4, 60_000);
    rig.node.handle_transport(Transport::default(), rig.now);
    let full = Transport { written: 200_000, taken: 100_000, waiting_other: 70_000 };
    rig.line("page 1 room_a 99 9");
    // Two of 60,000 octets are more than 65,536.
    assert_eq!(pages(&mut rig), ["1 more 1", "1 more 2"]);
    rig.node.handle_transport(full, rig.now);
    rig.pass(secs(20));
    rig.line("ping 1");
    rig.pass(secs(20));
    assert_eq!((pages(&mut rig), rig.closed()), (vec![], None), "[ROOM-22] that time does not count");
    rig.node.handle_transport(Transport { taken: 200_000, waiting_other: 0, ..full }, rig.now);
    rig.drain();
    assert_eq!(pages(&mut rig), ["1 more 3", "1 end 4"]);
}
