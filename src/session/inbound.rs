//! What the host has found in a frame, as the machine takes it.

use everwire_core::engine::{RefusalCode, Subject};
use everwire_core::frame::{Form, Shape};
use everwire_core::session::down::{Element, Loss, Place};
use everwire_core::session::up::Producing;
use everwire_core::session::{Limits, Secret, Welcome};
use js_sys::Array;

use super::frame::{Found, Inbound};
use super::gather;
use super::host::SessionHost;

impl Inbound {
    /// Takes what [`SessionHost::inspect`] has left.
    pub(super) fn of(host: &SessionHost) -> Self {
        let head = host.head();
        let mut parts = Parts { numbers: host.found().into_iter(), texts: host.texts(), next: 0 };
        let kind = parts.number();
        let form = if parts.flag() { Form::Binary } else { Form::Text };
        let shape = Shape { form, body_bytes: parts.optional(), envelope_bytes: parts.optional() };
        Self { head, shape, body: parts.body(kind) }
    }
}

/// Numbers and texts, taken one after the other.
struct Parts {
    numbers: std::vec::IntoIter<f64>,
    texts: Array,
    next: u32,
}

impl Parts {
    fn raw(&mut self) -> f64 {
        self.numbers.next().unwrap_or(0.0)
    }

    /// The host has seen to it that it is whole and not over 2⁵³; what is negative becomes 0.
    fn number(&mut self) -> u64 {
        self.raw() as u64
    }

    fn optional(&mut self) -> Option<u64> {
        let raw = self.raw();
        (raw >= 0.0).then_some(raw as u64)
    }

    fn flag(&mut self) -> bool {
        self.raw() > 0.0
    }

    fn text(&mut self) -> String {
        self.next += 1;
        self.texts.get(self.next - 1).as_string().unwrap_or_default()
    }

    fn subject(&mut self) -> Subject {
        self.text().as_str().into()
    }

    fn subjects(&mut self, many: u64) -> Vec<Subject> {
        gather((0..many).map(|_| self.subject()))
    }

    fn body(&mut self, kind: u64) -> Found {
        match kind {
            0 => Found::None,
            1 => Found::Welcome(Box::new(self.welcome())),
            2 => {
                let (first, many) = (self.number(), self.number());
                let epoch = self.text().as_str().into();
                Found::Lost(epoch, Loss { subjects: self.subjects(many), first })
            }
            3 => Found::Goaway { redirect: self.flag() },
            4 => Found::Auth { expires: self.optional(), renewed: self.flag() },
            5 => Found::Elements(self.elements()),
            _ => Found::Unreadable,
        }
    }

    /// Each distinct subject crosses the boundary once a frame, and for those of the same that stand together its index and how
    /// many they are.
    fn elements(&mut self) -> Vec<Element> {
        let subjects = self.subjects(self.texts.length().into());
        let mut elements = Vec::new();
        while let Some(index) = self.numbers.next() {
            let element = match subjects.get(index as usize) {
                Some(subject) if index >= 0.0 => Element::Message(subject.clone()),
                _ => Element::Skipped,
            };
            let many = self.number() as usize;
            elements.resize(elements.len().saturating_add(many), element);
        }
        elements
    }

    fn welcome(&mut self) -> Welcome {
        let producing = if self.flag() { Producing::Successor } else { Producing::Kept };
        let (born, mark, credit, position) = (self.number(), self.number(), self.number(), self.number());
        let durable = self.flag();
        let (heartbeat, window) = (self.number(), self.number());
        let message = u32::try_from(self.number()).unwrap_or(u32::MAX);
        let limits = Limits { message, rooms: u16::try_from(self.number()).unwrap_or(u16::MAX) };
        let (expires, time, first) = (self.optional(), self.number(), self.optional());
        let (identity, epoch) = (self.subject(), self.text().as_str().into());
        let refused =
            gather((0..self.number()).map(|_| (self.number(), RefusalCode::from(self.text().as_str()))));
        let rooms = gather((0..self.number()).map(|_| self.place()));
        let denied = gather((0..self.number()).map(|_| (self.subject(), self.text().into())));
        let many = self.number();
        let lost = first.map(|first| Loss { subjects: self.subjects(many), first });
        Welcome {
            identity,
            producing,
            born,
            mark,
            refused,
            credit,
            epoch,
            position,
            rooms,
            denied,
            lost,
            durable,
            heartbeat,
            window,
            limits,
            expires,
            time,
            features: Vec::new(),
        }
    }

    fn place(&mut self) -> Place {
        let (from, subject, grant) = (self.number(), self.subject(), self.text());
        let grant = (!grant.is_empty()).then(|| Secret::from(grant.as_str()));
        Place { subject, from, grant }
    }
}
