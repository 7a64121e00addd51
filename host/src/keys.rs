//! What nodes of one server derive from producers and from their common key.

use core::fmt;
use core::fmt::Write as _;

use everwire_core::engine::{Identity, LogEpoch, Producer, Subject};
use everwire_core::session::Secret;
use everwire_core::session::node::Persona;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Octets of a name or a mark: 128 bits, which nobody guesses and no two producers share.
const NAME_BYTES: usize = 16;

/// The key with which grants are made. All nodes share it, and it lives as long as the log epoch. [NODE-8] [ROOM-9]
#[derive(Clone)]
pub struct Keys {
    grants: Hmac<Sha256>,
}

/// A key may appear in no log line. [SEC-4]
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Keys {
    /// From 32 random octets.
    pub fn new(key: &[u8; 32]) -> Self {
        let grants = match Hmac::<Sha256>::new_from_slice(key) {
            Ok(mac) => mac,
            // HMAC takes keys of every length.
            Err(_) => Hmac::<Sha256>::new(&Default::default()),
        };
        Self { grants }
    }

    /// What lets a `hello` claim this `from`, or a higher one. [ROOM-9]
    pub fn grant(&self, epoch: &LogEpoch, identity: &Subject, room: &Subject, from: u64) -> Secret {
        let mark = self.mark(epoch, identity, room, from).finalize().into_bytes();
        Secret::from(format!("{from}.{}", hex(&mark)).as_str())
    }

    /// Whether a grant lets this identity claim this `from`. [ROOM-10]
    pub fn holds(
        &self,
        grant: &Secret,
        epoch: &LogEpoch,
        identity: &Subject,
        room: &Subject,
        from: u64,
    ) -> bool {
        let Some((least, mark)) = grant.reveal().split_once('.') else { return false };
        let (Ok(least), Some(mark)) = (least.parse::<u64>(), unhex(mark)) else { return false };
        least <= from && self.mark(epoch, identity, room, least).verify_truncated_left(&mark).is_ok()
    }

    fn mark(&self, epoch: &LogEpoch, identity: &Subject, room: &Subject, from: u64) -> Hmac<Sha256> {
        let mut mac = self.grants.clone();
        for part in [epoch.as_str(), identity.as_str(), room.as_str()] {
            // With its length, or two of them could share out their octets otherwise.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&from.to_be_bytes());
        mac
    }
}

/// Who somebody with a credential is under this producer. [REQ-4]
pub(crate) fn named(identity: &str, producer: &Producer) -> Persona {
    Persona { identity: Identity::named(identity), inbox: inbox(producer) }
}

/// Who somebody without one is. [SEC-2]
pub(crate) fn anonymous(producer: &Producer) -> Persona {
    let name = format!("anon_{}", digest("everwire.v1 identity", producer));
    Persona { identity: Identity::anonymous(&name), inbox: inbox(producer) }
}

pub(crate) fn inbox(producer: &Producer) -> Subject {
    format!("_{}", digest("everwire.v1 inbox", producer)).as_str().into()
}

fn digest(label: &str, producer: &Producer) -> String {
    hex(&Sha256::new().chain_update(label).chain_update(producer.0).finalize())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().take(NAME_BYTES).fold(String::with_capacity(2 * NAME_BYTES), |mut text, octet| {
        // Nothing can fail in writing to a string.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; NAME_BYTES]> {
    let mut octets = [0; NAME_BYTES];
    let pairs = text.as_bytes().chunks(2);
    if text.len() != 2 * NAME_BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(pairs) {
        *octet = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(name: &str) -> LogEpoch {
        name.into()
    }

    /// [ROOM-9] [ROOM-10]
    #[test]
    fn a_grant_binds_identity_room_from_and_epoch() {
        let keys = Keys::new(&[7; 32]);
        let (ann, room) = (Subject::from("user_ann"), Subject::from("room"));
        let given = keys.grant(&epoch("e"), &ann, &room, 12);
        let holds = |keys: &Keys, grant: &Secret, log: &str, who: &str, what: &str, from| {
            keys.holds(grant, &epoch(log), &who.into(), &what.into(), from)
        };
        assert!(holds(&keys, &given, "e", "user_ann", "room", 12));
        assert!(holds(&keys, &given, "e", "user_ann", "room", 13), "and every higher one");
        assert!(!holds(&keys, &given, "e", "user_ann", "room", 11));
        assert!(!holds(&keys, &given, "f", "user_ann", "room", 12));
        assert!(!holds(&keys, &given, "e", "user_bob", "room", 12));
        assert!(!holds(&keys, &given, "e", "user_annr", "oom", 12));
        assert!(!holds(&Keys::new(&[8; 32]), &given, "e", "user_ann", "room", 12));
        let (_, mark) = given.reveal().split_once('.').unwrap();
        for forged in [
            format!("11.{mark}"),
            format!("12.{}", &mark[..30]),
            format!("12.{}00", &mark[..30]),
            "12.".into(),
            "".into(),
        ] {
            assert!(!holds(&keys, &Secret::from(&*forged), "e", "user_ann", "room", 12), "{forged}");
        }
    }

    /// [REQ-4] [SEC-2]
    #[test]
    fn neither_name_of_a_producer_follows_from_the_other() {
        let (one, other) = (Producer([1; 16]), Producer([2; 16]));
        let names = [&one, &other].map(|producer| {
            let persona = anonymous(producer);
            assert!(persona.identity.anonymous && persona.inbox == named("user_a", producer).inbox);
            [persona.identity.name.split_at(5).1.to_owned(), persona.inbox.as_str().split_at(1).1.to_owned()]
        });
        let all: std::collections::BTreeSet<_> = names.iter().flatten().collect();
        assert_eq!(all.len(), 4);
    }

    /// [SEC-4]
    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", Keys::new(&[7; 32])), "[redacted]");
    }
}
