//! How requests travel: straight or by a proxy, and whose certificates are trusted on the way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_http_client::pool::{Client, ConnectionPool, DriverSpawner, Partition, PartitionId};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::runtime::Handle;

use super::ahead::{self, Target, Turn};
use super::proxies::{Exceptions, Proxies, Proxy};

/// Chooses for each request whether it goes straight or by a proxy. The SDK's own client knows one proxy for all, or reads other
/// variables than the AWS CLI does, and passes in silence over what is no URL.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    direct: Way,
    /// The way of `http` requests, where it is another one, and what it is called.
    http: Option<(Way, String)>,
    /// The way of `https` requests, likewise.
    https: Option<(Way, String)>,
    exceptions: Exceptions,
    /// Where the last request went.
    last: Arc<Mutex<Option<Target>>>,
    /// Whose turn it is to open connections ahead.
    turn: Arc<Turn>,
}

/// Holds the connections that are made in one way.
#[derive(Debug, Clone)]
struct Way {
    pool: ConnectionPool,
    client: SharedHttpClient,
}

impl Connections {
    pub(super) fn new(proxies: Proxies, trusted: Option<TrustStore>) -> Self {
        let trusted = trusted.unwrap_or_default();
        let by = |proxy: Proxy| (Way::by(&trusted, proxy.config), proxy.name);
        Self {
            direct: Way::by(&trusted, ProxyConfig::disabled()),
            http: proxies.http.map(by),
            https: proxies.https.map(by),
            exceptions: proxies.exceptions,
            last: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Returns the client that uses no proxy.
    pub(super) fn direct(&self) -> SharedHttpClient {
        self.direct.client.clone()
    }

    /// Returns what the proxy is called that requests for a URL go by, if they go by one.
    pub(super) fn proxy(&self, url: &str) -> Option<&str> {
        let proxied = if is_https(url) { &self.https } else { &self.http };
        proxied.as_ref().filter(|_| !self.exceptions.has(url)).map(|(_, name)| name.as_str())
    }

    /// Opens connections for requests that will come at once before long, to where the last one went.
    pub(super) fn expect(&self, requests: usize) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(target), Ok(runtime)) = (last, Handle::try_current()) {
            drop(runtime.spawn(ahead::open(Arc::clone(&self.turn), target, requests)));
        }
    }
}

/// The one part that a pool has.
pub(super) const ALL: PartitionId = PartitionId::from_index(0);

/// Runs what sees to a connection. Where the runtime ends, nobody needs the connection any more.
fn run(work: Pin<Box<dyn Future<Output = ()> + Send>>) {
    if let Ok(runtime) = Handle::try_current() {
        drop(runtime.spawn(work));
    }
}

fn is_https(url: &str) -> bool {
    url.starts_with("https:")
}

impl Way {
    fn by(trusted: &TrustStore, proxy: ProxyConfig) -> Self {
        let context = TlsContext::builder().with_trust_store(trusted.clone()).build();
        let context = context.expect("because a context without names of servers is always one");
        let pool = ConnectionPool::builder()
            .partitions([Partition::new(ALL, DriverSpawner::from_fn(run))])
            .proxy_config(proxy)
            .tls_provider(Provider::rustls(CryptoMode::AwsLc))
            .tls_context(context)
            .build_https()
            .expect("because nothing is set that could be wrong");
        let client = Client::from_partition(&pool, ALL).expect("because the pool has this part");
        Self { pool, client: SharedHttpClient::new(client) }
    }
}

impl HttpClient for Connections {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let lane =
            |way: &Way| Lane { pool: way.pool.clone(), connector: way.client.http_connector(settings, components) };
        SharedHttpConnector::new(Switch {
            direct: lane(&self.direct),
            http: self.http.as_ref().map(|(way, _)| lane(way)),
            https: self.https.as_ref().map(|(way, _)| lane(way)),
            exceptions: self.exceptions.clone(),
            last: Arc::clone(&self.last),
        })
    }
}

/// Holds the ways of one kind of request.
#[derive(Debug)]
struct Switch {
    direct: Lane,
    http: Option<Lane>,
    https: Option<Lane>,
    exceptions: Exceptions,
    last: Arc<Mutex<Option<Target>>>,
}

/// Holds what carries one kind of request in one way.
#[derive(Debug)]
struct Lane {
    pool: ConnectionPool,
    connector: SharedHttpConnector,
}

impl HttpConnector for Switch {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let proxied = if is_https(request.uri()) { &self.https } else { &self.http };
        let proxied = proxied.as_ref().filter(|_| !self.exceptions.has(request.uri()));
        let Lane { pool, connector } = proxied.unwrap_or(&self.direct);
        let target = Target::new(pool.clone(), connector.clone(), request.uri());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        connector.call(request)
    }
}
