//! The laws that metalogic keeps, in one binary.

#![allow(
    clippy::expect_fun_call,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub
)]
// What only the Parameter Store is tested with.
#![cfg_attr(not(feature = "aws-sdk-ssm"), allow(dead_code))]

mod alike;
mod answers;
mod architecture;
#[cfg(unix)]
mod bisect;
mod bisection;
mod chronicle;
mod cli;
mod conformance;
mod corpus;
mod decorated;
#[cfg(unix)]
mod descriptors;
#[cfg(unix)]
mod difference;
mod directory;
#[cfg(unix)]
mod disk;
mod doctor;
mod editing;
mod elder;
mod explorer;
mod failures;
mod fake;
mod findings;
mod fixtures;
mod flows;
mod git;
mod histories;
#[cfg(unix)]
mod hooked;
#[cfg(unix)]
mod hooks;
mod hostile;
mod inputs;
#[cfg(unix)]
mod killed;
mod laws;
mod laws_s3;
mod mainline;
mod metafile;
mod metalogic;
#[cfg(unix)]
mod moto;
mod names;
mod organisation;
#[cfg(unix)]
mod page;
mod pager;
mod parameters;
mod past;
mod policies;
mod processes;
mod readme;
mod registry;
mod repo;
#[cfg(unix)]
mod report;
mod repositories;
#[cfg(unix)]
mod resumed;
mod rewritten;
mod rounds;
mod s3;
mod sandbox;
#[cfg(unix)]
mod screen;
mod setup;
mod sharing;
mod shelves;
mod simulation;
mod spared;
mod staging;
mod standing;
mod startifact;
mod states;
mod stubs;
mod urls;
mod versions;
mod waiting;
mod words;
