//! The `niwaki` command: maps outcomes to exit codes, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    match niwaki::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
