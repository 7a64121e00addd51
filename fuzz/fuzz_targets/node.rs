#![no_main]

#[path = "../../core/tests/fuzzed/bytes.rs"]
mod bytes;
#[path = "../../core/tests/fuzzed/node.rs"]
mod node;
#[path = "../../core/tests/node_common/mod.rs"]
mod node_common;
#[path = "../../core/tests/fuzzed/node_octets.rs"]
mod node_octets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    node_octets::any_node(input);
});
