//! The laws of the tests, for bytes that a fuzzer makes up.

#![allow(clippy::expect_fun_call, clippy::indexing_slicing, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../../tests/it/laws.rs"]
pub mod laws;
#[path = "../../tests/it/laws_s3.rs"]
pub mod laws_s3;
