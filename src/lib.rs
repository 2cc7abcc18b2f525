//! Where is each artifact of this commit?
//!
//! Builds put their outputs in one flat list of addresses, one address a commit, in a store that a team already has. This crate
//! finds, for every artifact of a commit, the nearest commit whose address holds it, and writes that down beside the artifacts.
//!
//! The modules stand in the order of their floors: each uses only what stands on a floor above it in this list.

// Floor 1, pure: where a commit's things lie, what an artifact and a release are called, and why a service does not do what is asked.
pub mod address;
pub mod artifact;
pub mod inputs;
pub mod json;
pub mod location;
pub mod moment;
pub mod parts;
pub mod policy;
pub mod reason;
pub mod version;
pub mod words;
// Floor 2, pure: the documents.
pub mod lock;
pub mod metafile;
pub mod organisation;
pub mod registry;
pub mod release;
pub mod tally;
// Floor 3, pure: the rules, and what they come to.
pub mod bisection;
pub mod metalogic;
pub mod state;
// Floor 4, pure and ports: this repository's names; what the rule needs from the world, and whom it tells; how AWS is reached; what people are
// shown in a browser.
pub mod ancestry;
pub mod aws;
pub mod catalog;
pub mod event;
pub mod hook;
pub mod sheet;
pub mod store;
// Floor 5, leaves: local files, git, other processes, parameters and, below `store`, the stores.
pub mod command;
pub mod detach;
pub mod files;
pub mod git;
pub mod pager;
pub mod parameters;
// Floor 6, means: what flows have in common.
pub mod account;
pub mod mainline;
pub mod moved;
pub mod race;
pub mod stored;
pub mod transfer;
pub mod world;
// Floor 7, objects on their way in and out; the walk along history; what hooks leave behind.
pub mod arrival;
pub mod journal;
pub mod putting;
pub mod walk;
// Floor 8, where releases stand.
pub mod shelf;
// Floor 9, flows: one use case each.
pub mod bisect;
pub mod chronicle;
pub mod difference;
pub mod doctor;
pub mod download;
pub mod fetch;
pub mod hooks;
pub mod locking;
pub mod missed;
pub mod resolve;
pub mod rewritten;
pub mod setup;
pub mod share;
pub mod show;
pub mod stage;
pub mod stub;
pub mod url;
// Floor 10, flows that end in others.
pub mod attempt;
pub mod publish;
pub mod status;
// Floor 11, flows that ask how things stand.
pub mod waiting;
pub mod why;
// Floor 12, edge: settings in, log and errors out.
pub mod config;
pub mod report;
// Floor 13, what a failure is.
pub mod failure;
// Floor 14, the command line.
pub mod cli;
