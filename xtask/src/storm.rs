//! `cargo xtask storm`: everybody loses the same server at once; what follows, with the real machine.

use std::path::absolute;
use std::time::Duration;

use crate::Result;
use crate::proc;

/// A million clients and three outages take two minutes; ten million are allowed, and slower machines.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// Builds the simulation for speed, and lets it print.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = in_full(args)?;
    let mut command = proc::cargo();
    command
        .args(["run", "--quiet", "--release", "--package", "everwire-sim", "--bin", "storm", "--"])
        .args(args);
    let ran = proc::tee(&mut command, LIMIT);
    if ran.ok { Ok(()) } else { Err(format!("the storm: {}", ran.end)) }
}

/// The file is meant from where the developer stands; the program runs in the repository's root.
fn in_full(args: &[String]) -> Result<Vec<String>> {
    let mut args = args.to_vec();
    for at in 1..args.len() {
        if args[at - 1] == "--json" {
            let file = absolute(&args[at]).map_err(|error| format!("{}: {error}", args[at]))?;
            args[at] = file.display().to_string();
        }
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_alone_is_made_absolute() {
        let args = ["--clients", "100", "--json", "storm.json"].map(str::to_owned);
        let full = in_full(&args).expect("a current directory");
        assert_eq!(full[..3], args[..3]);
        assert!(std::path::Path::new(&full[3]).is_absolute() && full[3].ends_with("storm.json"));
        assert_eq!(in_full(&[]), Ok(Vec::new()));
    }
}
