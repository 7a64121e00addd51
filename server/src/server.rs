//! The server as an application has it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use everwire_core::engine::{LogEpoch, Memory, MemoryConfig, Subject};
use everwire_core::session::node::{AllowedOrigins, Drain, NodeConfig, NotAnOrigin};
use everwire_host::{Gate, GateLimits, Keys, LinkId, Payload, Process, ProcessConfig, Refused};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::app::Application;
use crate::clock::{Clock, span};
use crate::config::Config;
use crate::disk::{Disk, DiskError};
use crate::engine::Engine;
use crate::hub::{Hub, Input, Standing};
use crate::metrics;
use crate::upgrade;

/// How long clients may be given to leave. [AWAY-1]
const LEAVE_MAX: Duration = Duration::from_secs(600);
/// How much longer their connections are served. [AWAY-9]
const LEAVE_GRACE: Duration = Duration::from_secs(2);
/// And how long the last close frames may take to leave.
const PARTING: Duration = Duration::from_millis(100);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An entry of [`Config::origins`] can match nothing.
    #[error("`{0}` is no origin: write it like https://example.com, or *")]
    Origin(Box<str>),
    /// A value of the configuration is out of its range.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// The system gives no random bits.
    #[error("the system gives no random bits: {0}")]
    Random(getrandom::Error),
    /// The server was started outside of a tokio runtime.
    #[error("a server must be started within a tokio runtime")]
    NoRuntime,
    /// The log on disk cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(std::io::Error),
}

/// A message of the server could not be made of this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// The content cannot be written as JSON.
    #[error("the content is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The subject is empty, too long, or begins with `_`.
    #[error("`{0}` is no room and no identity")]
    Subject(String),
    /// The server has stopped.
    #[error("the server has stopped")]
    Stopped,
}

/// What every connection is served with.
pub(crate) struct Shared {
    pub(crate) hub: Sender<Input>,
    pub(crate) origins: AllowedOrigins,
    gate: Arc<Mutex<Gate>>,
    clock: Clock,
    links: AtomicU64,
}

impl Shared {
    pub(crate) fn next_link(&self) -> LinkId {
        LinkId(self.links.fetch_add(1, Ordering::Relaxed))
    }

    /// `None` once the server has stopped.
    pub(crate) async fn look(&self) -> Option<Standing> {
        let (answer, looked) = oneshot::channel();
        self.hub.send(Input::Look { answer }).ok()?;
        looked.await.ok()
    }
}

/// A place at the gate. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Mutex<Gate>>,
    link: LinkId,
}

impl Place {
    pub(crate) fn enter(shared: &Shared, link: LinkId, address: Option<IpAddr>) -> Result<Self, Refused> {
        locked(&shared.gate).enter(link, address, shared.clock.now())?;
        Ok(Self { gate: shared.gate.clone(), link })
    }

    /// It has come to its `welcome`.
    pub(crate) fn greeted(&self) {
        locked(&self.gate).greeted(self.link);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.gate).left(self.link);
    }
}

/// A gate is whole between any two of its calls.
fn locked(gate: &Mutex<Gate>) -> MutexGuard<'_, Gate> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server of `everwire.v1`. Clones are handles to the same one; it stops when the last is dropped.
///
/// ```
/// use everwire_server::{Application, Config, Server};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config { origins: vec!["https://example.com".into()], ..Config::default() };
/// let server = Server::start(config, Application::new().anonymous())?;
/// let app: axum::Router = axum::Router::new().merge(server.router("/ws"));
/// # let _ = app; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    window: Duration,
    stopped: watch::Receiver<()>,
    _thread: Arc<Thread>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// Stops the hub with the last handle.
struct Thread {
    hub: Sender<Input>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        let _ = self.hub.send(Input::Stop);
        // What is on its way to a disk is waited for; but a hook that holds the last handle goes with the thread itself.
        let thread = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        let _ = thread.map(JoinHandle::join);
    }
}

impl Server {
    /// Starts serving; nobody can connect before [`Server::router`] is mounted. Within a tokio runtime.
    ///
    /// # Errors
    /// If the configuration is none, or the system does not let it.
    pub fn start(config: Config, app: Application) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        check(&config)?;
        let origins: Vec<_> = config.origins.iter().map(String::as_str).collect();
        let origins = AllowedOrigins::new(&origins).map_err(|NotAnOrigin(text)| StartError::Origin(text))?;
        let clock = Clock::new();
        let node = NodeConfig {
            heartbeat: span(config.heartbeat),
            window: span(config.window),
            rooms_max: config.rooms_max,
            identities: config.identities.iter().map(|prefix| prefix.as_str().into()).collect(),
            examines: app.examines(),
            failure_is_final: config.failure_is_final,
            ..NodeConfig::default()
        };
        let process = ProcessConfig {
            node,
            handler_timeout: span(config.handler_timeout),
            messages_per_second: config.messages_per_second,
        };
        let (inputs, received) = channel();
        let (engine, key) = engine(&config, clock, inputs.clone())?;
        let process = Process::new(process, Keys::new(&key), clock.now());
        let hub = Hub::new(process, engine, Arc::new(app), clock, inputs.clone(), runtime);
        let thread = std::thread::Builder::new().name("everwire".into());
        let (runs, stopped) = watch::channel(());
        let run = move || {
            hub.run(&received);
            drop(runs);
        };
        let thread = thread.spawn(run).map_err(StartError::Thread)?;
        let gate = Gate::new(GateLimits {
            connections_max: config.connections_max,
            connections_per_address: config.connections_per_address,
            greeting_per_address: config.greeting_per_address,
            connects_per_second: config.connects_per_second,
        });
        let shared = Shared {
            hub: inputs.clone(),
            origins: origins.and_absent(),
            gate: Arc::new(Mutex::new(gate)),
            clock,
            links: AtomicU64::new(0),
        };
        let thread = Thread { hub: inputs, thread: Some(thread) };
        Ok(Self { shared: Arc::new(shared), window: config.window, stopped, _thread: Arc::new(thread) })
    }

    /// The routes: WebSockets at `path`, `/healthz` and `/metrics` (Prometheus). For limits by address, serve with
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    pub fn router(&self, path: &str) -> Router {
        Router::new()
            .route(path, any(connect))
            .route("/healthz", get(healthz))
            .route("/metrics", get(metrics_text))
            .with_state(self.shared.clone())
    }

    /// Sends a message of the server itself to a room or an identity. It is stored and pushed like every other, in the
    /// order of the calls; it has no sender.
    ///
    /// # Errors
    /// If the content is no JSON, or the subject none.
    pub fn post<T: Serialize>(
        &self,
        receiver: &str,
        message_type: &str,
        content: &T,
    ) -> Result<(), PostError> {
        if !everwire_core::frame::is_subject(receiver) || receiver.starts_with('_') {
            return Err(PostError::Subject(receiver.to_owned()));
        }
        let envelope = serde_json::json!({
            "type": message_type,
            "receiver": receiver,
            "content": serde_json::to_value(content)?,
        });
        let message = Payload::text(&envelope.to_string());
        self.tell(Input::Post { subject: receiver.into(), message }).map_err(|()| PostError::Stopped)
    }

    /// An identity may no longer read a room: its pages are told. The `authorize` hook must keep it from coming back.
    pub fn revoke(&self, identity: &str, room: &str) {
        let _ = self.tell(Input::Revoke { identity: identity.into(), room: room.into() });
    }

    /// Closes every connection of an identity with a code of chapter 17 of the protocol, such as 4403 for one that may not come back.
    pub fn expel(&self, identity: &str, code: u16, reason: &str) {
        let identity = Subject::from(identity);
        let _ = self.tell(Input::Expel { identity, code, reason: reason.to_owned() });
    }

    /// Resolves when the server has stopped by itself, because its log on disk cannot be written: nothing that clients were
    /// told is lost, and another start goes on from there.
    pub async fn stopped(&self) {
        let mut stopped = self.stopped.clone();
        // Nothing is ever sent: its sender goes with the thread.
        while stopped.changed().await.is_ok() {}
    }

    /// Discards what is stored of a room or an identity so far. Who has not read it is told that it is lost.
    pub async fn trim(&self, subject: &str) {
        let (answer, trimmed) = oneshot::channel();
        if self.tell(Input::Trim { subject: subject.into(), answer }).is_ok() {
            let _ = trimmed.await;
        }
    }

    /// Tells every client to leave within `leave_in` (10 min at most) and to come back spread over [`Config::window`]; resolves
    /// when all have left and all requests are answered, and 2.1 s after `leave_in` at the latest: by then every connection
    /// has been told that its time is up, and who has not closed it does not answer.
    pub async fn drain(&self, leave_in: Duration, reason: &str) {
        self.drain_within(leave_in, self.window, reason).await;
    }

    /// The same with another window: N clients and C connects a second want N ÷ C seconds.
    pub async fn drain_within(&self, leave_in: Duration, window: Duration, reason: &str) {
        let (leave_in, window) = (span(leave_in), span(window));
        let drain = Drain { leave_in, window, reason: reason.into(), url: None };
        if self.tell(Input::Drain { drain }).is_err() {
            return;
        }
        let within = crate::clock::time(leave_in).min(LEAVE_MAX) + LEAVE_GRACE + PARTING;
        let left = async {
            while self.shared.look().await.is_some_and(|standing| !standing.is_idle) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // A half-open connection would be waited for until its close is given up.
        let _ = tokio::time::timeout(within, left).await;
    }

    fn tell(&self, input: Input) -> Result<(), ()> {
        self.shared.hub.send(input).map_err(|_| ())
    }
}

async fn connect(State(shared): State<Arc<Shared>>, request: Request) -> impl IntoResponse {
    upgrade::connect(&shared, request)
}

async fn healthz(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    match shared.look().await {
        Some(_) => (axum::http::StatusCode::OK, "ok\n"),
        None => (axum::http::StatusCode::SERVICE_UNAVAILABLE, "stopped\n"),
    }
}

async fn metrics_text(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    match shared.look().await {
        Some(standing) => metrics::response(standing.counts),
        None => axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn check(config: &Config) -> Result<(), StartError> {
    let ranges = [
        (
            (1 << 10..=64 << 20).contains(&config.message_bytes_max),
            "message_bytes_max must be 1,024 to 67,108,864",
        ),
        ((1..=256).contains(&config.rooms_max), "rooms_max must be 1 to 256"),
        (config.messages_per_second > 0, "messages_per_second must be 1 or more"),
        (
            config.backlog_messages_max > 0 && config.backlog_bytes_max > 0,
            "backlog_messages_max and backlog_bytes_max must be 1 or more",
        ),
        (config.connects_per_second > 0, "connects_per_second must be 1 or more"),
        ((5..=300).contains(&config.heartbeat.as_secs()), "heartbeat must be 5 to 300 s"),
        ((1..=600).contains(&config.window.as_secs()), "window must be 1 to 600 s"),
        (config.handler_timeout <= Duration::from_secs(3600), "handler_timeout must be 1 h at most"),
        (
            config.identities.iter().all(|prefix| !prefix.is_empty() && !prefix.starts_with('_')),
            "a prefix of identities must not be empty or begin with _",
        ),
    ];
    match ranges.iter().find(|(holds, _)| !holds) {
        Some((_, told)) => Err(StartError::OutOfRange(told)),
        None => Ok(()),
    }
}

/// The log, and the key of its grants.
fn engine(config: &Config, clock: Clock, hub: Sender<Input>) -> Result<(Engine, [u8; 32]), StartError> {
    if let Some(directory) = &config.data {
        let opened = Disk::open(directory, bounds(config))?;
        let key = opened.key;
        return Ok((Engine::disk(opened, clock, hub).map_err(StartError::Thread)?, key));
    }
    let (mut key, mut name) = ([0; 32], [0; 16]);
    getrandom::fill(&mut key).and_then(|()| getrandom::fill(&mut name)).map_err(StartError::Random)?;
    let epoch = LogEpoch::from(format!("{:032x}", u128::from_be_bytes(name)).as_str());
    Ok((Engine::memory(Memory::new(bounds(config), epoch)), key))
}

fn bounds(config: &Config) -> MemoryConfig {
    MemoryConfig {
        messages_max: config.log_messages_max,
        octets_max: config.log_bytes_max,
        age_max: span(config.log_age_max),
        backlog_messages_max: config.backlog_messages_max,
        backlog_octets_max: config.backlog_bytes_max,
        message_octets_max: config.message_bytes_max,
        records_max: config.producers_max,
        records_anonymous_max: config.producers_max / 4 * 3,
        records_per_identity_max: config.producers_per_identity,
        ..MemoryConfig::default()
    }
}
