//! The three browser engines, for wasm-bindgen's test runner and for the end-to-end tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::proc;
use crate::setup::{self, Browser};
use crate::step::say;
use crate::workspace::{self, root};

/// The runner takes the first of these that is set, so exactly one is.
const DRIVERS: [&str; 3] = ["CHROMEDRIVER", "GECKODRIVER", "SAFARIDRIVER"];

/// The engines beside Chromium, those that are here: a developer is told of one that is not, on CI it is an error.
pub(crate) struct Others {
    firefox: Option<setup::Firefox>,
    webkit: Option<setup::WebKit>,
    /// Why one that should be here is not.
    pub(crate) missing: Vec<String>,
}

impl Others {
    /// Finds them, or installs what can be installed without a password.
    pub(crate) fn find() -> Self {
        let mut missing = Vec::new();
        let firefox = here("Firefox", setup::firefox(), &mut missing);
        let webkit = here("WebKit", setup::webkit(), &mut missing);
        Others { firefox, webkit, missing }
    }

    /// As the end-to-end tests call those that are here.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let named = [self.firefox.as_ref().map(|_| "firefox"), self.webkit.as_ref().map(|_| "webkit")];
        named.into_iter().flatten().collect()
    }

    /// What the end-to-end tests are told.
    pub(crate) fn tell(&self, command: &mut Command) {
        if let Some(firefox) = &self.firefox {
            command.env("FIREFOX", &firefox.firefox).env("GECKODRIVER", &firefox.driver);
        }
        if let Some(webkit) = &self.webkit {
            command.env("WEBKITWEBDRIVER", &webkit.driver).env("MINIBROWSER", &webkit.browser);
            command.env("XVFB", &webkit.screen);
        }
    }

    /// `cargo` with these arguments, its tests run in each engine: name and command.
    pub(crate) fn cargo(&self, chromium: &Browser, args: &[&str]) -> Result<Vec<(&'static str, Command)>> {
        let runner = setup::wasm_bindgen()?.join("wasm-bindgen-test-runner");
        let prepare = |mut command: Command, variable, driver: &Path, capabilities: PathBuf| {
            for name in DRIVERS {
                command.env_remove(name);
            }
            command.args(args).env(variable, driver);
            command
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &runner)
                .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities);
            command
        };
        let mut all = vec![(
            "Chromium",
            prepare(proc::cargo(), DRIVERS[0], &chromium.driver, chromium_capabilities(chromium)?),
        )];
        if let Some(firefox) = &self.firefox {
            let binary = firefox.firefox.display().to_string();
            let capabilities = format!("{{\"moz:firefoxOptions\": {{\"binary\": {binary:?}}}}}");
            let file = write("webdriver-firefox.json", &capabilities)?;
            all.push(("Firefox", prepare(proc::cargo(), DRIVERS[1], &firefox.driver, file)));
        }
        if let Some(webkit) = &self.webkit {
            // The runner knows only Safari's driver, which takes the same arguments, and hands it no capabilities.
            let file = write("webdriver-webkit.json", "{}")?;
            all.push(("WebKit", prepare(on_a_screen(webkit), DRIVERS[2], &webkit.driver, file)));
        }
        Ok(all)
    }
}

fn here<T>(name: &str, found: Result<T>, missing: &mut Vec<String>) -> Option<T> {
    found
        .map_err(|error| {
            let error = error.lines().next().unwrap_or_default();
            if env::var_os("CI").is_some() {
                missing.push(format!("{name} is missing: {error}"));
            } else {
                say(&format!("· without {name}: {error}"));
            }
        })
        .ok()
}

/// The committed capabilities, and the browser that was found: the driver alone would look only in its usual places.
pub(crate) fn chromium_capabilities(browser: &Browser) -> Result<PathBuf> {
    const FILE: &str = "webdriver.json";
    let committed = fs::read_to_string(root().join(FILE)).map_err(|error| format!("{FILE}: {error}"))?;
    let binary = format!("\"binary\": {:?},\n    \"args\"", browser.chromium.display().to_string());
    write(FILE, &committed.replacen("\"args\"", &binary, 1))
}

fn write(name: &str, text: &str) -> Result<PathBuf> {
    let file = workspace::target()?.join(name);
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// cargo under a display of its own: WebKit has no headless mode.
fn on_a_screen(webkit: &setup::WebKit) -> Command {
    let cargo = proc::cargo();
    let mut command = proc::command(&webkit.screen_run);
    command.args(["--auto-servernum", "--server-args=-screen 0 1280x1024x24 -nolisten tcp"]);
    command.arg(cargo.get_program());
    // No accelerated drawing on a machine that may have no GPU; root has no sandbox to put a browser into.
    command.env("LIBGL_ALWAYS_SOFTWARE", "1").env("NO_AT_BRIDGE", "1").env("GDK_BACKEND", "x11");
    if setup::is_root() {
        command.env("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1");
    }
    command
}
