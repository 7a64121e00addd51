//! Whatever is poured into the engine, it holds a bounded part of it.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

fn tight() -> MemoryConfig {
    MemoryConfig {
        messages_max: 50,
        octets_max: 50 * (100 + STORED_OVERHEAD_OCTETS),
        inbox_octets_max: 20_000,
        records_max: 20,
        records_anonymous_max: 10,
        records_per_identity_max: 5,
        subjects_idle_max: 30,
        ..MemoryConfig::default()
    }
}

/// A subject for every message: what was discarded of each is remembered as long as there is room.
#[test]
fn subjects_without_number_are_forgotten_and_nothing_is_missed_silently() {
    let mut bench = Bench::with(tight());
    let mut highest = std::collections::BTreeMap::new();
    for round in 0..1000u64 {
        let name = format!("room-{}", round * round % 377);
        let s = bench.fill(&[name.as_str()])[0];
        highest.entry(name).or_insert_with(Vec::new).push(s);
        let holds = bench.engine.memory_use();
        assert!(holds.messages <= 50 && holds.subjects <= 50 + 30 + 1, "{holds:?}");
    }
    let oldest_kept = 1000 - 50 + 1;
    for (name, numbers) in highest {
        let discarded = numbers.iter().copied().filter(|s| *s < oldest_kept).max().unwrap_or(0);
        let answered = bench.trimmed(&name);
        assert!(answered >= discarded, "[ENG-28] too low: {answered} for {discarded}");
        assert!(answered < oldest_kept, "no higher than what the log has discarded");
    }
    assert!(bench.trimmed("never-seen") < oldest_kept);
}

/// [ENG-28] The youngest are remembered exactly.
#[test]
fn what_was_discarded_last_is_remembered_longest() {
    let mut bench = Bench::with(MemoryConfig { messages_max: 1, subjects_idle_max: 2, ..tight() });
    bench.fill(&["a", "b", "c", "d", "e"]);
    // a and b are forgotten: they answer the higher of their two. e began when only a was.
    assert_eq!(["a", "b", "c", "d", "e"].map(|name| bench.trimmed(name)), [2, 2, 3, 4, 1]);
    bench.fill(&["a"]);
    assert_eq!(bench.trimmed("a"), 2, "a subject that comes back still answers for what it has forgotten");
}

/// Each message counts with its overhead, so that empty ones are not free; the newest is kept, however long.
#[test]
fn bytes_are_bounded() {
    let octets_max = 10_000;
    let mut bench = Bench::with(MemoryConfig { octets_max, messages_max: usize::MAX, ..tight() });
    bench.claimed(1, 1, 1, 0);
    for n in 1..=500 {
        let octets = if n % 50 == 0 { 3 * octets_max } else { n % 7 };
        let payload = Body { id: n as u32, octets };
        assert!(stored(&bench.append(1, 1, n, n, &[Post::new("a".into(), payload)])));
        let holds = bench.engine.memory_use();
        assert!(holds.octets <= octets_max || holds.messages == 1);
        assert!(holds.messages as u64 <= octets_max / STORED_OVERHEAD_OCTETS);
    }
}

/// [LOST-2] What a reader may have missed is counted from where it stands, whatever has been discarded below, and after a
/// restart as before it.
#[test]
fn a_backlog_is_counted_from_where_its_reader_stands() {
    let octets = |messages: u64| messages * (100 + STORED_OVERHEAD_OCTETS);
    let by_number = MemoryConfig { messages_max: 6, backlog_messages_max: 2, ..MemoryConfig::default() };
    let by_octets =
        MemoryConfig { backlog_messages_max: usize::MAX, backlog_octets_max: octets(2), ..by_number };
    for config in [by_number, by_octets] {
        let mut bench = Bench::with(config);
        bench.engine.record_changes();
        // Of 1 – 12, a has the odd ones; 7 – 12 are kept.
        for _ in 0..6 {
            bench.fill(&["a", "b"]);
        }
        let trimmed = |engine: &mut Memory<Body>, from: u64| {
            let (epoch, now) = (engine.epoch().clone(), bench.now);
            engine.trimmed(&epoch, &filter(&[("a", from)]), now).unwrap()[0].1
        };
        let saved = bench.engine.take_changes();
        let saved = Saved {
            messages: saved.stored.into_iter().filter(|saved| saved.message.s > 6).collect(),
            records: Vec::new(),
            trimmed: vec![("a".into(), 5), ("b".into(), 6)],
            marks: saved.marks,
        };
        let restored = Memory::restore(config, bench.epoch.clone(), saved);
        for mut engine in [bench.engine.clone(), restored] {
            // 7, 9 and 11 are one too many; 9 and 11 are not.
            for (from, answer) in [(5, 11), (6, 11), (7, 5), (9, 5), (12, 5), (u64::MAX, 5)] {
                assert_eq!(trimmed(&mut engine, from), answer, "from {from}");
            }
        }
        bench.engine.trim(&"a".into(), bench.now);
        bench.fill(&["a", "a"]);
        assert_eq!(bench.engine.trimmed(&bench.epoch, &filter(&[("a", 5)]), bench.now).unwrap()[0].1, 11);
    }
}

/// A log that may hold nothing holds its newest message: a store that takes none would stall for ever.
#[test]
fn bounds_of_zero_still_let_messages_through() {
    let config = MemoryConfig {
        messages_max: 0,
        octets_max: 0,
        records_max: 0,
        records_anonymous_max: 0,
        records_per_identity_max: 0,
        refusals_max: 0,
        inbox_octets_max: 0,
        subjects_idle_max: 0,
        ..MemoryConfig::default()
    };
    let mut bench = Bench::with(config);
    bench.claimed(1, 1, 1, 0);
    for n in 1..=5 {
        assert!(stored(&bench.append(1, 1, n, n, &posts("a", 1..=1))));
        assert_eq!(bench.trimmed("a"), n - 1);
    }
    assert_eq!(bench.refuse(1, 1, 6, 6), RefusalAnswer::Refused { mark: 6 });
}

/// Clients by the million, each with its identity, its inbox, its rooms, its refusals and its links.
#[test]
fn a_flood_of_strangers_costs_what_the_bounds_say() {
    let config = tight();
    let mut bench = Bench::with(config);
    let refused = code("forbidden");
    let mut turned_away = 0;
    for id in 0..20_000u128 {
        bench.pass(secs(if id % 100 == 0 { 60 * 60 } else { 1 }));
        let identity = if id % 3 == 0 { Identity::named } else { Identity::anonymous };
        let claim = Claim {
            producer: Producer(id.to_be_bytes()),
            identity: identity(&format!("x-{id}")),
            inbox: format!("_inbox.{id}").as_str().into(),
            link: 1 + id as u64 % 3,
            oldest: 1,
            written: 0,
            born: None,
        };
        let claimed = bench.engine.claim(&claim, bench.now).unwrap();
        turned_away += u32::from(claimed == Claimed::Full);
        let fence = Fence { producer: claim.producer, ..bench.fence(0, claim.link, 1) };
        let inbox = Post { subject: claim.inbox, tag: Some(1), ..post("", 2) };
        let batch = [post(&format!("room-{id}"), 1), inbox, post(&format!("_request-{id}"), 3)];
        let appended = bench.engine.append(&fence, 1, &batch, bench.now).unwrap();
        assert_eq!(stored(&appended), claimed != Claimed::Full);
        bench.engine.refuse(&fence, 4, &refused, bench.now).unwrap();
        bench.engine.publish(&bench.epoch, post("a", 1), bench.now).unwrap();
        let holds = bench.engine.memory_use();
        assert_eq!(holds.identities, holds.records);
        assert!(holds.records <= 20 && holds.refusals <= 20 && holds.casts <= CASTS_MAX, "{holds:?}");
        assert!(holds.messages <= 50 + 20 && holds.octets <= config.octets_max + 20_000, "{holds:?}");
        assert!(holds.subjects <= 50 + 30 + 20, "{holds:?}");
    }
    assert!((10_000..19_000).contains(&turned_away), "{turned_away} while all were in use");
}
