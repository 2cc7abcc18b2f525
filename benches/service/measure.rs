//! A program's run as a whole.
//!
//! A small process has to start it: Linux counts the memory of whoever starts a program into the program's peak.

use std::process::{Command, ExitCode};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Runs a program and writes a JSON object of its wall time, CPU time and peak memory into a file. Its exit code becomes this process's.
pub fn measure(file: &str, program: &[String]) -> ExitCode {
    let (name, arguments) = program.split_first().expect("a program to measure");
    let begun = Instant::now();
    let status = Command::new(name).args(arguments).status().expect("the program starts");
    let wall = begun.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("Linux counts what children use");
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    let text = format!("{{\"wall\": {wall:.6}, \"cpu\": {cpu:.6}, \"peak_kib\": {}}}\n", usage.max_rss());
    std::fs::write(file, text).expect("the figures can be written");
    ExitCode::from(status.code().map_or(128, |code| u8::try_from(code).unwrap_or(255)))
}
