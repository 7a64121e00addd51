//! Where things are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::Result;
use crate::proc;

/// The repository, whatever directory the command was started in.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.parent().expect("xtask lies inside the workspace").to_path_buf()
    })
}

/// Cargo's target directory, wherever the developer's configuration puts it.
pub(crate) fn target() -> Result<&'static Path> {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = TARGET.get() {
        return Ok(found);
    }
    let metadata = proc::read(proc::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let found =
        json_text(&metadata, "target_directory").ok_or("`cargo metadata` names no target directory")?;
    Ok(TARGET.get_or_init(|| PathBuf::from(found)))
}

/// A path as a developer would type it, from the root.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The version of a package in Cargo.lock.
pub(crate) fn locked_version(package: &str) -> Result<String> {
    let path = root().join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    version_in(&lock, package).ok_or_else(|| format!("Cargo.lock holds no package `{package}`"))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.next()?;
    let version = lines.next()?.strip_prefix("version = \"")?;
    Some(version.strip_suffix('"')?.to_owned())
}

/// The one string field of `cargo metadata` that is needed; a JSON parser would be the only dependency of this crate.
fn json_text(json: &str, field: &str) -> Option<String> {
    let start = json.find(&format!("\"{field}\":\""))? + field.len() + 4;
    let mut text = String::new();
    let mut chars = json[start..].chars();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_locked_version_of_exactly_that_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-test\"\nversion = \"0.3.80\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "wasm"), None);
    }

    #[test]
    fn reads_a_json_string_with_escapes() {
        let json = r#"{"a":1,"target_directory":"C:\\work\\tar\"get","b":"x"}"#;
        assert_eq!(json_text(json, "target_directory").as_deref(), Some(r#"C:\work\tar"get"#));
        assert_eq!(json_text(json, "none"), None);
    }
}
