//! What whoever started the service may ask of it: at an address of its own, which nobody counts or delays.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::answer::Answered;
use super::rope::Rope;
use super::shelf::Shelf;
use super::tally::Tally;

pub struct Control {
    pub shelf: Arc<Mutex<Shelf>>,
    pub tally: Arc<Tally>,
}

impl Control {
    /// Answers `/counts`, `/log`, `/set?NAME=NUMBER`, `/forget?BEGINNING` and `/seed?BEGINNING=COUNT`.
    pub async fn answer(&self, request: Request<Incoming>) -> Result<Answered, Infallible> {
        let query = request.uri().query().unwrap_or_default();
        let (name, value) = query.split_once('=').unwrap_or((query, "0"));
        let value = value.parse().unwrap_or_default();
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match request.uri().path() {
            "/counts" => self.tally.take(),
            "/log" => self.tally.log(),
            "/set" if self.tally.set(name, value) => String::new(),
            "/forget" => shelf.forget(name).to_string(),
            "/seed" => {
                shelf.seed(name, value);
                String::new()
            }
            "/keys" => shelf.objects.keys().filter(|key| key.starts_with(name)).map(|key| format!("{key}\n")).collect(),
            unknown => format!("what is {unknown}?\n"),
        };
        Ok(Response::new(Rope::from(vec![Bytes::from(text)]).into()))
    }
}
