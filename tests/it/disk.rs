//! The disk: full, failing, read-only, closed half-way, and changed while the program works on it.
//!
//! Where the kernel takes part (Linux 5.5 or later, and no right is needed), every call that a command makes of the file system is met
//! with every fault that could meet it. What needs nothing but a limit of the shell is tried everywhere.

#[cfg(target_os = "linux")]
mod changed;
#[cfg(target_os = "linux")]
mod faults;
mod limits;
#[cfg(target_os = "linux")]
mod meddle;
#[cfg(target_os = "linux")]
mod scenarios;
#[cfg(target_os = "linux")]
mod swapped;
