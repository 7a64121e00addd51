//! A refusal is a verdict, recorded with the mark and kept until it has been let go.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

fn claimed() -> Bench {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    bench
}

/// [ENG-19] [REF-1] [REF-2]
#[test]
fn a_refusal_moves_the_mark_and_is_on_record_with_it() {
    let mut bench = claimed();
    bench.append(1, 1, 1, 1, &posts("room", 1..=1));
    assert_eq!(bench.refuse(1, 1, 1, 2), RefusalAnswer::Refused { mark: 2 });
    let answer = bench.append(1, 1, 1, 3, &posts("room", 3..=3));
    assert_eq!(answer, Appended::Stored { mark: 3, numbers: vec![2] });
    let Claimed::Claimed { mark, refusals, .. } = bench.claim(1, 2, 1, 3) else { panic!() };
    assert_eq!((mark, refusals), (3, vec![(2, code("forbidden"))]));
}

/// [REF-7] [ENG-17] The first verdict is the answer, whichever it was.
#[test]
fn what_was_stored_is_not_refused_and_what_was_refused_is_not_stored() {
    let mut bench = claimed();
    bench.append(1, 1, 1, 1, &posts("room", 1..=1));
    bench.refuse(1, 1, 1, 2);
    let refusals = vec![(2, code("forbidden"))];
    let answer = bench.refuse(1, 1, 1, 1);
    assert_eq!(answer, RefusalAnswer::Duplicate { mark: 2, refusals: refusals.clone() });
    assert_eq!(bench.append(1, 1, 1, 2, &posts("room", 2..=2)), Appended::Duplicate { mark: 2, refusals });
    let fence = bench.fence(1, 1, 1);
    let again = bench.engine.refuse(&fence, 2, &code("another-reason"), bench.now).unwrap();
    assert_eq!(again, RefusalAnswer::Duplicate { mark: 2, refusals: vec![(2, code("forbidden"))] });
    assert_eq!(bench.head(), 1);
}

/// [ENG-16]
#[test]
fn a_refusal_beyond_the_next_number_is_a_gap() {
    let mut bench = claimed();
    for n in [2, u64::MAX] {
        assert_eq!(bench.refuse(1, 1, 1, n), RefusalAnswer::Gap { mark: 0 });
    }
    assert_eq!(bench.engine.memory_use().refusals, 0);
}

/// [REF-4] [ENG-19] [LIM-10]
#[test]
fn the_257th_refusal_waits_for_a_release() {
    let mut bench = claimed();
    let most = REFUSALS_MAX as u64;
    for n in 1..=most {
        assert_eq!(bench.refuse(1, 1, 1, n), RefusalAnswer::Refused { mark: n });
    }
    assert_eq!(bench.refuse(1, 1, 1, most + 1), RefusalAnswer::Full { mark: most });
    assert_eq!(bench.claimed(1, 2, 1, most + 1).1.len(), REFUSALS_MAX, "nothing has changed");
    assert_eq!(bench.refuse(1, 2, 2, most + 1), RefusalAnswer::Refused { mark: most + 1 });
    assert!(stored(&bench.append(1, 2, 2, most + 2, &posts("room", 1..=1))), "appends are not held up");
}

/// [ENG-19] [ENG-15] The order of the tests: the release, the gap, the duplicate, and only then whether there is room.
#[test]
fn a_full_record_still_knows_what_was_settled() {
    let mut bench = claimed();
    let most = REFUSALS_MAX as u64;
    for n in 1..=most {
        bench.refuse(1, 1, 1, n);
    }
    assert_eq!(bench.refuse(1, 1, 1, most + 2), RefusalAnswer::Gap { mark: most });
    for n in [1, most] {
        let RefusalAnswer::Duplicate { mark, refusals } = bench.refuse(1, 1, 1, n) else { panic!() };
        assert_eq!((mark, refusals.len()), (most, REFUSALS_MAX));
    }
    assert_eq!(bench.refuse(1, 1, 2, most + 1), RefusalAnswer::Refused { mark: most + 1 }, "and a release");
    assert_eq!(bench.refuse(1, 1, 2, most + 2), RefusalAnswer::Full { mark: most + 1 });
}

/// [REF-3] Through any number of links, and whatever a zombie says.
#[test]
fn a_refusal_is_kept_until_it_is_let_go() {
    let mut bench = claimed();
    bench.refuse(1, 1, 1, 1);
    for link in 2..10 {
        assert_eq!(bench.claimed(1, link, 1, 1), (1, vec![1]));
        assert_eq!(bench.append(1, link - 1, 2, 2, &[]), Appended::Fenced);
        bench.pass(secs(29 * 24 * 60 * 60));
    }
    bench.append(1, 9, 2, 2, &[]);
    assert_eq!(bench.claimed(1, 10, 2, 1), (1, vec![]));
    assert_eq!(bench.claim(1, 11, 1, 1), Claimed::Unknown, "a forgotten refusal is never read as stored");
}
