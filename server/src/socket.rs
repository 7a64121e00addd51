//! The task of one connection: octets between its socket and the hub.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Buf;
use everwire_core::frame::HELLO_BYTES_MAX;
use everwire_host::LinkId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::codec::{Codec, Event};
use crate::hub::{Input, Out};
use crate::server::Place;

/// What is read at once: little while little comes, since every idle connection keeps its buffer.
const READ_LEAST: usize = 2 * 1024;
const READ_MOST: usize = 64 * 1024;
/// Octets of one connection that may wait for the hub; one more read is begun below it.
const UNTAKEN_MAX: u32 = 256 * 1024;
/// What is written at once, before the hub is told and more is taken from it.
const WRITE: usize = 256 * 1024;
/// How long the peer's close is awaited. [CLOSE-11]
const LINGER: Duration = Duration::from_secs(10);
/// How long a close frame may take to leave where nothing is awaited. [CODE-4003]
const PARTING: Duration = Duration::from_millis(100);

pub(crate) struct Connection<S> {
    pub(crate) link: LinkId,
    pub(crate) stream: S,
    pub(crate) hub: Sender<Input>,
    pub(crate) out: UnboundedReceiver<Out>,
    pub(crate) place: Place,
}

/// What is left to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// The close frame is on its way; what comes is discarded until the peer's close, or this.
    Lingering(Instant),
    /// Nothing is awaited but that what is written leaves, until then.
    Parting(Instant),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Serves until the connection is over.
    pub(crate) async fn run(self) {
        let Self { link, stream, hub, mut out, place } = self;
        let (reader, writer) = tokio::io::split(stream);
        let mut pump = Pump {
            link,
            hub,
            place,
            reader,
            writer,
            codec: Codec::new(HELLO_BYTES_MAX),
            permits: Arc::new(Semaphore::new(UNTAKEN_MAX as usize)),
            buffer: vec![0; READ_LEAST],
            events: Vec::new(),
            reading: true,
            given: 0,
            taken: 0,
            stage: Stage::Serving,
        };
        pump.run(&mut out).await;
        let _ = pump.writer.shutdown().await;
        let _ = pump.hub.send(Input::Closed { link });
    }
}

struct Pump<S> {
    link: LinkId,
    hub: Sender<Input>,
    place: Place,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    codec: Codec,
    permits: Arc<Semaphore>,
    buffer: Vec<u8>,
    events: Vec<Event>,
    reading: bool,
    /// Octets that the hub has given, of which it wants to know when they have left.
    given: u64,
    taken: u64,
    stage: Stage,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    async fn run(&mut self, out: &mut UnboundedReceiver<Out>) {
        loop {
            let deadline = match self.stage {
                Stage::Serving => None,
                Stage::Lingering(until) | Stage::Parting(until) => Some(until),
            };
            let waits = self.codec.output().len();
            if waits == 0 && matches!(self.stage, Stage::Parting(_)) {
                return;
            }
            let reads = self.reading || self.stage != Stage::Serving;
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => return,
                written = self.writer.write(self.codec.output()), if waits > 0 => match written {
                    Ok(many) if many > 0 => self.wrote(many),
                    _ => return,
                },
                told = out.recv(), if waits < WRITE => match told {
                    Some(told) => {
                        self.told(told);
                        // What is there at once leaves at once.
                        while self.codec.output().len() < WRITE {
                            let Ok(told) = out.try_recv() else { break };
                            self.told(told);
                        }
                    }
                    None => return,
                },
                read = read(&mut self.reader, &mut self.buffer, &self.permits), if reads => match read {
                    Ok((many, permit)) if many > 0 => self.read(many, permit),
                    _ => return,
                },
            }
        }
    }

    fn wrote(&mut self, many: usize) {
        self.codec.output().advance(many);
        let waits = self.codec.output().len() as u64;
        // The frames' own octets are counted with the last of what they are around: the hub hears of no octet too early.
        let taken = if waits == 0 { self.given } else { self.given.saturating_sub(waits) };
        if taken > self.taken && self.stage == Stage::Serving {
            self.taken = taken;
            let _ = self.hub.send(Input::Taken { link: self.link, octets: taken });
        }
    }

    fn told(&mut self, told: Out) {
        match told {
            Out::Write { form, octets } => {
                self.given += octets.len() as u64;
                self.codec.write(form, octets);
            }
            Out::Reading(on) => self.reading = on,
            Out::Welcomed => self.place.greeted(),
            Out::MessageBytesMax(most) => self.codec.set_message_bytes_max(most),
            Out::Close { code, reason, lingers } => {
                self.codec.close(code, &reason);
                self.stage = match (lingers, self.stage) {
                    (_, Stage::Parting(until)) => Stage::Parting(until),
                    (true, _) => Stage::Lingering(Instant::now() + LINGER),
                    (false, _) => Stage::Parting(Instant::now() + PARTING),
                };
            }
        }
    }

    fn read(&mut self, many: usize, permit: tokio::sync::OwnedSemaphorePermit) {
        let octets = self.buffer.get(..many).unwrap_or_default();
        self.codec.feed(octets, &mut self.events);
        let size = self.buffer.len();
        if many == size && size < READ_MOST {
            self.buffer.resize(2 * size, 0);
        } else if many < size / 4 && size > READ_LEAST {
            self.buffer.truncate(READ_LEAST);
            self.buffer.shrink_to_fit();
        }
        let serving = self.stage == Stage::Serving;
        let mut frames = Vec::new();
        let mut last = None;
        for event in self.events.drain(..) {
            match event {
                Event::Message(form, octets) => frames.push((form, octets)),
                other => last = Some(other),
            }
        }
        if serving {
            let (link, octets) = (self.link, many as u64);
            let _ = self.hub.send(Input::Read { link, octets, frames, permit });
        }
        match last {
            Some(Event::TooLong) if serving => drop(self.hub.send(Input::TooLong { link: self.link })),
            Some(Event::Broken(code)) if serving => {
                drop(self.hub.send(Input::Broken { link: self.link, code }));
            }
            // Its answer leaves, and that is all.
            Some(Event::Closed) => self.stage = Stage::Parting(Instant::now() + LINGER),
            _ => {}
        }
    }
}

/// Reads once there is room for it at the hub.
async fn read<S: AsyncRead>(
    reader: &mut ReadHalf<S>,
    buffer: &mut [u8],
    permits: &Arc<Semaphore>,
) -> std::io::Result<(usize, tokio::sync::OwnedSemaphorePermit)> {
    let most = u32::try_from(buffer.len()).unwrap_or(UNTAKEN_MAX).min(UNTAKEN_MAX);
    let permit = permits.clone().acquire_many_owned(most).await.map_err(std::io::Error::other)?;
    let many = reader.read(buffer).await?;
    Ok((many, permit))
}
