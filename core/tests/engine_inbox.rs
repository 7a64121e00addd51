//! Answers wait in a private inbox per producer, beside the log and bounded by themselves.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

fn answers(bench: &mut Bench, id: u8) -> Vec<u64> {
    let inbox = inbox(id);
    interval(bench.read(&filter(&[(inbox.as_str(), 0)]), ALL, usize::MAX, Direction::Downwards)).2
}

/// [REQ-4] [REQ-5] [REQ-6] The newest 256, in order.
#[test]
fn an_inbox_is_a_ring() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    let name = inbox(1);
    for _ in 0..INBOX_ANSWERS_MAX + 44 {
        bench.fill(&[name.as_str()]);
    }
    let kept = answers(&mut bench, 1);
    assert_eq!((kept.len(), kept[0], bench.trimmed(name.as_str())), (256, 45, 44));
}

/// [REQ-5] A flood of ordinary messages does not push out an answer that somebody waits for.
#[test]
fn answers_outlive_the_log() {
    let config = MemoryConfig { messages_max: 2, age_max: secs(10), ..MemoryConfig::default() };
    let mut bench = Bench::with(config);
    bench.claimed(1, 1, 1, 0);
    bench.fill(&[inbox(1).as_str(), "a", "a", "a", "a"]);
    bench.pass(INBOX_AGE_MAX - secs(1));
    bench.fill(&["a"]);
    assert_eq!(answers(&mut bench, 1), [1]);
    bench.pass(secs(1));
    assert_eq!(answers(&mut bench, 1), [0u64; 0]);
}

/// And the other way round.
#[test]
fn answers_push_out_no_ordinary_message() {
    let mut bench = Bench::with(MemoryConfig { messages_max: 2, ..MemoryConfig::default() });
    bench.claimed(1, 1, 1, 0);
    bench.fill(&["a", "a"]);
    for _ in 0..300 {
        bench.fill(&[inbox(1).as_str()]);
    }
    assert_eq!(bench.trimmed("a"), 0);
}

/// Bytes are bounded in each inbox and over all of them; the newest answer is kept, however long.
#[test]
fn inboxes_are_bounded_in_bytes() {
    let inbox_octets_max = 3 * INBOX_OCTETS_MAX;
    let mut bench = Bench::with(MemoryConfig { inbox_octets_max, ..MemoryConfig::default() });
    bench.claim_as(Identity::named("_node"), 200, 1, 1, 0);
    let mut n = 0;
    for id in 1..=9 {
        bench.claimed(id, 1, 1, 0);
        for _ in 0..5 {
            n += 1;
            let payload = Body { id: n as u32, octets: INBOX_OCTETS_MAX / 3 };
            assert!(stored(&bench.append(200, 1, 1, n, &[Post::new(inbox(id), payload)])));
            assert!(answers(&mut bench, id).len() <= 2);
            assert!(bench.engine.memory_use().octets <= inbox_octets_max);
        }
    }
    assert_eq!(answers(&mut bench, 1), [0u64; 0], "the oldest went first");
    let payload = Body { id: 0, octets: 2 * inbox_octets_max };
    bench.append(200, 1, 1, n + 1, &[Post::new(inbox(1), payload)]);
    assert_eq!(answers(&mut bench, 1), [n + 1]);
    assert_eq!(bench.engine.memory_use().messages, 1);
}

/// [ENG-22] [ENG-23] However the record goes, its inbox goes with it, and what comes too late is kept as any other.
#[test]
fn an_inbox_goes_with_its_record() {
    let config = MemoryConfig { records_per_identity_max: 1, messages_max: 2, ..MemoryConfig::default() };
    let mut bench = Bench::with(config);
    bench.claimed(1, 1, 1, 0);
    bench.fill(&[inbox(1).as_str()]);
    bench.claimed(2, 1, 1, 0);
    assert_eq!(bench.engine.memory_use().messages, 0);
    bench.fill(&[inbox(1).as_str(); 5]);
    assert_eq!(bench.engine.memory_use().messages, 2);
    bench.claimed(1, 2, 1, 0);
    bench.fill(&[inbox(1).as_str(), "a", "a"]);
    assert_eq!(answers(&mut bench, 1), [7], "an inbox again");
}

/// [NODE-13] The end of the inbox is read and followed without a seam.
#[test]
fn a_node_reads_the_inbox_and_then_follows_it() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    let name = inbox(1);
    bench.fill(&[name.as_str(), "a", name.as_str()]);
    let of = filter(&[(name.as_str(), 0)]);
    let (_, upto, found, _) = interval(bench.read(&of, ALL, 256, Direction::Downwards));
    bench.fill(&["a", name.as_str()]);
    let mut cursor = Cursor::after(upto);
    assert_eq!((found, bench.look(&of, &mut cursor).2), (vec![1, 3], vec![5]));
}
