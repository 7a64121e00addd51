//! `everwire-server` and what belongs to it, built to be used.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::Result;
use crate::proc;
use crate::step::step;
use crate::workspace;

/// The profile of what serves.
const PROFILE: &str = "server";

/// The binary.
pub(crate) fn binary() -> Result<PathBuf> {
    Ok(built()?.join("everwire-server"))
}

/// The application that `tests/conform/README.md` asks for, on the library.
pub(crate) fn conform() -> Result<PathBuf> {
    Ok(built()?.join("examples/conform"))
}

/// Builds both, once a run: the directory that they are in.
fn built() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf>> = OnceLock::new();
    let build = || {
        let mut command = proc::cargo();
        command.args(["build", "--profile", PROFILE, "--package", "everwire-server", "--bins", "--examples"]);
        step("cargo build --profile server --package everwire-server", || proc::quiet(&mut command))?;
        Ok(workspace::target()?.join(PROFILE))
    };
    BUILT.get_or_init(build).clone()
}
