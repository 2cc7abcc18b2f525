//! Startifact's own shelf, on parameters and buckets in memory.

pub mod account;
mod finding;
mod laws;
mod loading;
mod staging;
