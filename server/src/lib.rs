//! A server for everwire's exactly-once delivery: an axum router to mount, and a binary that needs nothing else.
//!
//! ```no_run
//! use everwire_server::{Application, Config, Server};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let app = Application::new().anonymous().handle("add", |request| async move {
//!         let (a, b): (f64, f64) = request.content()?;
//!         Ok(a + b)
//!     });
//!     let config = Config { origins: vec!["https://example.com".into()], ..Config::default() };
//!     let server = Server::start(config, app)?;
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     let service = server.router("/ws").into_make_service_with_connect_info::<std::net::SocketAddr>();
//!     Ok(axum::serve(listener, service).await?)
//! }
//! ```
//!
//! The protocol is `docs/PROTOCOL.md`; `cargo xtask conform URL` holds this server to every clause that a wire can show.

mod app;
mod clock;
mod codec;
mod config;
mod disk;
mod engine;
mod hub;
mod jwt;
mod metrics;
mod server;
mod socket;
mod upgrade;

pub use app::{Application, Credential, Entry, HookFailed, Message, Request, RequestFailed};
pub use config::Config;
pub use disk::DiskError;
pub use everwire_core::session::Secret;
pub use everwire_core::session::node::NotAuthenticated;
pub use everwire_host::{Access, Kind, Permit, Verdict, Who};
pub use jwt::{Jwt, JwtError};
/// What is logged, in the grammar of `RUST_LOG` (`info`, `everwire_server=debug` …), less the one library below that would
/// log contents.
///
/// # Errors
/// If it is not in that grammar.
pub fn log_filter(
    wanted: &str,
) -> Result<tracing_subscriber::EnvFilter, tracing_subscriber::filter::ParseError> {
    let filter = tracing_subscriber::EnvFilter::builder().parse(wanted)?;
    // At `trace` it prints every frame that it reads. [SEC-4]
    Ok(filter.add_directive("tungstenite=warn".parse()?))
}

/// A span of so many milliseconds, as [`Who::Named`] has it.
pub fn milliseconds(milliseconds: u64) -> everwire_core::Duration {
    everwire_core::Duration::from_millis(milliseconds)
}

pub use server::{PostError, Server, StartError};
