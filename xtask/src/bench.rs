//! `cargo xtask bench`: side-by-side benchmarks, each in one run. Their figures are this machine's; only ratios travel.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::npm;
use crate::package::{self, Variant};
use crate::proc;
use crate::server;
use crate::setup;

const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Runs them, or those that are named. `Ok(false)`: one has failed.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let json = json(args)?;
    let browser = setup::browser()?;
    let built = package::build(Variant::Published)?;
    let binary = server::binary()?;
    let mut ok = true;
    for script in ["throughput", "server"] {
        let mut command = npm::node(&format!("benches/{script}.mjs"));
        command.env("EVERWIRE_SERVER_BIN", &binary).env("CHROMIUM", &browser.chromium);
        command.env("EVERWIRE_PKG", &built.dir);
        if let Some(file) = &json {
            command.arg("--json").arg(file.with_extension(format!("{script}.json")));
        }
        ok &= proc::tee(&mut command, LIMIT).ok;
    }
    Ok(ok)
}

fn json(args: &[String]) -> Result<Option<PathBuf>> {
    match args {
        [] => Ok(None),
        [flag, file] if flag == "--json" => Ok(Some(file.into())),
        _ => Err("`bench` takes `--json FILE`: FILE.throughput.json and FILE.server.json are written".into()),
    }
}
