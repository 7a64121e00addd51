//! One physical connection.

use std::rc::{Rc, Weak};

use everwire_core::Duration;
use js_sys::{Function, JsString};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, WebSocket};

use crate::{page, yard};

/// A close reason is at most so many bytes of UTF-8; more throws, and the socket stays open.
const REASON_BYTES_MAX: u32 = 123;

#[wasm_bindgen]
extern "C" {
    /// What a socket's listeners get, read by name: any constructor may have made the socket.
    type SocketEvent;
    // Not as a `String`: strings are compared where they are, and none is copied into linear memory.
    #[wasm_bindgen(method, getter, structural, js_name = type)]
    fn kind(this: &SocketEvent) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn data(this: &SocketEvent) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn code(this: &SocketEvent) -> u16;
    #[wasm_bindgen(method, getter, structural)]
    fn reason(this: &SocketEvent) -> JsValue;
    #[wasm_bindgen(method, getter, structural, js_name = wasClean)]
    fn was_clean(this: &SocketEvent) -> bool;

    /// The socket itself, read by name for the same reason.
    type Socket;
    #[wasm_bindgen(method, structural, js_name = addEventListener)]
    fn listen(this: &Socket, kind: &str, listener: &Function);
    #[wasm_bindgen(method, structural, js_name = removeEventListener)]
    fn unlisten(this: &Socket, kind: &str, listener: &Function);
    #[wasm_bindgen(method, structural, catch, js_name = close)]
    fn close(this: &Socket) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch, js_name = close)]
    fn close_with(this: &Socket, code: u16, reason: &JsString) -> Result<(), JsValue>;
    #[wasm_bindgen(method, getter, structural, js_name = close)]
    fn close_function(this: &Socket) -> Function;
    #[wasm_bindgen(method, getter, structural, js_name = bufferedAmount)]
    fn buffered_amount(this: &Socket) -> f64;
    #[wasm_bindgen(method, getter, structural)]
    fn protocol(this: &Socket) -> JsValue;

    #[wasm_bindgen(extends = JsString)]
    type Text;
    #[wasm_bindgen(method, structural, js_name = codePointAt)]
    fn code_point_at(this: &Text, index: u32) -> f64;
}

/// Who hears of what the browser tells. A link names itself by its number.
pub(crate) trait Sink {
    /// Wraps a function that is to be given to the browser.
    fn guard(&self, function: &Function) -> Function;
    /// What was wrapped must not be called any more, not even for an event that has already happened.
    fn release(&self, guarded: &Function);
    /// What is to hear of the frames of a link.
    fn listener(&self, link: u32) -> Listener;
    fn link_opened(&self, link: u32);
    fn link_closed(&self, link: u32, code: u16, clean: bool, reason: JsString);
}

/// What a socket is given for its frames.
pub(crate) struct Listener {
    guarded: Function,
    /// If what it calls is ours.
    _closure: Option<Closure<dyn FnMut(SocketEvent)>>,
}

impl Listener {
    /// A closure that is called with the data of each frame.
    pub(crate) fn new(sink: &dyn Sink, mut heard: impl FnMut(&JsValue) + 'static) -> Self {
        let closure = Closure::<dyn FnMut(SocketEvent)>::new(move |event: SocketEvent| {
            let _frame = yard::Frame::enter();
            heard(&event.data());
        });
        Self { guarded: sink.guard(closure.as_ref().unchecked_ref()), _closure: Some(closure) }
    }

    /// A function of the host's, guarded already.
    #[cfg(feature = "npm")]
    pub(crate) fn of_host(guarded: Function) -> Self {
        Self { guarded, _closure: None }
    }
}

/// What the driver needs of a link, whatever carries it.
pub(crate) trait Transport {
    /// What the host writes to.
    fn socket(&self) -> &WebSocket;
    /// Starts the closing handshake; events still come.
    fn close(&self, code: u16, reason: &JsString);
    /// No more events. What is open is closed; what is connecting, if it ever opens.
    fn abandon(&self, sink: &dyn Sink);
}

/// A `WebSocket` and what listens to it.
pub(crate) struct WebSocketLink {
    socket: WebSocket,
    messages: Listener,
    on_change: Function,
    _change: Closure<dyn FnMut(SocketEvent)>,
}

/// What happens besides messages; one closure hears of all three.
const CHANGES: [&str; 3] = ["open", "error", "close"];

impl WebSocketLink {
    /// Listens to a socket that has just been made.
    pub(crate) fn attach(number: u32, socket: WebSocket, sink: &Rc<dyn Sink>) -> Self {
        // Blobs are read asynchronously and would be overtaken by text.
        socket.set_binary_type(BinaryType::Arraybuffer);
        let to: Weak<dyn Sink> = Rc::downgrade(sink);
        let change = Closure::<dyn FnMut(SocketEvent)>::new(move |event: SocketEvent| {
            let Some(sink) = to.upgrade() else { return };
            let kind = event.kind();
            if kind == JsValue::from_str("open") {
                sink.link_opened(number);
            } else if kind == JsValue::from_str("close") {
                // Any constructor may have made the socket, and not every `close` event has a reason.
                let reason = event.reason().dyn_into().unwrap_or_else(|_| empty());
                sink.link_closed(number, event.code(), event.was_clean(), reason);
            }
            // `error` tells nothing; the `close` that follows has the code. It is listened to because Node's `ws`
            // throws when nobody does.
        });
        let on_change = sink.guard(change.as_ref().unchecked_ref());
        let link = Self { socket, messages: sink.listener(number), on_change, _change: change };
        link.target().listen("message", &link.messages.guarded);
        for kind in CHANGES {
            link.target().listen(kind, &link.on_change);
        }
        link
    }

    fn target(&self) -> &Socket {
        self.socket.unchecked_ref()
    }
}

impl Transport for WebSocketLink {
    fn socket(&self) -> &WebSocket {
        &self.socket
    }

    fn close(&self, code: u16, reason: &JsString) {
        let socket = self.target();
        // Whatever it was that the browser did not like about code or reason: the socket must not stay open for it.
        if socket.close_with(code, &clipped(reason)).is_err() {
            let _ = socket.close();
        }
    }

    fn abandon(&self, sink: &dyn Sink) {
        sink.release(&self.messages.guarded);
        sink.release(&self.on_change);
        let socket = self.target();
        socket.unlisten("message", &self.messages.guarded);
        for kind in CHANGES {
            socket.unlisten(kind, &self.on_change);
        }
        abandon(&self.socket);
    }
}

/// Gets rid of a socket that nobody wants.
pub(crate) fn abandon(socket: &WebSocket) {
    let state = socket.ready_state();
    if state == WebSocket::CLOSED {
        return;
    }
    let socket: &Socket = socket.unchecked_ref();
    // `close` bound to its socket and arguments, for listeners are called with an event. A function of the browser's
    // own: it goes with the socket, and works when this instance is dead.
    let closer: Function = socket.close_function().bind2(socket, &1000.into(), &"".into()).unchecked_into();
    // Nobody listens to it any more, and Node's `ws` throws an `error` that nobody listens to.
    socket.listen("error", &closer);
    if state == WebSocket::CONNECTING && page::is_safari() {
        // Some versions of Safari break every socket of the browser when one that is connecting is closed. Elsewhere it
        // must be: RFC 6455 §4.1 allows one connecting socket to a host, so a hung one would hold up every dial after
        // it.
        socket.listen("open", &closer);
    } else {
        let _ = socket.close();
    }
}

/// The octets that a socket has not handed on.
pub(crate) fn buffered(socket: &WebSocket) -> u64 {
    socket.unchecked_ref::<Socket>().buffered_amount() as u64
}

/// The subprotocol that the server has selected.
pub(crate) fn protocol(socket: &WebSocket) -> JsValue {
    socket.unchecked_ref::<Socket>().protocol()
}

/// The reason of an end that has none.
pub(crate) fn empty() -> JsString {
    JsString::from("")
}

/// The window that a close reason instructs.
pub(crate) fn window_in(reason: &JsString) -> Option<Duration> {
    everwire_core::window_in((0..).map_while(|at| point_at(reason, at)))
}

/// The longest part of a close reason that fits, in whole characters.
fn clipped(reason: &JsString) -> JsString {
    let (mut at, mut bytes) = (0, 0);
    while let Some(point) = point_at(reason, at) {
        // A lone surrogate is sent as U+FFFD: three bytes, like its neighbours.
        bytes += match point {
            0..=0x7f => 1,
            0x80..=0x7ff => 2,
            0x800..=0xffff => 3,
            _ => 4,
        };
        if bytes > REASON_BYTES_MAX {
            return reason.slice(0, at);
        }
        at += if point > 0xffff { 2 } else { 1 };
    }
    reason.clone()
}

/// The code point that begins there; `None` behind the last.
#[inline(never)]
fn point_at(text: &JsString, at: u32) -> Option<u32> {
    let point = text.unchecked_ref::<Text>().code_point_at(at);
    (!point.is_nan()).then_some(point as u32)
}
