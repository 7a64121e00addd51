//! From an HTTP request to a connection.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use everwire_host::{LinkId, Refused};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tungstenite::handshake::derive_accept_key;

use crate::clock;
use crate::hub::Input;
use crate::server::{Place, Shared};
use crate::socket::Connection;

/// The subprotocol. [TRN-1]
const PROTOCOL: &str = "everwire.v1";

/// Answers a request to connect; the connection is served in a task of its own.
pub(crate) fn connect(shared: &Shared, mut request: Request) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let headers = request.headers();
    let key = match key(request.method(), headers) {
        Ok(key) => key.to_owned(),
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    if !shared.origins.admits(origin) {
        tracing::info!(?address, "refused: its origin is not allowed");
        return (StatusCode::FORBIDDEN, "this origin is not allowed\n").into_response();
    }
    let link = shared.next_link();
    let place = match Place::enter(shared, link, address) {
        Ok(place) => place,
        Err(refused) => return busy(refused),
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::UPGRADE_REQUIRED, "this connection cannot become a WebSocket\n").into_response();
    };
    serve(shared, link, address, place, upgrade);
    let accept = derive_accept_key(key.as_bytes());
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(Body::empty());
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn serve(shared: &Shared, link: LinkId, address: Option<std::net::IpAddr>, place: Place, upgrade: OnUpgrade) {
    let hub = shared.hub.clone();
    tokio::spawn(async move {
        let stream = match upgrade.await {
            Ok(stream) => TokioIo::new(stream),
            Err(error) => return tracing::debug!(%error, "the upgrade has failed"),
        };
        let (told, out) = tokio::sync::mpsc::unbounded_channel();
        if hub.send(Input::Opened { link, out: told, address }).is_err() {
            return;
        }
        tracing::debug!(link = link.0, ?address, "connected");
        Connection { link, stream, hub, out, place }.run().await;
        tracing::debug!(link = link.0, "disconnected");
    });
}

/// The key of a request for a WebSocket with our subprotocol.
fn key<'a>(method: &Method, headers: &'a HeaderMap) -> Result<&'a str, &'static str> {
    let names = |name, value: &str| {
        let all = headers.get_all(name).iter().filter_map(|header| header.to_str().ok());
        all.flat_map(|header| header.split(',')).any(|token| token.trim().eq_ignore_ascii_case(value))
    };
    if method != Method::GET || !names(header::CONNECTION, "upgrade") || !names(header::UPGRADE, "websocket")
    {
        return Err("this is the address of a WebSocket\n");
    }
    if !names(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err("only version 13 of WebSocket is spoken here\n");
    }
    if !names(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        return Err("the subprotocol everwire.v1 must be offered\n");
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    key.filter(|key| key.len() == 24).ok_or("there is no Sec-WebSocket-Key\n")
}

fn busy(refused: Refused) -> Response {
    let (status, retry, why) = match refused {
        Refused::Full => (StatusCode::SERVICE_UNAVAILABLE, 5, "the server has enough connections\n"),
        Refused::AddressFull => (StatusCode::TOO_MANY_REQUESTS, 5, "this address has enough connections\n"),
        Refused::TooFast(wait) => (
            StatusCode::TOO_MANY_REQUESTS,
            clock::time(wait).as_secs() + 1,
            "this address connects too often\n",
        ),
    };
    (status, [(header::RETRY_AFTER, retry.to_string())], why).into_response()
}
