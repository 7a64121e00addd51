//! Sets up what a command needs: silent when it is there, one line when it has to be fetched, one clear error otherwise.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::proc::{self, which};
use crate::step::step;
use crate::workspace::{self, root};

/// The target of every browser build.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The version of wasm-pack that is known to work here. It is only a second way to build, so any version on PATH will do.
const WASM_PACK: &str = "0.15.1";

/// The version of geckodriver that is known to drive the Firefox of today. Any on PATH will do.
const GECKODRIVER: &str = "0.37.1";

/// The oldest Node whose test runner takes `--test-concurrency`.
const NODE_MIN: (u32, u32) = (20, 10);

/// A browser and the program that drives it for wasm-bindgen's test runner.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Firefox and the program that drives it for the end-to-end tests.
pub(crate) struct Firefox {
    pub(crate) firefox: PathBuf,
    pub(crate) driver: PathBuf,
}

/// WebKitGTK's small browser, the program that drives it, and the screen in memory that both need: WebKit has no headless mode.
pub(crate) struct WebKit {
    pub(crate) browser: PathBuf,
    pub(crate) driver: PathBuf,
    pub(crate) screen: PathBuf,
    /// Runs a program on a screen of its own.
    pub(crate) screen_run: PathBuf,
}

/// The standard library for WebAssembly.
pub(crate) fn wasm_target() -> Result<()> {
    let sysroot = proc::read(proc::command("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(WASM);
    if library.is_dir() {
        return Ok(());
    }
    if which("rustup").is_none() {
        return Err(format!(
            "the Rust target {WASM} is missing and there is no rustup: install the target with your Rust toolchain"
        ));
    }
    step(&format!("rustup target add {WASM}"), || {
        proc::quiet(proc::command("rustup").args(["target", "add", WASM]))
    })
}

/// A component of the toolchain, `clippy` or `rustfmt`: a minimal toolchain has neither.
pub(crate) fn component(name: &str, subcommand: &str) -> Result<()> {
    if proc::quiet(proc::cargo().args([subcommand, "--version"])).is_ok() {
        return Ok(());
    }
    if which("rustup").is_none() {
        return Err(format!("{name} is missing and there is no rustup: install it with your Rust toolchain"));
    }
    step(&format!("rustup component add {name}"), || {
        proc::quiet(proc::command("rustup").args(["component", "add", name]))
    })
}

/// The directory that holds `wasm-bindgen` and `wasm-bindgen-test-runner` at exactly the version of the library.
pub(crate) fn wasm_bindgen() -> Result<PathBuf> {
    let version = workspace::locked_version("wasm-bindgen")?;
    let speaks = |program: &Path| {
        let said = proc::read(proc::command(program).arg("--version")).unwrap_or_default();
        said.split_whitespace().nth(1) == Some(&version)
    };
    if let Some(dir) = which("wasm-bindgen").as_deref().and_then(Path::parent)
        && dir.join("wasm-bindgen-test-runner").is_file()
        && speaks(&dir.join("wasm-bindgen"))
    {
        return Ok(dir.to_path_buf());
    }
    let home = cache()?.join(format!("wasm-bindgen-cli-{version}"));
    let bin = home.join("bin");
    if !speaks(&bin.join("wasm-bindgen")) {
        step(&format!("installing wasm-bindgen-cli {version} (once, about 4 minutes)"), || {
            install("wasm-bindgen-cli", &version, &home)
        })?;
    }
    Ok(bin)
}

/// The program `wasm-pack`.
pub(crate) fn wasm_pack() -> Result<PathBuf> {
    if let Some(found) = which("wasm-pack") {
        return Ok(found);
    }
    let home = cache()?.join(format!("wasm-pack-{WASM_PACK}"));
    let program = home.join("bin/wasm-pack");
    if !program.is_file() {
        step(&format!("installing wasm-pack {WASM_PACK} (once, about 3 minutes)"), || {
            install("wasm-pack", WASM_PACK, &home)
        })?;
    }
    Ok(program)
}

/// Without `--locked`: a tool's own lock file may name versions that a registry no longer serves.
fn install(package: &str, version: &str, home: &Path) -> Result<()> {
    proc::quiet(proc::cargo().args(["install", "--quiet", package, "--version", version, "--root"]).arg(home))
}

/// Tools that are built once per version, shared by all checkouts.
fn cache() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|base| base.join("everwire"))
        .ok_or_else(|| "neither XDG_CACHE_HOME nor HOME is set".to_owned())
}

/// Node and the npm packages of the lock file.
pub(crate) fn npm() -> Result<()> {
    node()?;
    let lock = root().join("package-lock.json");
    let stamp = root().join("node_modules/.everwire-lock");
    let wanted = fs::read(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    // Compared by content: a fresh checkout makes every file look new.
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step("npm ci", || {
        // No package of ours needs an install script; esbuild finds its binary without.
        proc::quiet(proc::command("npm").args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]))
    })?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn node() -> Result<()> {
    let (major, minor) = NODE_MIN;
    let wanted = format!("Node {major}.{minor} or newer is needed");
    let said = proc::read(proc::command("node").arg("--version"))
        .map_err(|_| format!("{wanted}, and there is no `node`: install Node with npm"))?;
    match node_version(&said) {
        Some(found) if found >= NODE_MIN => {}
        _ => return Err(format!("{wanted}, this one is {}", said.trim())),
    }
    which("npm").map(drop).ok_or_else(|| "there is a `node` but no `npm`: install npm".to_owned())
}

/// Major and minor of `v20.20.2`.
fn node_version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.trim().strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Chromium and its driver, from the environment, from PATH, or from the system's package manager.
pub(crate) fn browser() -> Result<Browser> {
    if let Some(found) = find_browser()? {
        return Ok(found);
    }
    let advice = "Chromium and chromedriver are needed: install both (Debian: chromium chromium-driver), \
                  or set CHROME and CHROMEDRIVER to their paths";
    apt_install(&["chromium", "chromium-driver"]).map_err(|error| format!("{advice}{error}"))?;
    find_browser()?.ok_or_else(|| advice.to_owned())
}

fn find_browser() -> Result<Option<Browser>> {
    let chromium =
        chosen("CHROME", &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])?;
    let driver = chosen("CHROMEDRIVER", &["chromedriver"])?;
    Ok(chromium.zip(driver).map(|(chromium, driver)| Browser { chromium, driver }))
}

/// Firefox from the environment, from PATH, or from the system's package manager. Its driver is built where there is none: Debian
/// has no package of it.
pub(crate) fn firefox() -> Result<Firefox> {
    let find = || chosen("FIREFOX", &["firefox-esr", "firefox"]);
    let advice = "Firefox is needed: install it (Debian: firefox-esr), or set FIREFOX to its path";
    let firefox = match find()? {
        Some(found) => found,
        None => {
            apt_install(&["firefox-esr"]).map_err(|error| format!("{advice}{error}"))?;
            find()?.ok_or_else(|| advice.to_owned())?
        }
    };
    let driver = match chosen("GECKODRIVER", &["geckodriver"])? {
        Some(found) => found,
        None => geckodriver()?,
    };
    Ok(Firefox { firefox, driver })
}

/// The program `geckodriver`.
fn geckodriver() -> Result<PathBuf> {
    let home = cache()?.join(format!("geckodriver-{GECKODRIVER}"));
    let program = home.join("bin/geckodriver");
    if !program.is_file() {
        step(&format!("installing geckodriver {GECKODRIVER} (once, about 3 minutes)"), || {
            install("geckodriver", GECKODRIVER, &home)
        })?;
    }
    Ok(program)
}

/// WebKit from the environment, from where Debian puts it, or from the system's package manager.
pub(crate) fn webkit() -> Result<WebKit> {
    if let Some(found) = find_webkit()? {
        return Ok(found);
    }
    let advice = "WebKit is needed: install WebKitGTK's driver and browser, and Xvfb (Debian: webkit2gtk-driver xvfb xauth), \
                  or set WEBKITWEBDRIVER, MINIBROWSER and XVFB to their paths";
    apt_install(&["webkit2gtk-driver", "xvfb", "xauth"]).map_err(|error| format!("{advice}{error}"))?;
    find_webkit()?.ok_or_else(|| advice.to_owned())
}

fn find_webkit() -> Result<Option<WebKit>> {
    let driver = chosen("WEBKITWEBDRIVER", &["WebKitWebDriver"])?;
    let screen = chosen("XVFB", &["Xvfb"])?;
    let browser = chosen("MINIBROWSER", &["MiniBrowser"])?.or_else(minibrowser);
    // xvfb-run cannot do without xauth.
    let screen_run = which("xauth").and_then(|_| which("xvfb-run"));
    let all = browser.zip(driver).zip(screen.zip(screen_run));
    Ok(all.map(|((browser, driver), (screen, screen_run))| WebKit { browser, driver, screen, screen_run }))
}

/// The browser is no command for users, so it is not on PATH.
fn minibrowser() -> Option<PathBuf> {
    let libraries = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let places = libraries.flat_map(|library| {
        ["webkitgtk-6.0", "webkit2gtk-4.1", "webkit2gtk-4.0"]
            .map(|version| library.join(version).join("MiniBrowser"))
    });
    places.into_iter().find(|place| place.is_file())
}

/// The program that a variable names, or the first of these on PATH.
fn chosen(variable: &str, names: &[&str]) -> Result<Option<PathBuf>> {
    match env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(path) if path.is_file() => Ok(Some(path)),
        Some(path) => Err(format!("{variable} names {}, which is not there", path.display())),
        None => Ok(names.iter().find_map(|name| which(name))),
    }
}

/// Installs packages of the system; the error begins with a new line, or is empty where there is no apt-get to ask.
fn apt_install(packages: &[&str]) -> Result<()> {
    let apt = apt().ok_or_else(String::new)?;
    step(&format!("apt-get install {}", packages.join(" ")), || {
        proc::quiet(apt_get(apt).args(["update", "--quiet"]))?;
        proc::quiet(apt_get(apt).args(["install", "--quiet", "--yes"]).args(packages))
    })
    .map_err(|error| format!("\n{error}"))
}

/// Whether apt-get can be used without asking for a password, and if so whether through sudo.
fn apt() -> Option<bool> {
    which("apt-get")?;
    if is_root() {
        return Some(false);
    }
    proc::quiet(Command::new("sudo").args(["-n", "true"])).ok().map(|()| true)
}

/// Whether this is the superuser.
pub(crate) fn is_root() -> bool {
    proc::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn apt_get(sudo: bool) -> Command {
    let mut command = Command::new(if sudo { "sudo" } else { "env" });
    if sudo {
        command.args(["-n", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert_eq!(node_version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(node_version("v18.0.0"), Some((18, 0)));
        assert_eq!(node_version("nonsense"), None);
        assert!((22, 1) >= NODE_MIN && (20, 9) < NODE_MIN);
    }
}
