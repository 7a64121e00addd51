//! One link: two lanes of frames that keep their order, at a rate, with a delay; either may lose a suffix.

use std::collections::VecDeque;

use everwire_core::{Duration, Instant};

/// What a host's kernel takes before its socket's buffer begins to fill: little on some, on others so much that the
/// buffer never shows anything.
const KERNEL_OCTETS: [u64; 2] = [64 << 10, 8 << 20];
/// A head, a length and a mask: what a WebSocket frame costs besides.
const FRAME_OVERHEAD: u64 = 14;

/// How long a link that was slow is not held to what others keep.
const AFTERMATH: Duration = Duration::from_secs(35);

/// Frames in one direction.
#[derive(Debug)]
pub(super) struct Lane<T> {
    frames: VecDeque<T>,
    /// When the last frame has left.
    free_at: Instant,
    /// When the last of what it took slowly has left.
    busy_until: Instant,
    /// What has not left yet: when it will have, how long it is, and how fast it leaves.
    leaving: VecDeque<(Instant, u64, u32)>,
    leaving_octets: u64,
    kernel: u64,
}

impl<T> Lane<T> {
    fn new(kernel: u64) -> Self {
        Self {
            kernel,
            frames: VecDeque::new(),
            free_at: Instant::default(),
            busy_until: Instant::default(),
            leaving: VecDeque::new(),
            leaving_octets: 0,
        }
    }

    /// Takes a frame; answers when its last octet leaves.
    fn push(&mut self, frame: T, octets: u64, rate: Option<u32>, now: Instant) -> Instant {
        self.frames.push_back(frame);
        let begins = self.free_at.max(now);
        let Some(rate) = rate else {
            self.free_at = begins;
            return begins;
        };
        let octets = octets + FRAME_OVERHEAD;
        self.free_at = begins + Duration::from_micros(octets * 1_000_000 / u64::from(rate));
        self.busy_until = self.free_at;
        self.leaving.push_back((self.free_at, octets, rate));
        self.leaving_octets += octets;
        self.free_at
    }

    /// The next frame that arrives.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.frames.pop_front()
    }

    /// What the sender's socket still holds.
    pub(super) fn buffered(&mut self, now: Instant) -> u64 {
        while let Some((_, octets, _)) = self.leaving.front().filter(|(left, ..)| *left <= now) {
            self.leaving_octets -= octets;
            self.leaving.pop_front();
        }
        // Of the first a part has left.
        let left = self.leaving.front().map_or(0, |(left, octets, rate)| {
            let remains = left.since(now).as_micros().saturating_mul(u64::from(*rate)) / 1_000_000;
            octets.saturating_sub(remains)
        });
        self.leaving_octets.saturating_sub(left).saturating_sub(self.kernel)
    }

    /// When the socket's buffer will have changed, if it holds anything.
    pub(super) fn drains_at(&self) -> Option<Instant> {
        self.leaving.front().map(|(at, ..)| *at).filter(|_| self.leaving_octets > self.kernel)
    }

    /// Loses a suffix: of 256 parts of what is on its way, so many arrive.
    pub(super) fn cut(&mut self, keep: u8) {
        let kept = self.frames.len() * usize::from(keep) / 256;
        self.frames.truncate(kept);
    }

    /// Loses the first frame of a kind that another one follows, which shows it.
    pub(super) fn eat(&mut self, kind: impl Fn(&T) -> bool) -> Option<T> {
        let mut of_kind = self.frames.iter().enumerate().filter(|(_, frame)| kind(frame)).map(|(at, _)| at);
        let at = of_kind.next()?;
        of_kind.next()?;
        self.frames.remove(at)
    }
}

/// One connection between a client and a node.
#[derive(Debug)]
pub(super) struct Link<Up, Down> {
    pub(super) client: u8,
    pub(super) node: u8,
    /// As the client counts.
    pub(super) number: u64,
    pub(super) up: Lane<Up>,
    pub(super) down: Lane<Down>,
    latency: Duration,
    rate: Option<(u32, Instant)>,
    /// Nothing moves before.
    pub(super) stalled: Instant,
    /// Nothing arrives any more, and nobody knows.
    pub(super) silent: bool,
    /// The connection is broken: what still stands in the lanes is all that will arrive.
    pub(super) cut: bool,
    /// What still goes up although the client's side is gone is late by so much.
    pub(super) late: Duration,
}

impl<Up, Down> Link<Up, Down> {
    pub(super) fn new(
        client: u8,
        node: u8,
        number: u64,
        latency: Duration,
        rate: Option<(u32, Instant)>,
    ) -> Self {
        let kernel = KERNEL_OCTETS[usize::from(client % 2)];
        Self {
            client,
            node,
            number,
            up: Lane::new(kernel),
            down: Lane::new(KERNEL_OCTETS[0]),
            latency,
            rate,
            stalled: Instant::default(),
            silent: false,
            cut: false,
            late: Duration::ZERO,
        }
    }

    /// From now on at this rate, until then.
    pub(super) fn slow(&mut self, rate: u32, until: Instant) {
        self.rate = Some((rate, until));
    }

    /// Whether it is slow, or has been a moment ago.
    pub(super) fn is_slow(&self, now: Instant) -> bool {
        let busy = self.up.busy_until.max(self.down.busy_until);
        self.rate(now).is_some() || busy + AFTERMATH > now
    }

    fn rate(&self, now: Instant) -> Option<u32> {
        self.rate.filter(|(_, until)| *until > now).map(|(rate, _)| rate)
    }

    /// The client writes; answers when it arrives, if it does.
    pub(super) fn send_up(&mut self, frame: Up, octets: u64, now: Instant) -> Option<Instant> {
        if self.cut {
            return None;
        }
        let rate = self.rate(now);
        Some(self.up.push(frame, octets, rate, now) + self.latency)
    }

    /// The node writes; answers when it arrives, if it does.
    pub(super) fn send_down(&mut self, frame: Down, octets: u64, now: Instant) -> Option<Instant> {
        if self.cut {
            return None;
        }
        let rate = self.rate(now);
        Some(self.down.push(frame, octets, rate, now) + self.latency)
    }

    pub(super) fn latency(&self) -> Duration {
        self.latency
    }
}
