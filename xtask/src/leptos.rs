//! `examples/leptos-chat`: built with cargo and wasm-bindgen alone, and what must not be in it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::Result;
use crate::package;
use crate::proc;
use crate::setup;
use crate::step::step;
use crate::workspace::{self, root, shown};

/// Tells the tests where the built page is.
pub(crate) const SITE: &str = "EVERWIRE_LEPTOS_CHAT";

/// `cargo xtask leptos-chat`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(unknown) = args.first() {
        return Err(format!("`leptos-chat` takes no argument, not `{unknown}`"));
    }
    println!("{} is ready to be served", shown(&site()?));
    Ok(())
}

/// The directory of the built page. Built once a run.
pub(crate) fn site() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> Result<PathBuf> {
    let raw = compile()?;
    let site = work()?.join("site");
    let mut bind = proc::command(setup::wasm_bindgen()?.join("wasm-bindgen"));
    bind.args(["--target", "web", "--no-typescript", "--out-name", "leptos_chat", "--out-dir"]);
    step(&format!("wasm-bindgen → {}", shown(&site)), || proc::quiet(bind.arg(&site).arg(&raw)))?;
    for file in ["index.html", "style.css"] {
        let (from, to) = (source().join(file), site.join(file));
        fs::copy(&from, &to).map_err(|error| format!("{}: {error}", shown(&from)))?;
    }
    Ok(site)
}

fn compile() -> Result<PathBuf> {
    setup::wasm_target()?;
    step("cargo build examples/leptos-chat", || proc::quiet(&mut cargo("build")?))?;
    Ok(target()?.join(setup::WASM).join("release/leptos-chat.wasm"))
}

/// An application that uses the Rust API finds none of the exports that the npm package is made of in its own wasm.
pub(crate) fn check_exports() -> Result<()> {
    no_foreign(&package::own_exports(&compile()?)?, &package::exported()?)
}

fn no_foreign(exports: &[String], ours: &[String]) -> Result<()> {
    if ours.is_empty() {
        return Err("the wasm of the npm package exports nothing that could be looked for".to_owned());
    }
    match exports.iter().find(|name| ours.iter().any(|one| plain(one) == plain(name))) {
        Some(foreign) => Err(format!("the wasm of examples/leptos-chat exports everwire's `{foreign}`")),
        None => Ok(()),
    }
}

/// The name of a function without the hash that wasm-bindgen appends: nobody promises that two builds have the same.
fn plain(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((plain, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => plain,
        _ => name,
    }
}

/// The lints and the format of the example, which is a workspace of its own.
pub(crate) fn clippy() -> Result<Command> {
    let mut command = cargo("clippy")?;
    command.args(["--", "-D", "warnings"]);
    Ok(command)
}

pub(crate) fn fmt() -> Command {
    let mut command = proc::cargo();
    command.args(["fmt", "--check", "--manifest-path"]).arg(source().join("Cargo.toml"));
    command
}

/// A target directory of its own, shared by lints and build: what is in the root's is of other profiles.
fn cargo(what: &str) -> Result<Command> {
    let mut command = proc::cargo();
    command.args([what, "--release", "--locked", "--target", setup::WASM, "--manifest-path"]);
    command.arg(source().join("Cargo.toml")).arg("--target-dir").arg(target()?);
    Ok(command)
}

fn source() -> PathBuf {
    root().join("examples/leptos-chat")
}

fn work() -> Result<PathBuf> {
    Ok(workspace::target()?.join("leptos-chat"))
}

fn target() -> Result<PathBuf> {
    Ok(work()?.join("build"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_of_the_package_is_foreign_and_others_are_not() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let ours = names(&["wire_create", "wire_submit_25cca61417f4ce6b"]);
        assert_eq!(no_foreign(&names(&["memory", "main", "wired"]), &ours), Ok(()));
        assert!(
            no_foreign(&names(&["main", "wire_submit_58a9338f50bce61c"]), &ours)
                .is_err_and(|error| error.contains("wire_submit"))
        );
        assert!(no_foreign(&names(&["main"]), &[]).is_err(), "a check that looks for nothing");
    }
}
