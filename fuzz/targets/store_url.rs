#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| metalogic_fuzz::laws::store_url(bytes));
