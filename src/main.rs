//! The program's start.

use std::process::ExitCode;

fn main() -> ExitCode {
    sunhaul::cli::main()
}
