//! Who never answers does not hold up the end of a server.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use everwire_server::{Application, Config, Server};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

/// Only what hangs takes that long.
const HANG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_never_answers_does_not_hold_up_a_drain() {
    let (server, address) = start().await;
    let link = tokio::task::spawn_blocking(move || connect(address)).await.unwrap();
    // From here on nobody reads, writes or closes at the other end.
    tokio::time::timeout(HANG, server.drain(Duration::ZERO, "shutdown")).await.unwrap();
    let metrics = tokio::task::spawn_blocking(move || get(address, "/metrics")).await.unwrap();
    assert!(
        metrics.lines().any(|line| line == "everwire_links_open 1"),
        "it still waits for the close:\n{metrics}"
    );
    // What it would have read, had it been there: its time was up, and it was told so.
    let (said, code) = tokio::task::spawn_blocking(move || rest(link)).await.unwrap();
    assert!(said.iter().any(|frame| frame.starts_with("goaway 0 10000\n")), "{said:?}");
    assert_eq!(code, 4000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_when_all_have_left() {
    let (server, address) = start().await;
    let link = tokio::task::spawn_blocking(move || connect(address)).await.unwrap();
    let leaves = tokio::task::spawn_blocking(move || {
        let mut link = link;
        while !text(&mut link).is_some_and(|frame| frame.starts_with("goaway ")) {}
        link.send("bye 0".into()).unwrap();
        rest(link).1
    });
    // Ten minutes are given, and nobody takes them.
    tokio::time::timeout(HANG, server.drain(Duration::from_secs(600), "shutdown")).await.unwrap();
    assert_eq!(leaves.await.unwrap(), 1000);
}

async fn start() -> (Server, SocketAddr) {
    let server = Server::start(Config::default(), Application::new().anonymous()).unwrap();
    let router = server.router("/ws");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    (server, address)
}

/// A link that has its `welcome`.
fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("everwire.v1"));
    let (mut link, _) = tungstenite::client(request, stream).unwrap();
    let hello = r#"{"version":1,"token":null,"producer":"00112233445566778899aabbccddeeff","successor":null,"link":1,"oldest":1,
        "written":0,"born":null,"logEpoch":null,"position":null,"rooms":[],"pending":[],"held":[0,0],"visible":true,"features":[]}"#;
    link.send(format!("hello\n{hello}").into()).unwrap();
    while !text(&mut link).is_some_and(|frame| frame.starts_with("welcome\n")) {}
    link
}

fn text(link: &mut WebSocket<TcpStream>) -> Option<String> {
    match link.read().unwrap() {
        Message::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

/// All that is still to be read, and the code of the close.
fn rest(mut link: WebSocket<TcpStream>) -> (Vec<String>, u16) {
    let mut said = Vec::new();
    loop {
        match link.read().unwrap() {
            Message::Text(text) => said.push(text.to_string()),
            Message::Close(close) => return (said, close.unwrap().code.into()),
            _ => {}
        }
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
