#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| metalogic_fuzz::laws_s3::listing_s3(bytes));
