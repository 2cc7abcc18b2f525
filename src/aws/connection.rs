//! How requests travel: straight or by a proxy, and whose certificates are trusted on the way.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::proxies::{Exceptions, Proxies, Proxy};

/// Chooses for each request whether it goes straight or by a proxy. The SDK's own client knows one proxy for all, or reads other
/// variables than the AWS CLI does, and passes in silence over what is no URL.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    direct: SharedHttpClient,
    /// The way of `http` requests, where it is another one, and what it is called.
    http: Option<(SharedHttpClient, String)>,
    /// The way of `https` requests, likewise.
    https: Option<(SharedHttpClient, String)>,
    exceptions: Exceptions,
}

impl Connections {
    pub(super) fn new(proxies: Proxies, trusted: Option<TrustStore>) -> Self {
        let trusted = trusted.unwrap_or_default();
        let by = |proxy: Proxy| (client(&trusted, proxy.config), proxy.name);
        Self {
            direct: client(&trusted, ProxyConfig::disabled()),
            http: proxies.http.map(by),
            https: proxies.https.map(by),
            exceptions: proxies.exceptions,
        }
    }

    /// Returns the client that uses no proxy.
    pub(super) fn direct(&self) -> SharedHttpClient {
        self.direct.clone()
    }

    /// Returns what the proxy is called that requests for a URL go by, if they go by one.
    pub(super) fn proxy(&self, url: &str) -> Option<&str> {
        let proxied = if is_https(url) { &self.https } else { &self.http };
        proxied.as_ref().filter(|_| !self.exceptions.has(url)).map(|(_, name)| name.as_str())
    }
}

fn is_https(url: &str) -> bool {
    url.starts_with("https:")
}

fn client(trusted: &TrustStore, proxy: ProxyConfig) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(trusted.clone()).build();
    let context = context.expect("because a context without names of servers is always one");
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .proxy_config(proxy.clone())
            .tls_provider(Provider::rustls(CryptoMode::AwsLc))
            .tls_context(context.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

impl HttpClient for Connections {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        SharedHttpConnector::new(Switch {
            direct: connector(&self.direct),
            http: self.http.as_ref().map(|(client, _)| connector(client)),
            https: self.https.as_ref().map(|(client, _)| connector(client)),
            exceptions: self.exceptions.clone(),
        })
    }
}

/// Holds the ways of one kind of request.
#[derive(Debug)]
struct Switch {
    direct: SharedHttpConnector,
    http: Option<SharedHttpConnector>,
    https: Option<SharedHttpConnector>,
    exceptions: Exceptions,
}

impl HttpConnector for Switch {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let proxied = if is_https(request.uri()) { &self.https } else { &self.http };
        let proxied = proxied.as_ref().filter(|_| !self.exceptions.has(request.uri()));
        proxied.unwrap_or(&self.direct).call(request)
    }
}
