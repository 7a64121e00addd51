#![no_main]

#[path = "../../core/tests/fuzzed/bytes.rs"]
mod bytes;
#[path = "../../core/tests/fuzzed/client.rs"]
mod client;
#[path = "../../core/tests/fuzzed/client_octets.rs"]
mod client_octets;
#[path = "../../core/tests/v1_client_common/mod.rs"]
mod v1_client_common;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    client_octets::any_client(input);
});
