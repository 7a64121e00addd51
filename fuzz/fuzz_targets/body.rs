#![no_main]

#[path = "../../bodies/tests/common/any_body.rs"]
mod any_body;
#[path = "../../bodies/tests/common/reference.rs"]
mod reference;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    any_body::any_body(input);
});
