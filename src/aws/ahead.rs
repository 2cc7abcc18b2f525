//! Connections that are opened before the requests come that need them: a new one costs two or three round trips, an idle one none.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use aws_smithy_http_client::pool::{ConnectionPool, OriginKey, PartitionConnectionStats};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use tokio::sync::Mutex;

use super::connection::ALL;

/// How many connections are opened ahead at most, whatever is expected. Further ones are opened when they are needed.
const MOST: usize = 64;

/// How long to wait before another look at the connections.
const MOMENT: Duration = Duration::from_millis(1);

/// How often to look for the moment at which a connection can be opened ahead.
const LOOKS: usize = 50;

/// Lets one open connections at a time, who counts those of all before.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<()>);

/// Says where requests go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pool: ConnectionPool,
    connector: SharedHttpConnector,
    /// The URL of the service, without a path.
    service: String,
}

impl Target {
    pub(super) fn new(pool: ConnectionPool, connector: SharedHttpConnector, url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        Self { pool, connector, service: format!("{scheme}://{host}/") }
    }

    fn request(&self) -> Option<HttpRequest> {
        HttpRequest::get(self.service.as_str()).ok()
    }

    fn origin(&self) -> Option<OriginKey> {
        OriginKey::from_uri(self.request()?.try_into_http1x().ok()?.uri()).ok()
    }

    /// Begins to make a connection, as for a request, and returns what stands for that request: nothing of it was sent so far.
    fn begin(&self) -> Option<Pin<Box<HttpConnectorFuture>>> {
        let mut waiting = Box::pin(self.connector.call(self.request()?));
        let begun = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
        begun.then_some(waiting)
    }
}

/// Opens as many connections as are missing for so many requests at once.
///
/// The SDK's pool makes connections for requests only, but once it has begun to make one, it makes an end of it, whatever becomes of the
/// request. So one is begun for each connection and given up before it is sent. That can be done only while no connection is idle: it
/// would be sent at once. A wide window begins with just that.
pub(super) async fn open(turn: Arc<Turn>, target: Target, requests: usize) {
    let (wanted, Some(origin)) = (requests.min(MOST), target.origin()) else { return };
    let _turn = turn.0.lock().await;
    let mut begun = Vec::new();
    for _ in 0..LOOKS {
        // What is asked at this moment opens its own connections first.
        tokio::time::sleep(MOMENT).await;
        let Some(now) = target.pool.partition_stats(ALL, &origin) else { return };
        // One connection of HTTP/2 carries all requests.
        if made(&now) >= wanted || now.h2().accepting() > 0 {
            return;
        }
        if begun.is_empty() && now.h1().idle() == 0 {
            let missing = wanted.saturating_sub(made(&now).max(now.h1().active() + now.pending_acquisitions()));
            begun.extend((0..missing).filter_map(|_| target.begin()));
        }
    }
}

/// Returns how many connections there are, or are being made.
fn made(now: &PartitionConnectionStats) -> usize {
    now.physically_live_connections() + now.establishing_connections()
}
