//! Any inputs in any order, from a client that is right, wrong or hostile, with hooks and an engine that answer late,
//! twice, never, or nonsense: no panic, no deadline that does not end, and nothing is acknowledged, pushed or run that may
//! not be.

#[path = "fuzzed/bytes.rs"]
mod bytes;
#[path = "fuzzed/node.rs"]
mod node;
mod node_common;
#[path = "fuzzed/node_octets.rs"]
mod node_octets;

use std::collections::BTreeSet;

use everwire_core::session::node::{NodeConfig, NodePhase};
use node::World;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// [ACK-1] [ACK-3] [ACK-5] [CRED-2] [CRED-4] [HELLO-19] [POS-8] [ROOM-4] [LOST-7] [REQ-2] [REQ-3] [LIVE-2] [SEC-12] [NODE-5]
    #[test]
    fn nothing_breaks_a_node(
        examines in any::<bool>(),
        greets in 0..5u8,
        ops in prop::collection::vec((0..31u8, any::<u16>(), any::<u16>()), 1..250),
    ) {
        let mut world = World::new(NodeConfig::default(), examines);
        if greets > 0 {
            world.step(0, 6, 0);
            for _ in 0..6 {
                world.step(5, 0, 4);
                world.step(9, 0, 7);
            }
        }
        for (op, a, b) in ops {
            world.step(op, a, b);
        }
    }

    // [SEC-12]: what libFuzzer feeds, without libFuzzer.
    #[test]
    fn any_octets_are_inputs(input in prop::collection::vec(any::<u8>(), 0..600)) {
        node_octets::any_node(&input);
    }
}

// [SEC-12]: what fuzzing has found worth keeping.
#[test]
fn the_corpus_is_replayed() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/corpus/node");
    let mut phases = BTreeSet::new();
    let mut files = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        phases.extend(node_octets::any_node(&std::fs::read(path).unwrap()));
        files += 1;
    }
    assert!(files > 50, "{files} files");
    for phase in NodePhase::ALL {
        assert!(phases.contains(&format!("{phase:?}")), "no {phase:?}");
    }
}
