//! The `tidegate` program. Owns the process: arguments in, exit code out; everything else lives in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidegate::cli::run(std::env::args_os(), tidegate::app::PARTS)
}
