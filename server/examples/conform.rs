//! The application that `tests/conform/README.md` asks of a server under test. It prints its address.
//!
//! `conform [--limits | DIR]`: with the limits that are the defaults, or with its log in a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::serve::ListenerExt;
use everwire_server::{
    Access, Application, Config, Credential, Entry, HookFailed, Message, NotAuthenticated, Permit, Request,
    RequestFailed, Server, Verdict, Who,
};
use tokio::sync::watch;

type Refusal = NotAuthenticated;

/// What the tests let go, count and take away.
#[derive(Default)]
struct State {
    gates: Mutex<BTreeMap<String, watch::Sender<bool>>>,
    counts: Mutex<BTreeMap<String, u64>>,
    outcasts: Mutex<BTreeSet<(String, String)>>,
    failed_once: Mutex<BTreeSet<String>>,
    server: OnceLock<Server>,
}

impl State {
    fn open(&self, key: &str) {
        self.gate(key, |gate| gate.send_replace(true));
    }

    fn opened(&self, key: &str) -> impl Future<Output = ()> + use<> {
        let mut gate = self.gate(key, watch::Sender::subscribe);
        async move {
            // The gate outlives every test.
            let _ = gate.wait_for(|open| *open).await;
        }
    }

    fn gate<T>(&self, key: &str, with: impl FnOnce(&watch::Sender<bool>) -> T) -> T {
        with(self.gates.lock().unwrap().entry(key.to_owned()).or_insert_with(|| watch::channel(false).0))
    }
}

async fn authenticate(state: Arc<State>, credential: Credential) -> Result<Who, Refusal> {
    let Some(token) = &credential.token else { return Ok(Who::Anonymous) };
    let (kind, name) = token.reveal().split_once(':').ok_or(Refusal::Refused)?;
    let (name, key) = name.split_once(':').unwrap_or((name, ""));
    let named = |expires| Who::Named { identity: format!("user_{name}"), expires };
    match kind {
        "user" => Ok(named(None)),
        "brief" => Ok(named(Some(everwire_server::milliseconds(1_000)))),
        "raw" => Ok(Who::Named { identity: decoded(name), expires: None }),
        "banned" => Err(Refusal::Forbidden),
        "fail" => Err(Refusal::Failed),
        "slow" => pending().await,
        "held" => {
            state.opened(key).await;
            Ok(named(None))
        }
        _ => Err(Refusal::Refused),
    }
}

async fn authorise(state: Arc<State>, entry: Entry) -> Result<Permit, HookFailed> {
    let Entry { identity, room, access } = entry;
    let is_outcast = state.outcasts.lock().unwrap().contains(&(identity, room.clone()));
    if (access == Access::Page && room.starts_with("nohistory")) || room.starts_with("denied") || is_outcast {
        return Ok(Permit::forbidden());
    }
    if room.starts_with("broken") {
        return Err(HookFailed);
    }
    if room.starts_with("stuck") {
        return pending().await;
    }
    if room.starts_with("held-") {
        state.opened(&room).await;
    }
    let since = room.strip_prefix("since-").and_then(|rest| rest.split_once('-'));
    Ok(Permit::Allowed { since: since.and_then(|(since, _)| since.parse().ok()).unwrap_or(0) })
}

async fn on_message(state: Arc<State>, message: Message) -> Verdict {
    let content = || message.content::<String>().unwrap_or_default();
    match message.message_type().as_str() {
        "refuse-me" => Verdict::Refuse("not-today".into()),
        "named" => Verdict::To(content().as_str().into()),
        "hold" => {
            state.opened(&content()).await;
            Verdict::Pass
        }
        "fail" => Verdict::Failed,
        "fail-once" if state.failed_once.lock().unwrap().insert(content()) => Verdict::Failed,
        _ => Verdict::Pass,
    }
}

fn application(state: &Arc<State>) -> Application {
    macro_rules! with {
        ($hook:ident) => {{
            let state = state.clone();
            move |input| $hook(state.clone(), input)
        }};
    }
    let app = Application::new()
        .authenticate(with!(authenticate))
        .authorize(with!(authorise))
        .on_message(with!(on_message));
    app.handle("echo", |request: Request| async move {
        Ok(request.content::<Box<serde_json::value::RawValue>>()?)
    })
    .handle("boom", |_| async { Err::<(), _>(RequestFailed::new("boom", "it failed")) })
    .handle("long", |request| async move { Ok("a".repeat(request.content()?)) })
    .handle("go", with!(go))
    .handle("wait", with!(wait))
    .handle("count", with!(count))
    .handle("revoke", with!(revoke))
    .handle("trim", with!(trim))
    .handle("drain", with!(drain))
}

async fn go(state: Arc<State>, request: Request) -> Result<String, RequestFailed> {
    let key: String = request.content()?;
    state.open(&key);
    Ok(key)
}

async fn wait(state: Arc<State>, request: Request) -> Result<String, RequestFailed> {
    let key: String = request.content()?;
    state.opened(&key).await;
    Ok(key)
}

async fn count(state: Arc<State>, request: Request) -> Result<u64, RequestFailed> {
    let key = match request.bytes() {
        Some(octets) => String::from_utf8_lossy(octets).into_owned(),
        None => request.content()?,
    };
    let mut counts = state.counts.lock().unwrap();
    let count = counts.entry(key).or_default();
    *count += 1;
    Ok(*count)
}

async fn revoke(state: Arc<State>, request: Request) -> Result<String, RequestFailed> {
    let (identity, room): (String, String) = request.content()?;
    state.outcasts.lock().unwrap().insert((identity, room.clone()));
    Ok(room)
}

async fn trim(state: Arc<State>, request: Request) -> Result<String, RequestFailed> {
    let room: String = request.content()?;
    if let Some(server) = state.server.get() {
        server.trim(&room).await;
    }
    Ok(room)
}

async fn drain(state: Arc<State>, request: Request) -> Result<(), RequestFailed> {
    #[derive(serde::Deserialize)]
    struct Drain {
        #[serde(rename = "in")]
        leave_in: u64,
        window: u64,
    }
    let Drain { leave_in, window } = request.content()?;
    let (leave_in, window) = (Duration::from_millis(leave_in), Duration::from_millis(window));
    if let Some(server) = state.server.get().cloned() {
        tokio::spawn(async move {
            server.drain_within(leave_in, window, "asked to").await;
            std::process::exit(0);
        });
    }
    Ok(())
}

fn decoded(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let hex =
            |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16)).unwrap_or(0) as u8;
        octets.push(if octet == b'%' { 16 * hex(rest.next()) + hex(rest.next()) } else { octet });
    }
    String::from_utf8(octets).unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Ok(wanted) = std::env::var("RUST_LOG") {
        let filter = everwire_server::log_filter(&wanted)?;
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .init();
    }
    let state = Arc::<State>::default();
    let mut config = Config {
        origins: vec!["https://allowed.example".into()],
        heartbeat: Duration::from_secs(5),
        handler_timeout: Duration::from_secs(15),
        ..Config::default()
    };
    match std::env::args_os().nth(1) {
        Some(flag) if flag == "--limits" => {}
        data => {
            // All of the suite comes from one address, at once.
            (config.connects_per_second, config.greeting_per_address) = (10_000, 10_000);
            config.data = data.map(Into::into);
        }
    }
    let server = Server::start(config, application(&state))?;
    let _ = state.server.set(server.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/ws", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = server.router("/ws").into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}
