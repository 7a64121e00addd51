//! What an application tells a server: who somebody is, what he may, and what becomes of a message.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use everwire_core::engine::Subject;
use everwire_core::session::Secret;
use everwire_core::session::node::NotAuthenticated;
use everwire_host::{Access, Kind, Payload, Permit, Reply, Verdict, Who};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub(crate) type Answered<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Hook<I, O> = Arc<dyn Fn(I) -> Answered<O> + Send + Sync>;

/// A hook has failed, as opposed to refused: the client comes back and is asked about again.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the hook has failed")]
pub struct HookFailed;

/// Somebody who says who he is.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The token, as the client's `token` option gave it. Its `Debug` is redacted; [`Secret::reveal`] shows it.
    pub token: Option<Secret>,
    /// From where, if the listener says so.
    pub address: Option<IpAddr>,
    /// Whether it renews the credential of a living link.
    pub renewal: bool,
}

/// Somebody who would join a room, or page it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who.
    pub identity: String,
    /// Which room.
    pub room: String,
    /// What for.
    pub access: Access,
}

/// A message that somebody sends.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who.
    pub sender: String,
    /// Where to: a room or an identity. `None` for a request, and where the message does not say.
    pub receiver: Option<String>,
    /// What it is.
    pub kind: Kind,
    payload: Payload,
}

/// A question that somebody asks of the server.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who.
    pub sender: String,
    payload: Payload,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

fn read<T: DeserializeOwned>(payload: &Payload) -> Result<T, serde_json::Error> {
    let envelope: Envelope<'_> = serde_json::from_str(payload.envelope())?;
    serde_json::from_str(envelope.content.map_or("null", RawValue::get))
}

fn kind(payload: &Payload) -> String {
    serde_json::from_str(payload.envelope())
        .map(|envelope: Envelope<'_>| envelope.kind.into_owned())
        .unwrap_or_default()
}

impl Message {
    pub(crate) fn new(sender: &Subject, receiver: Option<&Subject>, kind: Kind, payload: Payload) -> Self {
        let receiver = receiver.map(|subject| subject.as_str().to_owned());
        Self { sender: sender.as_str().to_owned(), receiver, kind, payload }
    }

    /// The type of the envelope.
    pub fn message_type(&self) -> String {
        kind(&self.payload)
    }

    /// The content of the envelope, `null` if there is none.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn content<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        read(&self.payload)
    }

    /// The whole envelope as JSON, of a binary message without its content.
    pub fn envelope(&self) -> &str {
        self.payload.envelope()
    }

    /// The content of a binary message.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.payload.content()
    }
}

impl Request {
    pub(crate) fn new(sender: &Subject, payload: Payload) -> Self {
        Self { sender: sender.as_str().to_owned(), payload }
    }

    /// The content of a binary request.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.payload.content()
    }

    /// The type of the envelope, by which its handler was found.
    pub fn message_type(&self) -> String {
        kind(&self.payload)
    }

    /// The content of the envelope, `null` if there is none.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn content<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        read(&self.payload)
    }
}

/// A handler has failed: the client's `request` is rejected with this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RequestFailed {
    /// Lower-case letters, digits and hyphens, 32 at most; anything else becomes `failed`.
    pub code: String,
    /// For people.
    pub message: String,
}

impl RequestFailed {
    /// With a code and a text.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl From<serde_json::Error> for RequestFailed {
    fn from(error: serde_json::Error) -> Self {
        Self::new("malformed", error.to_string())
    }
}

/// The hooks of an application. Without any, everybody is refused.
#[derive(Clone, Default)]
pub struct Application {
    authenticate: Option<Hook<Credential, Result<Who, NotAuthenticated>>>,
    authorise: Option<Hook<Entry, Result<Permit, HookFailed>>>,
    on_message: Option<Hook<Message, Verdict>>,
    handlers: BTreeMap<String, Hook<Request, Result<String, RequestFailed>>>,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("handlers", &self.handlers.keys()).finish_non_exhaustive()
    }
}

impl Application {
    /// Without hooks: nobody is let in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everybody without a token gets in, under an identity derived from his producer; a token is refused.
    #[must_use]
    pub fn anonymous(self) -> Self {
        self.authenticate(|credential: Credential| async move {
            if credential.token.is_none() { Ok(Who::Anonymous) } else { Err(NotAuthenticated::Refused) }
        })
    }

    /// Who somebody is. It may take 10 s, like every hook.
    #[must_use]
    pub fn authenticate<F, A>(mut self, hook: F) -> Self
    where
        F: Fn(Credential) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Who, NotAuthenticated>> + Send + 'static,
    {
        self.authenticate = Some(Arc::new(move |input| Box::pin(hook(input))));
        self
    }

    /// What an identity may do with a room; without this hook, everybody may everything. It is asked again at every
    /// reconnection.
    #[must_use]
    pub fn authorize<F, A>(mut self, hook: F) -> Self
    where
        F: Fn(Entry) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Permit, HookFailed>> + Send + 'static,
    {
        self.authorise = Some(Arc::new(move |input| Box::pin(hook(input))));
        self
    }

    /// What becomes of a message, a request or a cast; without this hook all pass. It runs before the message is stored,
    /// at least once for each: after a reconnection perhaps again.
    #[must_use]
    pub fn on_message<F, A>(mut self, hook: F) -> Self
    where
        F: Fn(Message) -> A + Send + Sync + 'static,
        A: Future<Output = Verdict> + Send + 'static,
    {
        self.on_message = Some(Arc::new(move |input| Box::pin(hook(input))));
        self
    }

    /// Who answers requests of a type. It runs at most once for each; what it gives is the answer's content.
    #[must_use]
    pub fn handle<F, A, T>(mut self, message_type: &str, handler: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Result<T, RequestFailed>> + Send + 'static,
        T: serde::Serialize,
    {
        let handler: Hook<_, _> = Arc::new(move |input| {
            let answer = handler(input);
            Box::pin(async move { Ok(serde_json::to_string(&answer.await?)?) })
        });
        self.handlers.insert(message_type.to_owned(), handler);
        self
    }

    pub(crate) fn examines(&self) -> bool {
        self.on_message.is_some()
    }

    pub(crate) fn authenticated(&self, credential: Credential) -> Answered<Result<Who, NotAuthenticated>> {
        match &self.authenticate {
            Some(hook) => hook(credential),
            None => Box::pin(async { Err(NotAuthenticated::Refused) }),
        }
    }

    pub(crate) fn authorised(
        &self,
        identity: &Subject,
        rooms: Vec<(Subject, Access)>,
    ) -> Answered<Result<Vec<Permit>, HookFailed>> {
        let Some(hook) = &self.authorise else {
            let permits = vec![Permit::ALLOWED; rooms.len()];
            return Box::pin(async { Ok(permits) });
        };
        let (hook, identity) = (hook.clone(), identity.as_str().to_owned());
        Box::pin(async move {
            let mut permits = Vec::with_capacity(rooms.len());
            for (room, access) in rooms {
                let room = room.as_str().to_owned();
                permits.push(hook(Entry { identity: identity.clone(), room, access }).await?);
            }
            Ok(permits)
        })
    }

    pub(crate) fn examined(&self, message: Message) -> Answered<Verdict> {
        match &self.on_message {
            Some(hook) => hook(message),
            None => Box::pin(async { Verdict::Pass }),
        }
    }

    pub(crate) fn ran(&self, request: Request) -> Answered<Reply> {
        let kind = request.message_type();
        let Some(handler) = self.handlers.get(&kind) else {
            let (code, message) = ("unhandled".to_owned(), "nobody handles this type".to_owned());
            return Box::pin(async { Reply::Failed { code, message } });
        };
        let answer = handler(request);
        Box::pin(async move {
            match answer.await {
                Ok(json) => Reply::Content { kind, json },
                Err(RequestFailed { code, message }) => Reply::Failed { code, message },
            }
        })
    }
}
