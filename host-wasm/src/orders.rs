//! Orders as arrays: a number that says which, and what belongs to it.

use everwire_core::frame::Form;
use everwire_host::{Access, Kind, Order, Payload};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;

macro_rules! array {
    ($($value:expr),* $(,)?) => {{
        let array = Array::new();
        $(array.push(&JsValue::from($value));)*
        array
    }};
}

/// `contract.ts` of the facade has the same table.
pub(crate) fn told(order: Order) -> Array {
    match order {
        Order::Write { link, form, octets } => {
            array![0, link.0 as f64, form == Form::Binary, Uint8Array::from(octets.as_slice())]
        }
        Order::Reading { link, on } => array![1, link.0 as f64, on],
        Order::Close { link, code, reason, lingers } => array![2, link.0 as f64, code, &*reason, lingers],
        Order::Authenticate { link, id, token, renewal } => {
            let token = token.map_or(JsValue::NULL, |token| token.reveal().into());
            array![3, link.0 as f64, id.0 as f64, token, renewal]
        }
        Order::Authorise { link, id, identity, rooms } => {
            let asked = Array::new();
            for (room, access) in &rooms {
                let pair = array![room.as_str(), *access == Access::Page];
                asked.push(&pair);
            }
            array![4, link.0 as f64, id.0 as f64, identity.as_str(), asked]
        }
        Order::Examine { link, id, identity, kind, subject, message } => {
            let kind = match kind {
                Kind::Message => "message",
                Kind::Request => "request",
                Kind::Cast => "cast",
            };
            let subject = subject.map_or(JsValue::NULL, |subject| subject.as_str().into());
            let (envelope, content) = parts(&message);
            array![5, link.0 as f64, id.0 as f64, identity.as_str(), kind, subject, envelope, content]
        }
        Order::Run { run, identity, request } => {
            let (envelope, content) = parts(&request);
            array![6, run.0 as f64, identity.as_str(), envelope, content]
        }
        Order::Draw => array![7],
        // Carried out before they come here.
        Order::Call { .. } | Order::Welcomed { .. } | Order::Forget { .. } | Order::Visible { .. } => {
            array![-1]
        }
    }
}

/// The envelope as JSON, and the octets of a binary message.
fn parts(message: &Payload) -> (JsValue, JsValue) {
    let content = message.content().map_or(JsValue::UNDEFINED, |octets| Uint8Array::from(octets).into());
    (message.envelope().into(), content)
}
