//! Startifact's shelf: a bucket in each region, and parameters that say what is where.
