//! The typed message, between Rust values and JSON text.
//!
//! The platform's `JSON` does the text, serde-wasm-bindgen the values. Maps cross as `Map` and become objects by
//! `Object.fromEntries`: written the usual way, `object[key] = value`, a key `__proto__` would replace the prototype.

use std::fmt;

use js_sys::{JSON, JsString, Map, Object};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_wasm_bindgen::preserve;
use wasm_bindgen::prelude::*;

use crate::Error;

#[wasm_bindgen]
extern "C" {
    // Not js-sys's: that one takes a `&str`, and the text of a frame is in JavaScript already.
    #[wasm_bindgen(catch, js_namespace = JSON, js_name = parse)]
    fn parse(text: &JsString) -> Result<JsValue, JsValue>;

    type Fields;
    #[wasm_bindgen(method, getter, structural)]
    fn read(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn delivered(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, indexing_getter)]
    fn field(this: &Fields, name: &str) -> JsValue;
}

/// The type of heartbeats, in both directions. No handler ever gets one.
pub(crate) const HEARTBEAT: &str = "heartbeat";

/// A message as it came in.
///
/// Only the type is certain: of the other fields, what is missing or of another type than expected is `None`, and
/// [`Envelope::raw`] has everything as it came.
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Envelope {
    /// The sender's name for this message.
    #[serde(default, deserialize_with = "lenient")]
    pub id: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who sent it, as the server or the sender says.
    #[serde(default, deserialize_with = "lenient")]
    pub sender: Option<String>,
    /// To whom it is addressed.
    #[serde(default, deserialize_with = "lenient")]
    pub receiver: Option<String>,
    #[serde(default, with = "preserve")]
    content: JsValue,
    /// When it was sent: milliseconds since the epoch.
    #[serde(default, deserialize_with = "lenient")]
    pub timestamp: Option<f64>,
    /// What is known about its fate, and whatever else the two sides agree on.
    #[serde(default)]
    pub meta: Meta,
    #[serde(skip)]
    raw: JsValue,
}

impl Envelope {
    /// The content as a Rust value.
    ///
    /// # Errors
    /// [`Error::Content`] if it is of another shape.
    pub fn content<T: DeserializeOwned>(&self) -> Result<T, Error> {
        from_js(self.content.clone())
    }

    /// The content as it came; `undefined` if there was none.
    pub fn content_js(&self) -> &JsValue {
        &self.content
    }

    /// The whole message as it came.
    pub fn raw(&self) -> &JsValue {
        &self.raw
    }

    /// An envelope is any object with a string `type`.
    pub(crate) fn of(value: &JsValue) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        let mut envelope: Self = serde_wasm_bindgen::from_value(value.clone()).ok()?;
        envelope.raw = value.clone();
        Some(envelope)
    }
}

impl PartialEq for Envelope {
    /// The same message as it came: an envelope and its clones.
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl fmt::Debug for Envelope {
    /// Contents do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("content", &format_args!("[redacted]"))
            .finish_non_exhaustive()
    }
}

/// What is known about the fate of a message; open for more.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Meta {
    /// The receiver has read it.
    pub read: bool,
    /// The receiver has got it.
    pub delivered: bool,
    raw: JsValue,
}

impl Meta {
    /// Any other field of it.
    ///
    /// # Errors
    /// [`Error::Content`] if it is missing or of another shape.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let value = if self.raw.is_object() {
            self.raw.unchecked_ref::<Fields>().field(name)
        } else {
            JsValue::UNDEFINED
        };
        from_js(value)
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meta")
            .field("read", &self.read)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw: JsValue = preserve::deserialize(from)?;
        if !raw.is_object() {
            return Ok(Self { raw, ..Self::default() });
        }
        let fields: &Fields = raw.unchecked_ref();
        let (read, delivered) = (fields.read().is_truthy(), fields.delivered().is_truthy());
        Ok(Self { read, delivered, raw })
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Known {
            read: bool,
            delivered: bool,
        }
        if self.raw.is_object() {
            return preserve::serialize(&self.raw, to);
        }
        Known { read: self.read, delivered: self.delivered }.serialize(to)
    }
}

/// What is not of the expected type counts as missing.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let value: JsValue = preserve::deserialize(from)?;
    Ok(serde_wasm_bindgen::from_value(value).ok())
}

fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, Error> {
    serde_wasm_bindgen::from_value(value).map_err(|error| Error::Content { message: error.to_string() })
}

/// A message on its way out.
#[derive(Serialize)]
pub(crate) struct Outgoing<'a> {
    pub(crate) id: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) sender: Option<&'a str>,
    pub(crate) receiver: Option<&'a str>,
    #[serde(with = "preserve")]
    pub(crate) content: JsValue,
    pub(crate) timestamp: f64,
    pub(crate) meta: Meta,
}

const TO_JS: serde_wasm_bindgen::Serializer =
    serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(true).serialize_bytes_as_arrays(true);

/// A Rust value as content.
pub(crate) fn content<T: Serialize + ?Sized>(value: &T) -> Result<JsValue, Error> {
    value.serialize(&TO_JS).map_err(|error| Error::Content { message: error.to_string() })
}

thread_local! {
    static MAPS_AS_OBJECTS: Closure<dyn Fn(JsValue, JsValue) -> JsValue> = Closure::new(|_key, value: JsValue| {
        match value.dyn_ref::<Map>().map(|map| Object::from_entries(map)) {
            Some(Ok(object)) => object.into(),
            _ => value,
        }
    });
}

impl Outgoing<'_> {
    /// The text of the frame.
    pub(crate) fn to_text(&self) -> Result<JsString, Error> {
        let plain = !self.content.is_object();
        let value = self.serialize(&TO_JS).map_err(|error| Error::Content { message: error.to_string() })?;
        let text = if plain {
            JSON::stringify(&value)
        } else {
            MAPS_AS_OBJECTS
                .with(|replacer| JSON::stringify_with_replacer(&value, replacer.as_ref().unchecked_ref()))
        };
        text.map_err(|error| Error::Content { message: describe(&error) })
    }
}

/// The frame of a heartbeat.
pub(crate) fn heartbeat() -> JsString {
    JsString::from("{\"type\":\"heartbeat\"}")
}

/// Reads the text of a frame.
pub(crate) fn read_text(text: &JsString) -> Option<JsValue> {
    parse(text).ok()
}

/// The kind of an exception, such as `SyntaxError`. Its message may quote what was passed: a url or a token.
pub(crate) fn name_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.name().into(),
        None => String::from("unknown"),
    }
}

/// What an exception says.
pub(crate) fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => error.as_string().unwrap_or_else(|| String::from("unknown")),
    }
}
