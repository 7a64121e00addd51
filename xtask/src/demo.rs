//! `cargo xtask demo`: the demo page on the built package, with the servers it talks to.

use std::process::Command;

use crate::Result;
use crate::npm;
use crate::package::{self, Variant};
use crate::server;

/// Tells `www/server.mjs` where `everwire-server` is.
pub(crate) const SERVER: &str = "EVERWIRE_SERVER";

/// Builds the package and `everwire-server`, and serves the demo until the developer stops it.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let port = port(args)?;
    package::build(Variant::Published)?;
    let mut server = npm::node("www/server.mjs");
    server.env(SERVER, server::binary()?);
    if let Some(port) = port {
        server.args(["--port", &port.to_string()]);
    }
    become_server(&mut server)
}

/// The server takes this process's place: whatever ends the command ends the server.
#[cfg(unix)]
fn become_server(server: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(format!("node: {}", server.exec()))
}

#[cfg(not(unix))]
fn become_server(server: &mut Command) -> Result<()> {
    let status = server.status().map_err(|error| format!("node: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("www/server.mjs: {status}")) }
}

fn port(args: &[String]) -> Result<Option<u16>> {
    let text = match args {
        [] => return Ok(None),
        [name, value] if name == "--port" => value.as_str(),
        [one] => one.strip_prefix("--port=").unwrap_or(""),
        _ => "",
    };
    text.parse()
        .map(Some)
        .map_err(|_| "`demo` takes `--port N` with N from 0 to 65535, nothing else".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_a_number_or_absent() {
        let ask = |args: &[&str]| port(&args.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(ask(&[]), Ok(None));
        assert_eq!(ask(&["--port", "8080"]), Ok(Some(8080)));
        assert_eq!(ask(&["--port=0"]), Ok(Some(0)));
        assert!(ask(&["--port"]).is_err());
        assert!(ask(&["--port", "99999"]).is_err());
        assert!(ask(&["--host", "::1"]).is_err());
    }
}
