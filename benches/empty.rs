//! A program that links all that metalogic does and does nothing: what it costs to start at all.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os("EMPTY_IS_NOT").is_some() { metalogic::cli::run() } else { ExitCode::SUCCESS }
}
