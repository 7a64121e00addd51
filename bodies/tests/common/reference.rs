//! The rules of chapter 3 told by another parser: what serde_json reads, held against them. Slower, and with nothing in
//! common with the crate.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A value in which no name stands twice, no surrogate is alone, every number is finite and nothing lies deeper than 64.
#[derive(Debug)]
enum Seen {
    Null,
    True,
    Text(String),
    Map(BTreeMap<String, Seen>),
    Other,
}

struct Level(usize);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Level {
    fn within<E: Error>(&self) -> Result<(), E> {
        if self.0 <= 64 { Ok(()) } else { Err(E::custom("nesting")) }
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Seen, E> {
        Ok(if value { Seen::True } else { Seen::Other })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        Ok(Seen::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Seen, A::Error> {
        self.within()?;
        while seq.next_element_seed(Level(self.0 + 1))?.is_some() {}
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        self.within()?;
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Level(self.0 + 1))?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("repeated"));
            }
        }
        Ok(Seen::Map(members))
    }
}

/// The elements of an array body, if it is one.
pub fn elements(body: &[u8]) -> Option<Vec<String>> {
    let elements: Vec<Box<RawValue>> = serde_json::from_slice(body).ok()?;
    Some(elements.into_iter().map(|element| element.get().to_owned()).collect())
}

/// What a node must know of an acceptable element: type, receiver, sender, id, and whether it is a request.
pub type Facts = (String, Option<String>, Option<String>, Option<String>, bool);

/// `None`: it is to be refused.
pub fn facts(element: &str) -> Option<Facts> {
    let mut deserializer = serde_json::Deserializer::from_str(element);
    let Seen::Map(mut members) = Level(1).deserialize(&mut deserializer).ok()? else { return None };
    deserializer.end().ok()?;
    let request = matches!(members.get("meta"), Some(Seen::Map(meta)) if matches!(meta.get("request"), Some(Seen::True)));
    let mut text = |name| match members.remove(name) {
        Some(Seen::Text(text)) => Ok(text),
        Some(Seen::Null) | None => Err(true),
        Some(_) => Err(false),
    };
    let kind = text("type").ok()?;
    let receiver = match text("receiver") {
        Ok(receiver) => {
            let control = |c: char| matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}');
            let subject = !receiver.is_empty() && receiver.len() <= 128 && !receiver.contains(control);
            if !subject && !request {
                return None;
            }
            Some(receiver)
        }
        Err(true) => None,
        Err(false) => return None,
    };
    Some((kind, receiver, text("sender").ok(), text("id").ok(), request))
}
