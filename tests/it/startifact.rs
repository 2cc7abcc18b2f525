//! Startifact's own shelf, on parameters and buckets in memory.

mod account;
mod finding;
mod laws;
mod loading;
mod staging;
