//! An authority of this machine's own, and a server with a certificate of it before a plain one.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

/// A running server that takes off what TLS put on. It ends when this is dropped.
pub struct Front {
    pub address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Puts a server with a certificate for some names before a plain one.
    pub async fn before(&self, target: &str, names: &[&str]) -> Front {
        self.before_until(target, names, 4096).await
    }

    /// Does so with a certificate that ends with a year.
    pub async fn before_until(&self, target: &str, names: &[&str], year: i32) -> Front {
        let target: SocketAddr = target.split("://").last().unwrap().parse().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    // Whoever does not trust the certificate goes away.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut target = TcpStream::connect(target).await.unwrap();
                    drop(copy_bidirectional(&mut stream, &mut target).await);
                });
            }
        });
        Front { address, server }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}
