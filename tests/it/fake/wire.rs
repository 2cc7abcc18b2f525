//! The service's connection, and what goes wrong there.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::http::response::Parts;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::service::S3Service;
use tokio::net::TcpListener;

/// Has the next requests that it is about go wrong, so many of them.
pub struct Fault {
    /// What their line, `PUT /bucket/key?query`, has in it: each of these.
    pub about: Vec<&'static str>,
    pub times: usize,
    pub act: Act,
}

#[derive(Debug, Clone)]
pub enum Act {
    /// Nothing is done, and this is answered.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: &'static str },
    /// Nothing is done, and the connection breaks.
    Break,
    /// It is done, and the connection breaks before the answer.
    LoseAnswer,
    /// The answer breaks after so many bytes of its body.
    Cut(usize),
    /// The answer stands still after so many bytes of its body, for ever.
    StandStill(usize),
    /// The answer pauses after so many bytes of its body.
    Hesitate(usize, Duration),
    /// One bit of the answer's body is another.
    Flip,
    /// One bit of the request's body is another.
    FlipRequest,
    /// The answer's body ends after so many bytes, and its head says that it does.
    Shorten(usize),
    /// The request's body is read slowly: its first MiBs at four a second.
    Crawl,
    /// It is done, but the answer takes a while.
    Slow,
    /// No answer ever comes, and nothing is read.
    Silence,
}

/// Lets requests in.
#[async_trait::async_trait]
pub trait Porter: Send + Sync {
    /// Waits until a request may be served; says whether it ever may.
    async fn admit(&self, who: &str, line: &str) -> bool;

    /// Is told of each request that was served, before the answer goes out.
    fn served(&self, who: &str, line: &str, answer: &Parts, body: &[u8]);
}

pub struct Wire {
    service: S3Service,
    pub porter: Mutex<Option<Arc<dyn Porter>>>,
    faults: Mutex<Vec<Fault>>,
    pub requests: Mutex<Vec<String>>,
    pub heard: Mutex<Vec<(String, HeaderMap)>>,
    /// How many connections are open.
    pub connections: AtomicUsize,
}

impl Wire {
    pub fn new(service: S3Service) -> Self {
        let porter = Mutex::default();
        Self {
            service,
            porter,
            faults: Mutex::default(),
            requests: Mutex::default(),
            heard: Mutex::default(),
            connections: AtomicUsize::default(),
        }
    }

    pub fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, line: &str) -> Option<Act> {
        let mut faults = self.faults();
        let about = |fault: &&mut Fault| fault.times > 0 && fault.about.iter().all(|word| line.contains(word));
        let fault = faults.iter_mut().find(about)?;
        fault.times -= 1;
        Some(fault.act.clone())
    }

    async fn answer_behind(
        &self,
        porter: &dyn Porter,
        line: &str,
        request: Request<Incoming>,
    ) -> io::Result<Response<Body>> {
        let who = signer(&request);
        if !porter.admit(&who, line).await {
            return Err(broken());
        }
        let response = self.service.call(request.map(Body::from)).await.map_err(|_| broken())?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|_| broken())?.to_bytes();
        porter.served(&who, line, &parts, &bytes);
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let line = format!("{} {}", request.method(), request.uri());
        self.requests.lock().unwrap().push(line.clone());
        self.heard.lock().unwrap().push((line.clone(), request.headers().clone()));
        let porter = self.porter.lock().unwrap().clone();
        if let Some(porter) = porter {
            return self.answer_behind(&*porter, &line, request).await;
        }
        let fault = self.fault(&line);
        match &fault {
            Some(Act::Break) => return Err(broken()),
            Some(Act::Silence) => return std::future::pending().await,
            Some(Act::Answer { status, headers, body }) => {
                drop(request.into_body().collect().await);
                let mut response = Response::builder().status(*status);
                for (name, value) in headers {
                    response = response.header(*name, value);
                }
                return Ok(response.body(Body::from(Bytes::from_static(body.as_bytes()))).unwrap());
            }
            _ => {}
        }
        let request = match fault {
            Some(Act::Crawl) => crawl(request).await?,
            Some(Act::FlipRequest) => {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.map_err(|_| broken())?.to_bytes();
                Request::from_parts(parts, Body::from(flipped(&bytes)))
            }
            _ => request.map(Body::from),
        };
        let response = self.service.call(request).await.map_err(|_| broken())?;
        let (mut parts, body) = match fault {
            None | Some(Act::Crawl | Act::FlipRequest) => return Ok(response),
            Some(Act::Slow) => {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                return Ok(response);
            }
            Some(Act::LoseAnswer) => return Err(broken()),
            Some(_) => response.into_parts(),
        };
        let bytes = body.collect().await.map_err(|_| broken())?.to_bytes();
        let frame = |bytes: Bytes| Ok::<_, io::Error>(Frame::data(bytes));
        let body = match fault {
            Some(Act::Cut(at)) => {
                // What was given before goes out while the body is not ready.
                let end = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    Err(broken())
                });
                let pieces = futures::StreamExt::chain(stream::iter([frame(bytes.slice(..at))]), end);
                Body::http_body_unsync(StreamBody::new(pieces))
            }
            Some(Act::Hesitate(at, pause)) => {
                let rest = bytes.slice(at..);
                let rest = stream::once(async move {
                    tokio::time::sleep(pause).await;
                    Ok::<_, io::Error>(Frame::data(rest))
                });
                let pieces = futures::StreamExt::chain(stream::iter([frame(bytes.slice(..at))]), rest);
                Body::http_body_unsync(StreamBody::new(pieces))
            }
            Some(Act::StandStill(at)) => {
                let pieces = futures::StreamExt::chain(stream::iter([frame(bytes.slice(..at))]), stream::pending());
                Body::http_body_unsync(StreamBody::new(pieces))
            }
            Some(Act::Shorten(at)) => {
                parts.headers.remove(CONTENT_LENGTH);
                Body::from(bytes.slice(..at))
            }
            _ => Body::from(flipped(&bytes)),
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// Returns the access key that a request is signed with.
fn signer(request: &Request<Incoming>) -> String {
    let signed = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = signed.split("Credential=").nth(1).unwrap_or_default();
    key.split('/').next().unwrap_or_default().to_owned()
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.into()
}

/// Reads a request's body without hurry.
async fn crawl(request: Request<Incoming>) -> io::Result<Request<Body>> {
    let (parts, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    let mut pause_at = 0;
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame.map_err(|_| broken())?.into_data().unwrap_or_default());
        if bytes.len() > pause_at && pause_at < 14 << 20 {
            pause_at += 1 << 20;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
    Ok(Request::from_parts(parts, Body::from(Bytes::from(bytes))))
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

pub async fn serve(listener: TcpListener, wire: Arc<Wire>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (wire, ended) = (Arc::clone(&wire), Arc::clone(&wire));
        wire.connections.fetch_add(1, Ordering::SeqCst);
        let answer = service_fn(move |request| {
            let wire = Arc::clone(&wire);
            async move { wire.answer(request).await }
        });
        // A connection that breaks is what some tests want.
        connections.spawn(async move {
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
            ended.connections.fetch_sub(1, Ordering::SeqCst);
        });
    }
}
