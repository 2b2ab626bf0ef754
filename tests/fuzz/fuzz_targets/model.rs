//! Any bytes as a `.niwaki` file with a right checksum.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    niwaki_tests::fuzz::model(bytes);
});
