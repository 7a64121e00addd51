#![no_main]

#[path = "../../core/tests/wire/any_octets.rs"]
mod any_octets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some((form, frame)) = any_octets::form_and_frame(input) {
        any_octets::any_frame(form, frame);
    }
});
