//! RFC 6455 without a socket: octets in, messages out, and the other way round.
//!
//! tungstenite reads and writes a pipe in memory here, so that the task of a connection sees every octet come and go: the
//! protocol's deadlines move with octets, and what waits for a slow client must be known to the octet.

use std::io::{self, Read, Write};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use everwire_core::frame::Form;
use tungstenite::error::{CapacityError, Error};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes};

/// What tungstenite reads from and writes to.
#[derive(Debug, Default)]
struct Pipe {
    input: BytesMut,
    output: BytesMut,
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let many = buf.len().min(self.input.len());
        self.input.copy_to_slice(buf.get_mut(..many).unwrap_or_default());
        Ok(many)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.output.put_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A whole message.
    Message(Form, Bytes),
    /// A message is longer than it may be.
    TooLong,
    /// Against RFC 6455, or no UTF-8 where that is due: the connection ends with this code.
    Broken(u16),
    /// The peer has closed.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Codec {
    socket: WebSocket<Pipe>,
    /// Nothing that comes is looked at any more.
    is_deaf: bool,
}

/// What is read at once; an idle connection keeps it.
const READ_BUFFER: usize = 4096;

impl Codec {
    pub(crate) fn new(message_bytes_max: u64) -> Self {
        let config = limited(WebSocketConfig::default(), message_bytes_max)
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(usize::MAX);
        let socket = WebSocket::from_raw_socket(Pipe::default(), Role::Server, Some(config));
        Self { socket, is_deaf: false }
    }

    /// Messages may be so long from now on.
    pub(crate) fn set_message_bytes_max(&mut self, most: u64) {
        self.socket.set_config(|config| *config = limited(*config, most));
    }

    /// Takes octets from the network.
    pub(crate) fn feed(&mut self, octets: &[u8], events: &mut Vec<Event>) {
        if self.is_deaf {
            return;
        }
        self.socket.get_mut().input.put_slice(octets);
        loop {
            let event = match self.socket.read() {
                Ok(Message::Text(text)) => Event::Message(Form::Text, text.into()),
                Ok(Message::Binary(octets)) => Event::Message(Form::Binary, octets),
                Ok(Message::Close(_)) => Event::Closed,
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => Event::TooLong,
                Err(Error::Utf8(_)) => Event::Broken(1007),
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Event::Closed,
                Err(_) => Event::Broken(1002),
            };
            let ends = !matches!(event, Event::Message(..));
            events.push(event);
            if ends {
                self.is_deaf = true;
                // A peer that has closed gets its answer.
                let _ = self.socket.flush();
                return;
            }
        }
    }

    pub(crate) fn write(&mut self, form: Form, octets: Vec<u8>) {
        let message = match form {
            Form::Text => match String::from_utf8(octets) {
                Ok(text) => Message::Text(text.into()),
                Err(_) => return,
            },
            Form::Binary => Message::Binary(octets.into()),
        };
        // A pipe takes everything; a socket that has been closed takes nothing, and nothing need come of it.
        let _ = self.socket.write(message);
        let _ = self.socket.flush();
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let reason = Utf8Bytes::from(reason.to_owned());
        let _ = self.socket.close(Some(CloseFrame { code: code.into(), reason }));
        let _ = self.socket.flush();
    }

    /// What is to be sent.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.socket.get_mut().output
    }
}

fn limited(config: WebSocketConfig, most: u64) -> WebSocketConfig {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    config.max_message_size(Some(most)).max_frame_size(Some(most))
}
