//! `cargo xtask simulate`: the deterministic simulator, built for speed.

use std::time::Duration;

use crate::Result;
use crate::proc;

/// A million schedules take most of an hour on two cores.
const LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

/// Builds it, with the known bugs only if they are asked for, and lets it print. `Ok(false)`: a promise was broken.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let mut command = proc::cargo();
    command.args([
        "run",
        "--quiet",
        "--profile",
        "simulation",
        "--package",
        "everwire-sim",
        "--bin",
        "simulate",
    ]);
    if args.iter().any(|arg| arg == "--mutants") {
        command.args(["--features", "mutants"]);
    }
    command.arg("--").args(args);
    Ok(proc::tee(&mut command, LIMIT).ok)
}
