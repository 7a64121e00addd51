//! Answers wait in a private inbox per producer, beside the log and bounded by themselves.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

const HOUR: u64 = 60 * 60;

/// What a node reads of an inbox.
fn answers(bench: &mut Bench, id: u8) -> Vec<u64> {
    let inbox = inbox(id);
    interval(bench.read(&filter(&[(inbox.as_str(), 0)]), ALL, usize::MAX, Direction::Downwards)).2
}

/// A node appends answers, each under the number of its request.
fn answer(bench: &mut Bench, id: u8, octets: u64) -> u64 {
    bench.claim_as(Identity::named("_node"), 200, 1, 1, 0);
    let Appended::Duplicate { mark, .. } = bench.append(200, 1, 1, 1, &[]) else { panic!("fenced") };
    let post = Post { tag: Some(mark), ..Post::new(inbox(id), Body { id: 0, octets }) };
    match bench.append(200, 1, 1, mark + 1, &[post]) {
        Appended::Stored { numbers, .. } => numbers[0],
        other => panic!("not stored: {other:?}"),
    }
}

/// [REQ-4] The number of the request comes back with its answer, and with no other message.
#[test]
fn an_answer_carries_its_tag() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    let tagged = |tag| Post { tag, ..Post::new(inbox(1), Body { id: 7, octets: 1 }) };
    bench.append(1, 1, 1, 1, &[tagged(Some(41)), post("a", 1), tagged(Some(43))]);
    let name = inbox(1);
    let of = filter(&[(name.as_str(), 0), ("a", 0)]);
    for direction in [Direction::Downwards, Direction::Upwards] {
        let Read::Interval(it) = bench.read(&of, ALL, 9, direction) else { panic!() };
        let tags: Vec<_> = it.messages.iter().map(|message| message.tag).collect();
        assert_eq!(tags, [Some(41), None, Some(43)]);
    }
    let Tailed::Step { interval, .. } = bench.tail(&of, &mut Cursor::after(2)) else { panic!() };
    assert_eq!(interval.messages[0].tag, Some(43));
}

/// [REQ-5] The newest 512, in order, in each.
#[test]
fn an_inbox_is_a_ring() {
    let mut bench = Bench::new();
    for id in 1..=2 {
        bench.claimed(id, 1, 1, 0);
    }
    let name = inbox(1);
    for _ in 0..512 + 44 {
        answer(&mut bench, 1, 1);
    }
    answer(&mut bench, 2, 1);
    let kept = answers(&mut bench, 1);
    assert_eq!((kept.len(), kept[0], bench.trimmed(name.as_str())), (512, 45, 44));
    assert_eq!(answers(&mut bench, 2).len(), 1);
}

/// [REQ-5] As far as they amount to 8 MiB, to the octet; the newest always.
#[test]
fn an_inbox_keeps_eight_mebibytes() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    for _ in 0..8 {
        answer(&mut bench, 1, 1 << 20);
    }
    assert_eq!(answers(&mut bench, 1), [1, 2, 3, 4, 5, 6, 7, 8]);
    answer(&mut bench, 1, 1);
    assert_eq!(answers(&mut bench, 1), [2, 3, 4, 5, 6, 7, 8, 9]);
    answer(&mut bench, 1, (8 << 20) + 1);
    assert_eq!(answers(&mut bench, 1), [10], "however long");
    answer(&mut bench, 1, 1);
    assert_eq!(answers(&mut bench, 1), [11]);
}

/// [REQ-5] [TIME-18] For an hour, outside the trimming of the log by count, by bytes and by age.
#[test]
fn answers_outlive_the_log() {
    assert_eq!(INBOX_AGE_MAX, secs(60 * 60));
    let config =
        MemoryConfig { messages_max: 2, octets_max: 1, age_max: secs(10), ..MemoryConfig::default() };
    let mut bench = Bench::with(config);
    bench.claimed(1, 1, 1, 0);
    answer(&mut bench, 1, 1);
    bench.fill(&["a", "a", "a", "a"]);
    bench.pass(secs(1));
    answer(&mut bench, 1, 1);
    bench.pass(INBOX_AGE_MAX - secs(2));
    bench.fill(&["a"]);
    assert_eq!(answers(&mut bench, 1), [1, 6]);
    bench.pass(secs(1));
    assert_eq!(answers(&mut bench, 1), [6]);
    bench.pass(secs(1));
    assert_eq!(answers(&mut bench, 1), [0u64; 0]);
}

/// [REQ-5] And the other way round: what is trimmed in an inbox is lost to no room.
#[test]
fn answers_push_out_no_ordinary_message() {
    let config = MemoryConfig { messages_max: 2, inbox_octets_max: 0, ..MemoryConfig::default() };
    let mut bench = Bench::with(config);
    bench.claimed(1, 1, 1, 0);
    bench.fill(&["a", "a"]);
    for _ in 0..600 {
        answer(&mut bench, 1, 100);
    }
    assert_eq!(bench.trimmed("a"), 0);
    assert_eq!(interval(bench.read_all(&filter(&[("a", 0)]), 0)), (0, 602, vec![1, 2], false));
}

/// [REQ-5] All inboxes together are bounded: of whom the producer was used least recently, the oldest answers go first.
/// The newest of all stays, however long.
#[test]
fn inboxes_together_are_bounded_in_bytes() {
    let each = 1000 + STORED_OVERHEAD_OCTETS;
    let mut bench = Bench::with(MemoryConfig { inbox_octets_max: 7 * each, ..MemoryConfig::default() });
    for id in 1..=3 {
        bench.claimed(id, 1, 1, 0);
        answer(&mut bench, id, 1000);
        answer(&mut bench, id, 1000);
    }
    bench.append(1, 1, 1, 1, &[]);
    assert_eq!(answer(&mut bench, 2, 1000), 7);
    assert_eq!(bench.engine.memory_use().octets, 7 * each);
    answer(&mut bench, 1, 1000);
    let all = |bench: &mut Bench| [1, 2, 3].map(|id| answers(bench, id));
    assert_eq!(all(&mut bench), [vec![1, 2, 8], vec![4, 7], vec![5, 6]], "2 was used least recently");
    answer(&mut bench, 2, 1000);
    assert_eq!(all(&mut bench), [vec![1, 2, 8], vec![7, 9], vec![5, 6]], "its own, as any other's");
    answer(&mut bench, 2, 2000);
    assert_eq!(all(&mut bench), [vec![1, 2, 8], vec![10], vec![5, 6]]);
    answer(&mut bench, 2, 7 * each);
    assert_eq!(all(&mut bench), [vec![], vec![11], vec![]]);
    assert_eq!(bench.engine.memory_use().messages, 1);
}

/// [ENG-22] [ENG-23] However the record goes, its inbox goes with it, and what comes too late is for nobody.
#[test]
fn an_inbox_goes_with_its_record() {
    for way in 0..3 {
        let config = MemoryConfig { records_per_identity_max: 1, ..MemoryConfig::default() };
        let mut bench = Bench::with(config);
        bench.claimed(1, 1, 1, 0);
        if way == 0 {
            bench.pass(RECORD_AGE_MAX - secs(1));
        }
        answer(&mut bench, 1, 100);
        assert_eq!(answers(&mut bench, 1), [1]);
        match way {
            0 => bench.pass(secs(1)),
            1 => bench.engine.forget(&producer(1), bench.now).unwrap(),
            _ => {
                bench.pass(INBOX_AGE_MAX - secs(1));
                answer(&mut bench, 1, 100);
                bench.pass(secs(1));
                bench.claimed(2, 1, 1, 0);
            }
        }
        assert_eq!(answers(&mut bench, 1), [0u64; 0], "way {way}");
        let MemoryUse { messages, octets, .. } = bench.engine.memory_use();
        assert_eq!((messages, octets), (0, 0));
        let late = answer(&mut bench, 1, 100);
        assert_eq!(late, if way == 2 { 3 } else { 2 }, "it gets a number as any message");
        assert_eq!((answers(&mut bench, 1).len(), bench.engine.memory_use().messages), (0, 0));
        assert!(bench.trimmed(inbox(1).as_str()) >= late, "[ENG-28] and is known to be gone");

        bench.pass(secs(HOUR));
        bench.claimed(1, 9, 1, 0);
        assert_eq!(answers(&mut bench, 1), [0u64; 0], "[ENG-8] another inbox");
        assert!(bench.trimmed(inbox(1).as_str()) >= late, "[ENG-28]");
        let fresh = answer(&mut bench, 1, 100);
        assert_eq!(answers(&mut bench, 1), [fresh]);
    }
}

/// [ENG-32] [REQ-1] Nobody reads a request: it moves mark and head, takes no memory and pushes out no message.
#[test]
fn a_request_gets_a_number_and_is_not_kept() {
    let config = MemoryConfig { messages_max: 2, age_min: secs(10), ..MemoryConfig::default() };
    let mut bench = Bench::with(config);
    bench.claimed(1, 1, 1, 0);
    bench.fill(&["a", "a"]);
    let before = bench.engine.memory_use();
    let answer = bench.append(1, 1, 1, 1, &posts("_request", 1..=3));
    assert_eq!(answer, Appended::Stored { mark: 3, numbers: vec![3, 4, 5] }, "no store is too full for it");
    assert_eq!(bench.engine.memory_use(), before);
    let of = filter(&[("a", 0)]);
    assert_eq!(interval(bench.read_all(&of, 0)), (0, 5, vec![1, 2], false));
    assert_eq!(bench.look(&of, &mut Cursor::after(2)), (2, 5, vec![], vec![]));
    assert_eq!(bench.trimmed("_request"), 5);
    let refusals = vec![];
    assert_eq!(
        bench.append(1, 1, 1, 2, &posts("_request", 2..=3)),
        Appended::Duplicate { mark: 3, refusals }
    );
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

/// A driver that follows an inbox asks whether something has come, without a call.
#[test]
fn the_latest_number_of_a_subject_shows_whether_to_look() {
    let mut bench = Bench::with(MemoryConfig { messages_max: 2, ..MemoryConfig::default() });
    bench.claimed(1, 1, 1, 0);
    let latest = |bench: &Bench, name: &str| bench.engine.latest(&name.into());
    let name = inbox(1);
    assert_eq!((latest(&bench, "a"), latest(&bench, name.as_str()), bench.engine.head()), (0, 0, 0));
    bench.fill(&["a", "b", "b"]);
    assert_eq!((latest(&bench, "a"), latest(&bench, "b"), bench.engine.head()), (1, 3, 3));
    assert_eq!(answer(&mut bench, 1, 1), 4);
    assert_eq!((latest(&bench, name.as_str()), latest(&bench, "b")), (4, 3));
    bench.pass(INBOX_AGE_MAX);
    assert_eq!(answers(&mut bench, 1), [0u64; 0]);
    assert_eq!(latest(&bench, name.as_str()), 4, "it does not fall");
}
