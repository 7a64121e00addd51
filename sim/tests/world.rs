//! The simulator itself: one seed is one schedule, and what goes wrong is seen. The schedules that count are run by
//! `cargo xtask simulate`, which is built for speed.

use everwire_sim::world::{Counts, run, trace};

fn counts(seeds: std::ops::Range<u64>) -> Counts {
    let mut all = Counts::default();
    for seed in seeds {
        all.add(run(seed).unwrap_or_else(|failure| panic!("seed {seed}: {}", failure.violation)));
    }
    all
}

#[test]
fn the_same_seed_is_the_same_schedule_and_another_is_another() {
    for seed in 7..12 {
        assert_eq!(trace(seed), trace(seed));
        assert_ne!(trace(seed), trace(seed + 1));
    }
}

/// Every kind of fault happens, every machine goes through most of its phases, and schedules are long.
#[test]
fn a_few_schedules_see_most_of_what_there_is() {
    let all = counts(0..60);
    let (messages, faults) = all.median();
    assert!(messages >= 200 && faults >= 10, "{messages} messages, {faults} faults");
    assert!(all.faults().len() >= 24, "{:?}", all.faults());
    assert!(all.transitions().len() >= 25, "{:?}", all.transitions());
    for told in ["settled", "refused", "unknown", "in doubt", "never written", "lost", "joined", "answered"] {
        assert!(all.exits().get(told).is_some_and(|count| *count > 0), "nobody was told {told}");
    }
}
