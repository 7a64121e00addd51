//! Where a wire that is built in Rust has its token from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

type Answer = Pin<Box<dyn Future<Output = Result<String, String>>>>;

/// Where the token comes from.
#[derive(Clone)]
pub(crate) enum Token {
    None,
    Fixed(String),
    Ask(Rc<dyn Fn() -> Answer>),
}

impl Token {
    /// Asked for each time. Of an error its text is kept.
    pub(crate) fn asking<F, E>(ask: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + 'static,
        E: fmt::Display,
    {
        Self::Ask(Rc::new(move || {
            let answer = ask();
            Box::pin(async move { answer.await.map_err(|error| error.to_string()) })
        }))
    }
}
