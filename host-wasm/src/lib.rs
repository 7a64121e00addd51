//! `everwire-host` with its log in memory, for Node: what the facade of `everwire/server` drives.
//!
//! Links are numbers, time is milliseconds since 1970, questions and runs are numbers that come back with their answers.
//! **After every call the facade takes [`Server::next`] until it is `undefined`**, and carries out the orders in their order.

mod orders;

use std::collections::BTreeSet;
use std::net::IpAddr;

use everwire_core::engine::{LogEpoch, Memory, MemoryConfig, Subject};
use everwire_core::frame::{Form, is_subject};
use everwire_core::session::node::{
    AllowedOrigins, AskId, Drain, HookFailed, NodeConfig, NotAnOrigin, NotAuthenticated, RunId,
};
use everwire_core::{Duration, Instant};
use everwire_host::{
    Counts, Gate, GateLimits, Keys, LinkId, Order, Payload, Permit, Process, ProcessConfig, Refused, Reply,
    Verdict, Who, carry_out,
};
use js_sys::Array;
use wasm_bindgen::prelude::*;

/// What the options say, in the order in which the facade hands them over.
const NUMBERS: usize = 18;

/// A server without its sockets.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Server {
    process: Process,
    engine: Memory<Payload>,
    grown: BTreeSet<Subject>,
    origins: AllowedOrigins,
    gate: Gate,
    now: Instant,
}

#[wasm_bindgen]
impl Server {
    /// `secrets` are 48 random octets; of `numbers` the order is that of the fields below. What is out of range has been
    /// told by the facade. Throws a text if an origin is none.
    #[wasm_bindgen(constructor)]
    pub fn new(
        secrets: &[u8],
        numbers: &[f64],
        origins: Vec<String>,
        identities: Vec<String>,
        examines: bool,
        now: f64,
    ) -> Result<Server, JsValue> {
        let whole = |at: usize| numbers.get(at).copied().unwrap_or(0.0) as u64;
        let size = |at: usize| usize::try_from(whole(at)).unwrap_or(usize::MAX);
        let millis = |at: usize| Duration::from_millis(whole(at));
        debug_assert_eq!(numbers.len(), NUMBERS);
        let node = NodeConfig {
            heartbeat: millis(0),
            window: millis(1),
            rooms_max: u16::try_from(whole(2)).unwrap_or(u16::MAX),
            failure_is_final: whole(3) == 1,
            identities: identities.iter().map(|prefix| prefix.as_str().into()).collect(),
            examines,
            ..NodeConfig::default()
        };
        let config = ProcessConfig { node, handler_timeout: millis(4), messages_per_second: whole(5) };
        let records_max = size(10);
        let bounds = MemoryConfig {
            message_octets_max: u32::try_from(whole(6)).unwrap_or(u32::MAX),
            messages_max: size(7),
            octets_max: whole(8),
            age_max: millis(9),
            backlog_messages_max: size(16),
            backlog_octets_max: whole(17),
            records_max,
            records_anonymous_max: records_max / 4 * 3,
            records_per_identity_max: size(11),
            ..MemoryConfig::default()
        };
        let limits = GateLimits {
            connections_max: size(12),
            connections_per_address: size(13),
            greeting_per_address: size(14),
            connects_per_second: u32::try_from(whole(15)).unwrap_or(u32::MAX),
        };
        let (key, name) = secrets.split_at(secrets.len().min(32));
        let epoch: String = name.iter().map(|octet| format!("{octet:02x}")).collect();
        let mut grants = [0; 32];
        grants.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let origins: Vec<_> = origins.iter().map(String::as_str).collect();
        let origins = AllowedOrigins::new(&origins).map_err(|NotAnOrigin(text)| JsValue::from(&*text))?;
        let now = Instant::from_millis_f64(now);
        Ok(Server {
            process: Process::new(config, Keys::new(&grants), now),
            engine: Memory::new(bounds, LogEpoch::from(epoch.as_str())),
            grown: BTreeSet::new(),
            origins: origins.and_absent(),
            gate: Gate::new(limits),
            now,
        })
    }

    /// Whether a page of this origin may connect; `undefined` is no browser.
    pub fn admits(&self, origin: Option<String>) -> bool {
        self.origins.admits(origin.as_deref().map(str::as_bytes))
    }

    /// 0: let in; 1: the server is full; 2: the address is full; 3 and more: 3 + milliseconds to wait.
    pub fn enter(&mut self, link: f64, address: &str, now: f64) -> f64 {
        let now = self.at(now);
        let address: Option<IpAddr> = address.parse().ok();
        match self.gate.enter(named(link), address, now) {
            Ok(()) => 0.0,
            Err(Refused::Full) => 1.0,
            Err(Refused::AddressFull) => 2.0,
            Err(Refused::TooFast(wait)) => 3.0 + wait.as_millis_f64().ceil(),
        }
    }

    /// A connection that [`Server::enter`] has let in has come to nothing.
    pub fn left(&mut self, link: f64) {
        self.gate.left(named(link));
    }

    /// A WebSocket is open.
    pub fn opened(&mut self, link: f64, now: f64) {
        let now = self.at(now);
        self.process.opened(named(link), now);
    }

    /// Octets of its next message at most.
    #[wasm_bindgen(js_name = messageBytesMax)]
    pub fn message_bytes_max(&self, link: f64) -> f64 {
        self.process.frame_bytes_max(named(link)) as f64
    }

    /// It has read so many octets.
    pub fn octets(&mut self, link: f64, octets: f64, now: f64) {
        let now = self.at(now);
        self.process.octets(named(link), octets as u64, now);
    }

    /// A message has come.
    pub fn frame(&mut self, link: f64, binary: bool, octets: &[u8], now: f64) {
        let now = self.at(now);
        let form = if binary { Form::Binary } else { Form::Text };
        self.process.frame(named(link), form, octets, now);
    }

    /// A message is longer than it may be.
    #[wasm_bindgen(js_name = tooLong)]
    pub fn too_long(&mut self, link: f64, now: f64) {
        let now = self.at(now);
        self.process.too_long(named(link), now);
    }

    /// So many octets in all have been handed to the network.
    pub fn taken(&mut self, link: f64, octets: f64, now: f64) {
        let now = self.at(now);
        self.process.taken(named(link), octets as u64, now);
    }

    /// The WebSocket is closed.
    pub fn closed(&mut self, link: f64, now: f64) {
        let now = self.at(now);
        self.gate.left(named(link));
        self.process.closed(named(link), now);
    }

    /// Closes a link.
    pub fn end(&mut self, link: f64, code: u16, reason: &str, now: f64) {
        let now = self.at(now);
        self.process.end(named(link), code, reason, now);
    }

    /// Who somebody is: an identity, and when the credential must have been renewed (−1: never).
    pub fn authenticated(&mut self, link: f64, id: f64, identity: String, expires: f64, now: f64) {
        let expires = (expires >= 0.0).then(|| Duration::from_millis_f64(expires));
        self.known(link, id, Ok(Who::Named { identity, expires }), now);
    }

    /// Somebody without a name.
    pub fn anonymous(&mut self, link: f64, id: f64, now: f64) {
        self.known(link, id, Ok(Who::Anonymous), now);
    }

    /// Nobody: 0 refused, 1 forbidden, 2 the hook has failed.
    pub fn unauthenticated(&mut self, link: f64, id: f64, why: u32, now: f64) {
        let why = match why {
            0 => NotAuthenticated::Refused,
            1 => NotAuthenticated::Forbidden,
            _ => NotAuthenticated::Failed,
        };
        self.known(link, id, Err(why), now);
    }

    /// What somebody may: for each room a number, from where on, or a text, why not. `undefined`: the hook has failed.
    pub fn authorised(&mut self, link: f64, id: f64, permits: Option<Array>, now: f64) {
        let now = self.at(now);
        let permit = |told: JsValue| match told.as_f64() {
            Some(since) => Permit::Allowed { since: since as u64 },
            None => told.as_string().map_or_else(Permit::forbidden, |code| Permit::Denied(code.into())),
        };
        let permits = permits.map(|permits| permits.iter().map(permit).collect()).ok_or(HookFailed);
        self.process.authorised(named(link), AskId(id as u64), permits, now);
    }

    /// What the hook says of a message: 0 it passes, 1 it goes to `told`, 2 it is refused with the code `told`, 3 the hook
    /// has failed.
    pub fn examined(&mut self, link: f64, id: f64, verdict: u32, told: &str, now: f64) {
        let now = self.at(now);
        let verdict = match verdict {
            0 => Verdict::Pass,
            1 => Verdict::To(told.into()),
            2 => Verdict::Refuse(told.into()),
            _ => Verdict::Failed,
        };
        self.process.examined(named(link), AskId(id as u64), verdict, now);
    }

    /// A handler has answered: the type of the answer, and its content as JSON.
    pub fn ran(&mut self, run: f64, kind: String, json: String, now: f64) {
        let now = self.at(now);
        self.process.ran(RunId(run as u64), Reply::Content { kind, json }, now);
    }

    /// A handler has failed.
    pub fn failed(&mut self, run: f64, code: String, message: String, now: f64) {
        let now = self.at(now);
        self.process.ran(RunId(run as u64), Reply::Failed { code, message }, now);
    }

    /// 16 random octets.
    pub fn drawn(&mut self, bits: &[u8], now: f64) {
        let now = self.at(now);
        let mut producer = [0; 16];
        producer.iter_mut().zip(bits).for_each(|(to, from)| *to = *from);
        self.process.drawn(producer, now);
    }

    /// A message of the server itself. False: the receiver is no room and no identity.
    pub fn post(&mut self, receiver: &str, envelope: &str, now: f64) -> bool {
        let now = self.at(now);
        let holds = is_subject(receiver) && !receiver.starts_with('_');
        if holds {
            self.process.post(receiver.into(), Payload::text(envelope), now);
        }
        holds
    }

    /// An identity may no longer read a room.
    pub fn revoke(&mut self, identity: &str, room: &str, now: f64) {
        let now = self.at(now);
        self.process.revoke(&identity.into(), &room.into(), now);
    }

    /// Closes every link of an identity.
    pub fn expel(&mut self, identity: &str, code: u16, reason: &str, now: f64) {
        let now = self.at(now);
        self.process.expel(&identity.into(), code, reason, now);
    }

    /// Discards what is stored of a room or an identity.
    pub fn trim(&mut self, subject: &str, now: f64) {
        let now = self.at(now);
        let subject = Subject::from(subject);
        self.engine.trim(&subject, now);
        self.grown.insert(subject);
    }

    /// Tells all to leave.
    pub fn drain(&mut self, leave_in: f64, window: f64, reason: &str, now: f64) {
        let now = self.at(now);
        let [leave_in, window] = [leave_in, window].map(Duration::from_millis_f64);
        self.process.drain(Drain { leave_in, window, reason: reason.into(), url: None }, now);
    }

    /// Whether all is done after that.
    #[wasm_bindgen(js_name = isIdle)]
    pub fn is_idle(&self) -> bool {
        self.process.is_idle()
    }

    /// A deadline may have passed.
    pub fn timeout(&mut self, now: f64) {
        let now = self.at(now);
        self.engine.handle_timeout(now);
        self.process.timeout(now);
    }

    /// When [`Server::timeout`] is wanted; infinity: never.
    #[wasm_bindgen(js_name = nextDeadline)]
    pub fn next_deadline(&self) -> f64 {
        let due = [self.process.next_deadline(), self.engine.next_deadline()].into_iter().flatten().min();
        due.map_or(f64::INFINITY, |due| due.as_micros() as f64 / 1000.0)
    }

    /// The next thing to do, as `orders.rs` says.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Array> {
        loop {
            while let Some(order) = self.process.poll() {
                match order {
                    Order::Call { asker, id, call } => {
                        let answer = carry_out(&call, &mut self.engine, self.now, &mut self.grown);
                        self.process.answered(asker, id, answer, self.now);
                    }
                    Order::Welcomed { link, .. } => self.gate.greeted(link),
                    Order::Forget { .. } | Order::Visible { .. } => {}
                    order => return Some(orders::told(order)),
                }
            }
            if self.grown.is_empty() {
                return None;
            }
            let grown = std::mem::take(&mut self.grown);
            self.process.grown(&grown, self.now);
        }
    }

    /// What has been counted, in the order of [`Counts`].
    pub fn counts(&self) -> Vec<f64> {
        let Counts {
            links_open,
            subjects_read,
            links,
            links_welcomed,
            closed_broken,
            closed_otherwise,
            frames_in,
            octets_in,
            messages_in,
            frames_out,
            octets_out,
            messages_out,
            requests,
        } = self.process.counts();
        [
            links_open,
            subjects_read,
            links,
            links_welcomed,
            closed_broken,
            closed_otherwise,
            frames_in,
            octets_in,
            messages_in,
            frames_out,
            octets_out,
            messages_out,
            requests,
        ]
        .map(|count| count as f64)
        .into()
    }

    /// Time never goes backwards here, whatever the facade's clock does.
    fn at(&mut self, now: f64) -> Instant {
        self.now = self.now.max(Instant::from_millis_f64(now));
        self.now
    }

    fn known(&mut self, link: f64, id: f64, answer: Result<Who, NotAuthenticated>, now: f64) {
        let now = self.at(now);
        self.process.authenticated(named(link), AskId(id as u64), answer, now);
    }
}

fn named(link: f64) -> LinkId {
    LinkId(link as u64)
}
