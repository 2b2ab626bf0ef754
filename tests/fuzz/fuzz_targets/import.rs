//! Any bytes as a `.tflite` file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    niwaki_tests::fuzz::import(bytes);
});
