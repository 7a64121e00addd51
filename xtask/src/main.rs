//! Every developer command of everwire: `cargo xtask help` lists them.
fn main() {}
