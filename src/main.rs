//! The `metalogic` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    metalogic::cli::run()
}
