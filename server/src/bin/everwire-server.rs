//! The server that needs nothing else: `everwire-server --help`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use clap::{ArgGroup, Parser, ValueEnum};
use everwire_server::{Application, Config, Jwt, Server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::services::ServeDir;

/// A server for everwire's exactly-once delivery.
#[derive(Debug, Parser)]
#[command(version, group(ArgGroup::new("authentication").required(true).multiple(true)))]
struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The path of the WebSocket
    #[arg(long, default_value = "/ws")]
    path: String,
    /// Let in whoever shows no token, under an identity of his own
    #[arg(long, group = "authentication")]
    anonymous: bool,
    /// Let in whoever shows a JSON Web Token (HS256) signed with the secret in this file, as `user_` and its `sub`
    #[arg(long, value_name = "FILE", group = "authentication")]
    jwt_secret_file: Option<PathBuf>,
    /// Keep the log in this directory; without it, it is in memory and ends with the process
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A page that may connect, such as https://example.com, or *; may be repeated. What is no browser always may
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// Serve the files of this directory under /
    #[arg(long, value_name = "DIR")]
    r#static: Option<PathBuf>,
    /// Octets of one message
    #[arg(long, default_value_t = 1 << 20)]
    message_bytes_max: u32,
    /// Rooms of one connection
    #[arg(long, default_value_t = 256)]
    rooms_max: u16,
    /// Messages a second of one connection, beyond a burst of 32,768
    #[arg(long, default_value_t = 10_000)]
    messages_per_second: u64,
    /// Connections at a time
    #[arg(long, default_value_t = 100_000)]
    connections_max: usize,
    /// Connections at a time of one address
    #[arg(long, default_value_t = 10_000)]
    connections_per_address: usize,
    /// New connections a second of one address, beyond a burst of five times as many
    #[arg(long, default_value_t = 50)]
    connects_per_second: u32,
    /// Connections of one address that have not been let in yet
    #[arg(long, default_value_t = 256)]
    greeting_per_address: usize,
    /// Messages that the log keeps
    #[arg(long, default_value_t = 100_000)]
    log_messages_max: usize,
    /// Octets that the log keeps
    #[arg(long, default_value_t = 64 << 20)]
    log_bytes_max: u64,
    /// Hours that the log keeps a message
    #[arg(long, default_value_t = 24)]
    log_hours_max: u64,
    /// Messages of one room that a client may have missed; of more it is told that they are lost
    #[arg(long, default_value_t = 100_000)]
    backlog_messages_max: usize,
    /// Octets of these
    #[arg(long, default_value_t = 64 << 20)]
    backlog_bytes_max: u64,
    /// Seconds that clients are given to leave after SIGTERM; 2 s later it ends, whoever has not left
    #[arg(long, default_value_t = 5)]
    drain_seconds: u64,
    /// Seconds over which they come back: as many as there are clients, divided by the connections a second that a
    /// server can take
    #[arg(long, default_value_t = 10)]
    window_seconds: u64,
    /// How the log is written; what is logged is said by RUST_LOG (info)
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Args {
    fn config(&self) -> Config {
        Config {
            origins: self.origin.clone(),
            data: self.data.clone(),
            message_bytes_max: self.message_bytes_max,
            rooms_max: self.rooms_max,
            messages_per_second: self.messages_per_second,
            connections_max: self.connections_max,
            connections_per_address: self.connections_per_address,
            connects_per_second: self.connects_per_second,
            greeting_per_address: self.greeting_per_address,
            log_messages_max: self.log_messages_max,
            log_bytes_max: self.log_bytes_max,
            log_age_max: Duration::from_secs(60 * 60 * self.log_hours_max),
            backlog_messages_max: self.backlog_messages_max,
            backlog_bytes_max: self.backlog_bytes_max,
            window: Duration::from_secs(self.window_seconds),
            ..Config::default()
        }
    }

    fn application(&self) -> Result<Application, Box<dyn Error>> {
        let Some(file) = &self.jwt_secret_file else { return Ok(Application::new().anonymous()) };
        let secret = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let jwt = Jwt::new(secret.trim_ascii_end(), "user_")?;
        let (jwt, anonymous) = (Arc::new(jwt), self.anonymous);
        Ok(Application::new().authenticate(move |credential| {
            let jwt = jwt.clone();
            async move {
                match &credential.token {
                    None if anonymous => Ok(everwire_server::Who::Anonymous),
                    _ => jwt.authenticate(&credential),
                }
            }
        }))
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = match everwire_server::log_filter(if wanted.is_empty() { "info" } else { &wanted }) {
        Ok(filter) => filter,
        Err(error) => return failed(&format!("RUST_LOG: {error}")),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(told: &str) -> ExitCode {
    eprintln!("everwire-server: {told}");
    ExitCode::FAILURE
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let server = Server::start(args.config(), args.application()?)?;
    let mut routes: Router = server.router(&args.path);
    if let Some(directory) = &args.r#static {
        if !directory.is_dir() {
            return Err(format!("{} is no directory", directory.display()).into());
        }
        routes = routes.fallback_service(ServeDir::new(directory));
    }
    let listener =
        TcpListener::bind(args.listen).await.map_err(|error| format!("{}: {error}", args.listen))?;
    let address = listener.local_addr()?;
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    println!("listening on http://{address}");
    tracing::info!(%address, path = args.path, "listening");
    let listener = listener.tap_io(|stream| {
        // Small frames wait for nothing; a connection that cannot have that works without.
        let _ = stream.set_nodelay(true);
    });
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
        () = server.stopped() => return Err("the log cannot be written".into()),
        ended = serving => return Ok(ended??),
    }
    tracing::info!(seconds = args.drain_seconds, "draining");
    tokio::select! {
        () = server.drain(Duration::from_secs(args.drain_seconds), "shutdown") => {}
        // Who asks twice does not want to wait.
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopped");
    Ok(())
}
