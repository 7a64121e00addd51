//! What a read answers is everything of its filter in its interval, or the news that something is gone.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

use Direction::{Downwards, Upwards};

/// 1 a, 2 b, 3 a, 4 c, 5 a, 6 b
fn six() -> Bench {
    let mut bench = Bench::new();
    assert_eq!(bench.fill(&["a", "b", "a", "c", "a", "b"]), [1, 2, 3, 4, 5, 6]);
    bench
}

fn span(after: u64, before: u64) -> Span {
    Span { after, before }
}

/// [ENG-24] [POS-1]
#[test]
fn an_interval_holds_all_of_the_filter_and_nothing_else() {
    let mut bench = six();
    let all_of = |bench: &mut Bench, of: &[(&str, u64)], after| interval(bench.read_all(&filter(of), after));
    assert_eq!(all_of(&mut bench, &[("a", 0)], 0), (0, 6, vec![1, 3, 5], false));
    assert_eq!(all_of(&mut bench, &[("a", 0), ("b", 0)], 2), (2, 6, vec![3, 5, 6], false));
    assert_eq!(all_of(&mut bench, &[("nobody", 0)], 2), (2, 6, vec![], false));
    assert_eq!(all_of(&mut bench, &[("a", 0)], 6), (6, 6, vec![], false));
}

/// [ENG-24] [ROOM-1] [ROOM-6] Each subject from its own place.
#[test]
fn a_subject_begins_at_its_from() {
    let mut bench = six();
    let of = filter(&[("a", 3), ("b", 0), ("c", 4)]);
    assert_eq!(interval(bench.read_all(&of, 0)), (0, 6, vec![2, 5, 6], false));
    assert_eq!(interval(bench.read_all(&of, 5)), (5, 6, vec![6], false));
    let later = filter(&[("a", 9)]);
    assert_eq!(interval(bench.read_all(&later, 0)), (0, 6, vec![], false), "a from above the head");
}

/// [ENG-25] Upwards, `upto` ends before the next message left out.
#[test]
fn a_limit_upwards_ends_before_the_next_message() {
    let mut bench = six();
    let of = filter(&[("a", 0)]);
    assert_eq!(interval(bench.read(&of, ALL, 1, Upwards)), (0, 2, vec![1], true));
    assert_eq!(interval(bench.read(&of, ALL, 2, Upwards)), (0, 4, vec![1, 3], true));
    assert_eq!(interval(bench.read(&of, ALL, 3, Upwards)), (0, 6, vec![1, 3, 5], false));
    assert_eq!(interval(bench.read(&of, span(1, 5), 1, Upwards)), (1, 4, vec![3], false));
    assert_eq!(interval(bench.read(&of, span(1, 4), 9, Upwards)), (1, 3, vec![3], false));
}

/// [ENG-25] [PAGE-1] [PAGE-3] Downwards, the highest below `before`.
#[test]
fn a_limit_downwards_keeps_the_highest() {
    let mut bench = six();
    let of = filter(&[("a", 0)]);
    assert_eq!(interval(bench.read(&of, ALL, 2, Downwards)), (1, 6, vec![3, 5], true));
    assert_eq!(interval(bench.read(&of, span(0, 5), 1, Downwards)), (1, 4, vec![3], true));
    assert_eq!(interval(bench.read(&of, span(0, 2), 9, Downwards)), (0, 1, vec![1], false));
    assert_eq!(interval(bench.read(&of, span(1, 9), 9, Downwards)), (1, 6, vec![3, 5], false));
}

/// [PAGE-9] A page with before = from + 1 ends where the pushes begin.
#[test]
fn pages_and_pushes_have_no_seam() {
    let mut bench = six();
    for from in 0..=6 {
        let (_, upto, mut older, _) =
            interval(bench.read(&filter(&[("a", 0)]), span(0, from + 1), 99, Downwards));
        let (after, _, newer, _) = interval(bench.read_all(&filter(&[("a", from)]), from));
        assert_eq!(upto, after);
        older.extend(newer);
        assert_eq!(older, [1, 3, 5]);
    }
}

/// [ENG-25]
#[test]
fn an_empty_filter_answers_the_head() {
    let mut bench = Bench::new();
    assert_eq!(interval(bench.read_all(&Filter::new(), 0)), (0, 0, vec![], false));
    bench.fill(&["a", "b"]);
    assert_eq!(interval(bench.read_all(&Filter::new(), 0)), (0, 2, vec![], false));
}

/// [ENG-25] A single message passes whatever the limit, or its reader would stop for good.
#[test]
fn bytes_are_limited_and_one_message_always_passes() {
    let mut bench = six();
    let of = filter(&[("a", 0)]);
    let read = |bench: &mut Bench, octets, direction| {
        let limit = Limit { messages: 0, octets };
        let limit = if octets == 0 { limit } else { Limit { messages: 99, ..limit } };
        interval(bench.engine.read(&bench.epoch, &of, ALL, limit, direction, bench.now).unwrap())
    };
    assert_eq!(read(&mut bench, 0, Upwards), (0, 2, vec![1], true));
    assert_eq!(read(&mut bench, 99, Upwards), (0, 2, vec![1], true));
    assert_eq!(read(&mut bench, 200, Upwards), (0, 4, vec![1, 3], true));
    assert_eq!(read(&mut bench, 299, Downwards), (1, 6, vec![3, 5], true));
}

/// [ENG-31] [EPOCH-6] Of a replica that lags, not of a client that lies: from there on, messages would be skipped.
#[test]
fn a_position_above_the_head_is_said_to_be_one() {
    let mut bench = six();
    let of = filter(&[("a", 0)]);
    assert_eq!(bench.read_all(&of, 7), Read::Behind { head: 6 });
    assert_eq!(bench.read(&of, span(7, 9), 1, Downwards), Read::Behind { head: 6 });
    assert_eq!(bench.tail(&of, &mut Cursor::after(7)), Tailed::Behind { head: 6 });
    assert_eq!(bench.read_all(&of, u64::MAX), Read::Behind { head: 6 });
}

/// Spans that make no sense are empty and hurt nobody.
#[test]
fn hostile_spans_are_empty() {
    let mut bench = six();
    let of = filter(&[("a", u64::MAX), ("b", 0)]);
    for direction in [Upwards, Downwards] {
        for (after, before) in [(6, 0), (3, 3), (3, 4), (0, 0), (0, 1), (6, u64::MAX)] {
            let (from, upto, numbers, more) = interval(bench.read(&of, span(after, before), 9, direction));
            assert_eq!((from, upto, numbers, more), (after, after, vec![], false));
        }
    }
}

fn trimmed_bench() -> Bench {
    let mut bench = Bench::with(MemoryConfig { messages_max: 3, ..MemoryConfig::default() });
    bench.fill(&["a", "b", "a", "c", "a", "b"]);
    bench
}

/// [ENG-28] Per subject, and not the first number of the log: a needless loss is told where nothing is missing.
#[test]
fn trimmed_is_the_highest_number_discarded_of_each_subject() {
    let mut bench = trimmed_bench();
    let of = filter(&[("a", 0), ("b", 0), ("c", 0), ("nobody", 0)]);
    let trimmed = bench.engine.trimmed(&bench.epoch, &of, bench.now).unwrap();
    let trimmed: Vec<_> = trimmed.iter().map(|(subject, s)| (subject.as_str(), *s)).collect();
    assert_eq!(trimmed, [("a", 3), ("b", 2), ("c", 0), ("nobody", 0)]);
}

/// [ENG-26] [LOST-1] Never a silent partial replay.
#[test]
fn what_is_missing_is_said_instead_of_an_interval() {
    let mut bench = trimmed_bench();
    let gone = |subjects: &[&str]| Read::Trimmed(subjects.iter().map(|name| (*name).into()).collect());
    let of = filter(&[("a", 0), ("b", 0), ("c", 0)]);
    assert_eq!(bench.read_all(&of, 0), gone(&["a", "b"]));
    assert_eq!(bench.read_all(&of, 2), gone(&["a"]), "b's 2 was not asked for");
    assert_eq!(interval(bench.read_all(&of, 3)), (3, 6, vec![4, 5, 6], false));
    let joined = filter(&[("a", 3), ("b", 2), ("c", 0)]);
    assert_eq!(
        interval(bench.read_all(&joined, 0)),
        (0, 6, vec![4, 5, 6], false),
        "below from nothing is missing"
    );
    assert_eq!(interval(bench.read_all(&filter(&[("c", 0)]), 0)), (0, 6, vec![4], false));
}

/// [ENG-25] [PAGE-3] Downwards, an interval does not reach below what has been discarded.
#[test]
fn a_page_ends_where_the_log_does() {
    let mut bench = trimmed_bench();
    let page = |bench: &mut Bench, of: &str, before, count| {
        interval(bench.read(&filter(&[(of, 0)]), span(0, before), count, Downwards))
    };
    assert_eq!(page(&mut bench, "a", 9, 9), (3, 6, vec![5], false));
    assert_eq!(page(&mut bench, "b", 9, 9), (2, 6, vec![6], false));
    assert_eq!(page(&mut bench, "c", 9, 9), (0, 6, vec![4], false));
    assert_eq!(page(&mut bench, "a", 3, 9), (2, 2, vec![], false), "everything there was is gone");
}

/// [ENG-25] What was discarded below the asked part of its subject holds no other subject up.
#[test]
fn a_page_goes_below_what_was_not_asked_for() {
    let mut bench = Bench::with(MemoryConfig { messages_max: 3, ..MemoryConfig::default() });
    bench.fill(&["a", "b", "c", "b", "a"]);
    // 1 and 2 are gone; 3 c, 4 b, 5 a are left.
    let page = |bench: &mut Bench, of: &[(&str, u64)], after| {
        interval(bench.read(&filter(of), span(after, 9), 9, Downwards))
    };
    assert_eq!(page(&mut bench, &[("a", 0), ("c", 0)], 0), (1, 5, vec![3, 5], false));
    assert_eq!(page(&mut bench, &[("a", 0), ("b", 0)], 0), (2, 5, vec![4, 5], false));
    assert_eq!(page(&mut bench, &[("a", 0), ("b", 2)], 0), (1, 5, vec![4, 5], false), "from");
    assert_eq!(page(&mut bench, &[("a", 1), ("b", 2)], 0), (0, 5, vec![4, 5], false));
    assert_eq!(page(&mut bench, &[("a", 0), ("b", 0)], 2), (2, 5, vec![4, 5], false), "after");
}

/// [ENG-28] By age too; and the number of a message is never given again.
#[test]
fn old_messages_go() {
    let mut bench = Bench::with(MemoryConfig { age_max: secs(60), ..MemoryConfig::default() });
    bench.fill(&["a"]);
    bench.pass(secs(30));
    bench.fill(&["a"]);
    bench.pass(secs(30));
    assert_eq!(interval(bench.read_all(&filter(&[("a", 1)]), 1)).2, [2]);
    assert_eq!(bench.trimmed("a"), 1);
    bench.pass(secs(30));
    assert_eq!((bench.trimmed("a"), bench.head()), (2, 2));
    assert_eq!(bench.read_all(&filter(&[("a", 0)]), 1), Read::Trimmed(vec!["a".into()]), "the newest too");
    assert_eq!(bench.fill(&["a"]), [3]);
}

/// [ENG-1] [ENG-3] [POS-10] Once an interval is out nothing appears in it.
#[test]
fn an_interval_that_was_answered_never_changes() {
    let mut bench = Bench::new();
    let of = filter(&[("a", 0), ("b", 0)]);
    let mut answered = Vec::new();
    for step in 0..50u64 {
        bench.fill(if step % 3 == 0 { &["a", "b", "c"] } else { &["c", "a"] });
        let (_, upto, numbers, _) = interval(bench.read_all(&of, 0));
        for (old_upto, old) in &answered {
            let again: Vec<_> = numbers.iter().copied().filter(|s| s <= old_upto).collect();
            assert_eq!(again, *old);
        }
        answered.push((upto, numbers));
    }
}

/// A read of few subjects over a long stretch and one of many over a short stretch take different ways.
#[test]
fn both_ways_of_reading_agree() {
    let mut bench = Bench::new();
    let names: Vec<_> = (0..40u64).map(|id| format!("room-{}", (id * id) % 23)).collect();
    for _ in 0..10 {
        bench.fill(&names.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let of = |count: u64| {
        let rooms = (0..count).map(|id| (Subject::from(format!("room-{id}").as_str()), id * 7));
        rooms.fold(Filter::new(), |filter, (subject, from)| filter.with(subject, from))
    };
    let Read::Interval(everything) = bench.read_all(&of(23), 0) else { panic!() };
    for (after, before, count) in [(0, 999, 1), (3, 250, 2), (100, 130, 23), (390, 999, 23), (17, 399, 5)] {
        for limit in [1, 4, 1000] {
            let wanted = of(count);
            let inside = everything.messages.iter().filter(|it| it.s > after && it.s < before);
            let expected: Vec<_> =
                inside.filter(|it| wanted.passes(&it.subject, it.s)).map(|it| it.s).collect();
            let (.., up, _) = interval(bench.read(&wanted, span(after, before), limit, Upwards));
            let (.., down, _) = interval(bench.read(&wanted, span(after, before), limit, Downwards));
            let cut = limit.min(expected.len());
            assert_eq!(up, expected[..cut]);
            assert_eq!(down, expected[expected.len() - cut..]);
        }
    }
}
