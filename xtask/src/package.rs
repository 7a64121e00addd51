//! Builds the npm package: cargo, wasm-bindgen, wasm-opt, the facade; then checks what came out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::Result;
use crate::npm::{self, Size};
use crate::proc;
use crate::setup;
use crate::shorten;
use crate::step::{say, step};
use crate::wasm::Module;
use crate::workspace::{self, root, shown};

/// Exactly what rustc emits for wasm32-unknown-unknown by default. wasm-opt's `--all-features` would let it emit what
/// Node 20 and browsers of its age reject.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Functions of one caller are inlined only if they are short (−250 bytes with gzip), and those of a name stand together,
/// which compresses better (−170).
const SMALLER: [&str; 2] = ["--one-caller-inline-max-function-size=20", "--reorder-functions-by-name"];

/// The crate of what runs in a page.
const SHELL: &str = "everwire";

/// Tried in turn, the smallest by gzip is kept: each of them won for some state of the code. The last takes control flow
/// apart and builds it anew: −420 bytes with gzip for the larger machine, −160 for the smaller.
const LEVELS: [(&str, &[&str]); 4] = [
    ("z", &["-Oz"]),
    ("s", &["-Os"]),
    ("3", &["-O3"]),
    ("z, control flow anew", &["-Oz", "--flatten", "--rereloop", "-Oz", "-Oz"]),
];

/// What the machine of `exactly-once` is compiled with.
pub(crate) const SESSION: [&str; 3] = ["--no-default-features", "--features", "session"];
/// What Cargo.toml says suits the smaller machine: this is −3,000 bytes with gzip for that of `exactly-once`.
pub(crate) const SESSION_OPT_LEVEL: &str = "z";

/// Parts of the names of the exports that provoke a trap. They exist in the internal package alone.
const TRAP_HOOKS: [&str; 2] = ["trap_", "provoke"];

/// Which package is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// What users install.
    Published,
    /// The same with the hooks that let a test provoke a trap.
    Trap,
}

/// A package that was built and passed its checks.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    /// The package's directory.
    pub(crate) dir: PathBuf,
    /// Glue and facade, each bundled alone.
    pub(crate) parts: PathBuf,
    /// The optimised wasm with its function names.
    pub(crate) named: PathBuf,
    /// The WebAssembly of `exactly-once`, which is published inside its entry.
    pub(crate) session_wasm: PathBuf,
    /// The same with its function names.
    pub(crate) session_named: PathBuf,
}

impl Variant {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Variant::Published => &[],
            Variant::Trap => &["--features", "trap-hooks"],
        }
    }

    fn work_dir(self) -> Result<PathBuf> {
        let name = match self {
            Variant::Published => "npm",
            Variant::Trap => "npm-trap",
        };
        Ok(workspace::target()?.join(name))
    }

    fn package_dir(self) -> Result<PathBuf> {
        match self {
            Variant::Published => Ok(root().join("pkg")),
            Variant::Trap => Ok(workspace::target()?.join("pkg-trap")),
        }
    }
}

/// Sets everything up, builds the package from scratch and checks it.
pub(crate) fn build(variant: Variant) -> Result<Built> {
    setup::npm()?;
    let work = variant.work_dir()?;
    let (glue, named) = machine(variant.flags(), &work)?;
    let (session_glue, session_named) = session()?;
    let server_glue = server()?;

    let dir = variant.package_dir()?;
    let parts = work.join("parts");
    step(&format!("facade → {}", shown(&dir)), || {
        let mut command = npm::node("pkg-template/build.mjs");
        command.arg("--glue").arg(&glue).arg("--session-glue").arg(&session_glue);
        command.arg("--server-glue").arg(&server_glue).arg("--out").arg(&dir).arg("--parts").arg(&parts);
        if variant == Variant::Trap {
            command.arg("--internal");
        }
        proc::quiet(&mut command)?;
        check(variant, &dir)
    })?;
    let session_wasm = session_glue.join("everwire_bg.wasm");
    Ok(Built { dir, parts, named, session_wasm, session_named })
}

/// The WebAssembly of `exactly-once`: a page loads the one whose delivery it has asked for. It is the same in every
/// variant, and built once a run.
fn session() -> Result<(PathBuf, PathBuf)> {
    static BUILT: OnceLock<Result<(PathBuf, PathBuf)>> = OnceLock::new();
    let build = || {
        let mut flags = SESSION.to_vec();
        let level = opt_level(SESSION_OPT_LEVEL);
        flags.extend(["--config", &level]);
        machine(&flags, &workspace::target()?.join("npm-session"))
    };
    BUILT.get_or_init(build).clone()
}

/// The WebAssembly of `everwire/server`: for Node, where speed counts and size does not. Built once a run.
fn server() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf>> = OnceLock::new();
    let build = || {
        let work = workspace::target()?.join("npm-server");
        // A target directory of its own: it is compiled at another level than the page's.
        let flags = ["--config", "profile.release.opt-level=3"];
        let raw = compile("everwire-host-wasm", &flags, &work)?;
        let bound = bind(&raw, &work)?;
        let glue = work.join("glue");
        empty(&glue)?;
        copy(&work.join("bindgen/everwire.js"), &glue.join("everwire.js"))?;
        let mut command = wasm_opt(&["-O3"], &bound, &glue.join("everwire_bg.wasm"));
        step("wasm-opt -O3", || proc::quiet(command.arg("--strip-debug")))?;
        Ok(glue)
    };
    BUILT.get_or_init(build).clone()
}

/// Compiles, binds and optimises one WebAssembly: the directory of its glue, and the same with function names.
fn machine(flags: &[&str], work: &Path) -> Result<(PathBuf, PathBuf)> {
    let raw = compile(SHELL, flags, workspace::target()?)?;
    let glue = work.join("glue");
    let bound = bind(&raw, work)?;
    empty(&glue)?;
    let (at, size) = smallest(&bound, work)?;
    let (level, passes) = LEVELS[at];
    copy(&work.join("bindgen/everwire.js"), &glue.join("everwire.js"))?;
    copy(&candidate(work, at), &glue.join("everwire_bg.wasm"))?;
    let named = work.join("named.wasm");
    proc::quiet(wasm_opt(passes, &bound, &named).arg("--debuginfo"))?;
    say(&format!("  wasm-opt {level}: {} bytes, {} with gzip", size.raw, size.gzip));
    Ok((glue, named))
}

/// A Rust application that depends on everwire must not find foreign exports in its own wasm.
pub(crate) fn check_library() -> Result<()> {
    match exported_with(&["--no-default-features"])?.first() {
        Some(foreign) => Err(format!("without the feature `npm` the wasm still exports `{foreign}`")),
        None => Ok(()),
    }
}

/// What the two modules of the npm package export, by the names of their functions.
pub(crate) fn exported() -> Result<Vec<String>> {
    Ok([exported_with(&[])?, exported_with(&SESSION)?].concat())
}

fn exported_with(flags: &[&str]) -> Result<Vec<String>> {
    own_exports(&compile(SHELL, flags, workspace::target()?)?)
}

/// wasm-bindgen's own start with two underscores; the linker exports the memory and two bounds of it.
pub(crate) fn own_exports(raw: &Path) -> Result<Vec<String>> {
    let mut exports = Module::read(&read(raw)?)?.exports;
    exports.retain(|name| !name.starts_with("__") && name != "memory");
    Ok(exports)
}

fn opt_level(level: &str) -> String {
    format!("profile.release.opt-level=\"{level}\"")
}

/// The gzip size of a wasm, that of these features, when it is compiled at another opt-level.
pub(crate) fn size_at(level: &str, features: &[&str]) -> Result<Size> {
    let work = workspace::target()?.join(format!("opt-{level}"));
    let level = opt_level(level);
    let flags = [features, &["--config", &level]].concat();
    // A target directory of its own: the usual one would be rebuilt at every switch.
    let raw = compile(SHELL, &flags, &work)?;
    let bound = bind(&raw, &work)?;
    smallest(&bound, &work).map(|(_, size)| size)
}

/// Compiles a crate with these flags into this target directory.
fn compile(package: &str, flags: &[&str], target: &Path) -> Result<PathBuf> {
    setup::wasm_target()?;
    let mut command = proc::cargo();
    command.args(["build", "--release", "--target", setup::WASM, "--package", package, "--lib"]);
    command.args(flags).arg("--target-dir").arg(target).env("RUSTFLAGS", rustflags()?);
    let what = format!("cargo build --release --target {} {}", setup::WASM, flags.join(" "));
    step(what.trim_end(), || proc::quiet(&mut command))?;
    let file = format!("release/{}.wasm", package.replace('-', "_"));
    Ok(target.join(setup::WASM).join(file))
}

/// Panic messages name the file they come from; without this the published wasm would name the directories of the
/// machine that built it, and the registry its dependencies came from.
fn rustflags() -> Result<String> {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let sources = cargo_home()?.join("registry/src");
    // The sources are unpacked by the build itself; on a fresh machine it would not know their directory yet.
    proc::quiet(proc::cargo().args(["fetch", "--target", setup::WASM]))?;
    for registry in
        fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?.flatten()
    {
        flags.push_str(&format!(" --remap-path-prefix={}=dependencies", registry.path().display()));
    }
    flags.push_str(&format!(" --remap-path-prefix={}=everwire", root().display()));
    Ok(flags.trim_start().to_owned())
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home =
        std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).ok_or("no home directory")?;
    Ok(PathBuf::from(home).join(".cargo"))
}

/// No published file names a directory of the machine that built it.
fn no_path_of_this_machine(dir: &Path) -> Result<()> {
    let secrets = [cargo_home()?, root().to_path_buf()].map(|path| path.display().to_string());
    for file in fs::read_dir(dir).map_err(|error| error.to_string())?.flatten() {
        let bytes = read(&file.path())?;
        for secret in secrets.iter().map(String::as_str).chain(["registry/src"]) {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                return Err(format!("{} names {secret}", shown(&file.path())));
            }
        }
    }
    Ok(())
}

/// Runs wasm-bindgen and returns the wasm it rewrote.
fn bind(raw: &Path, work: &Path) -> Result<PathBuf> {
    let program = setup::wasm_bindgen()?.join("wasm-bindgen");
    let out = work.join("bindgen");
    empty(&out)?;
    // The default module path would be a `new URL('….wasm', import.meta.url)`, which bundlers choke on inside a dependency.
    let mut command = proc::command(program);
    command.args([
        "--target",
        "web",
        "--omit-default-module-path",
        "--no-typescript",
        "--out-name",
        "everwire",
    ]);
    step("wasm-bindgen", || proc::quiet(command.arg("--out-dir").arg(&out).arg(raw)))?;
    let (wasm, glue) = (out.join("everwire_bg.wasm"), out.join("everwire.js"));
    let (short_wasm, short_glue) = shorten::shorten(&read(&wasm)?, &String::from_utf8_lossy(&read(&glue)?))?;
    write(&wasm, &short_wasm)?;
    write(&glue, short_glue.as_bytes())?;
    Ok(wasm)
}

/// Which of [`LEVELS`] it is.
fn smallest(wasm: &Path, work: &Path) -> Result<(usize, Size)> {
    let files: Vec<PathBuf> = (0..LEVELS.len()).map(|at| candidate(work, at)).collect();
    step("wasm-opt", || {
        for ((_, passes), file) in LEVELS.iter().zip(&files) {
            proc::quiet(wasm_opt(passes, wasm, file).arg("--strip-debug"))?;
        }
        let sizes = npm::sizes(&files)?;
        sizes.into_iter().enumerate().min_by_key(|row| row.1.gzip).ok_or_else(|| "no level to try".to_owned())
    })
}

fn candidate(work: &Path, at: usize) -> PathBuf {
    work.join(format!("everwire-{at}.wasm"))
}

fn wasm_opt(passes: &[&str], from: &Path, to: &Path) -> std::process::Command {
    let mut command = npm::tool("wasm-opt");
    command
        .args(FEATURES)
        .args(passes)
        .args(SMALLER)
        .args(["--strip-producers", "--strip-target-features"])
        .arg(from)
        .arg("--output")
        .arg(to);
    command
}

/// What must hold for every package, and what must not be in the published one.
fn check(variant: Variant, dir: &Path) -> Result<()> {
    npm::check_package(dir, variant == Variant::Trap)?;
    let wasm = dir.join("everwire.wasm");
    let module = Module::read(&read(&wasm)?).map_err(|error| format!("{}: {error}", wasm.display()))?;
    if let Some(foreign) = module.imports.iter().find(|import| *import != shorten::MODULE) {
        return Err(format!("the wasm imports from `{foreign}`, which is not wasm-bindgen's module"));
    }
    if module.sections.iter().any(|section| section.0 == "name") {
        return Err("the wasm still carries its function names".to_owned());
    }
    let hooks = || module.exports.iter().filter(|name| is_trap_hook(name));
    match variant {
        // Proves that the check below would find a hook if there were one.
        Variant::Trap if hooks().next().is_none() => {
            Err("the internal package has no hook that provokes a trap".into())
        }
        Variant::Trap => Ok(()),
        Variant::Published => match hooks().next() {
            Some(hook) => Err(format!("the published wasm exports the trap hook `{hook}`")),
            None => no_hook_in_text(dir).and_then(|()| no_path_of_this_machine(dir)),
        },
    }
}

/// A facade that still called the hook would be as bad as the hook.
fn no_hook_in_text(dir: &Path) -> Result<()> {
    for name in ["index.js", "slim.js", "exactly-once.js", "exactly-once-slim.js", "index.d.ts", "slim.d.ts"]
    {
        let file = dir.join(name);
        let text = String::from_utf8_lossy(&read(&file)?).into_owned();
        let mut words = text.split(|char: char| !char.is_alphanumeric() && char != '_');
        if let Some(word) = words.find(|word| is_trap_hook(word)) {
            return Err(format!("{} mentions the trap hook `{word}`", shown(&file)));
        }
    }
    Ok(())
}

fn is_trap_hook(name: &str) -> bool {
    TRAP_HOOKS.iter().any(|part| name.contains(part))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).map_err(|error| format!("{}: {error}", file.display()))
}

fn empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(|error| format!("{} → {}: {error}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_machine_in_a_published_file_is_found() {
        let dir = std::env::temp_dir().join(format!("everwire-paths-{}", std::process::id()));
        empty(&dir).unwrap();
        let file = dir.join("everwire.wasm");
        write(&file, b"\0asm dependencies/js-sys/src/lib.rs").unwrap();
        assert_eq!(no_path_of_this_machine(&dir), Ok(()));
        for secret in
            [format!("{}/js-sys", cargo_home().unwrap().display()), format!("{}/src", root().display())]
        {
            write(&file, format!("\0asm {secret}/lib.rs").as_bytes()).unwrap();
            assert!(no_path_of_this_machine(&dir).is_err(), "{secret}");
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
