//! The authorities whose certificates are trusted, where they are not the system's.

use std::path::Path;

use aws_smithy_http_client::tls::TrustStore;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Reads a file of certificates, which replace the system's. All of it is read here already, since the SDK's client would end the
/// process over what it cannot read.
pub(super) fn read(file: &Path) -> Result<TrustStore, String> {
    let text = std::fs::read(file).map_err(|error| format!("the file cannot be read ({error})"))?;
    let mut roots = RootCertStore::empty();
    for (certificate, number) in CertificateDer::pem_slice_iter(&text).zip(1..) {
        let wrong = |error: &dyn std::error::Error| format!("its certificate {number} is none ({error})");
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(
            "there is no certificate in it, in the form that begins with -----BEGIN CERTIFICATE-----".to_owned()
        );
    }
    Ok(TrustStore::empty().with_pem_certificate(text))
}
