//! What only Node can do: compress as the web does, ask npm what it would publish.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::proc;
use crate::workspace::root;

/// Bytes of one file: as it is, and as servers send it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) raw: u64,
    pub(crate) gzip: u64,
    pub(crate) brotli: u64,
}

impl std::ops::Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Size { raw: self.raw + other.raw, gzip: self.gzip + other.gzip, brotli: self.brotli + other.brotli }
    }
}

/// Node, running a script of the repository.
pub(crate) fn node(script: &str) -> Command {
    let mut command = proc::command("node");
    command.arg(script);
    command
}

/// A program of the npm dependencies.
pub(crate) fn tool(name: &str) -> Command {
    proc::command(root().join("node_modules/.bin").join(name))
}

/// The sizes of files: gzip level 9, brotli quality 11.
pub(crate) fn sizes<P: AsRef<Path>>(files: &[P]) -> Result<Vec<Size>> {
    let files = files.iter().map(AsRef::as_ref);
    let text = proc::read(node("xtask/js/sizes.mjs").args(files))?;
    text.lines()
        .map(|line| {
            let mut numbers = line.split(' ').map(str::parse);
            let mut next = || numbers.next()?.ok();
            next()
                .and_then(|raw| Some(Size { raw, gzip: next()?, brotli: next()? }))
                .ok_or_else(|| format!("sizes.mjs printed `{line}`"))
        })
        .collect()
}

/// Fails unless `npm pack` would publish exactly what belongs into the package, and everything package.json promises.
/// `internal` allows for the entry that only tests use, and that is never published.
pub(crate) fn check_package(dir: &Path, internal: bool) -> Result<()> {
    proc::quiet(node("xtask/js/check-package.mjs").arg(dir).args(internal.then_some("--internal")))
}
