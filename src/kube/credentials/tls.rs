//! Certificates and keys as bytes in, a TLS configuration that ureq accepts out.
//!
//! ureq panics when a client key does not match its certificate and ignores CA certificates that it cannot parse, so
//! everything is tried with rustls first and refused with a reason.

use std::sync::{Arc, Once};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use super::{Error, certificate};

/// A client certificate chain and its key, both PEM, with where they are from.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// What is to be read in a message about them.
    pub origin: String,
    /// The certificate, perhaps with intermediates.
    pub certificates: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

/// What TLS needs, before it is parsed. Two that are equal make the same connection.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsMaterial {
    /// Where the CA is from, and its PEM; `None`: the system's.
    pub ca: Option<(String, Vec<u8>)>,
    /// Who we are, when by certificate.
    pub identity: Option<Identity>,
    /// Whether the server's certificate is not checked.
    pub insecure: bool,
}

/// The only provider of cryptography here.
pub(in crate::kube) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl TlsMaterial {
    /// Parses and checks everything.
    ///
    /// # Errors
    /// A certificate or key cannot be parsed, or they do not belong together.
    pub fn config(&self) -> Result<TlsConfig, Error> {
        let roots = match &self.ca {
            _ if self.insecure => Vec::new(),
            Some((origin, pem)) => {
                let roots = certificates(origin, pem)?;
                for root in &roots {
                    let parsed = RootCertStore::empty().add(root.clone());
                    parsed.map_err(|error| Error::Certificate(origin.clone(), error))?;
                }
                roots
            }
            None => system_roots(),
        };
        let own = |der: &CertificateDer<'_>| Certificate::from_der(der).to_owned();
        let roots: Vec<_> = roots.iter().map(own).collect();
        let client = match &self.identity {
            None => None,
            Some(identity) => {
                let chain: Vec<_> = identity.parse()?.iter().map(own).collect();
                let key =
                    PrivateKey::from_pem(&identity.key).map_err(|error| Error::Key(identity.origin.clone(), error))?;
                Some(ClientCert::new_with_certs(&chain, key))
            }
        };
        Ok(TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider())
            .root_certs(RootCerts::new_with_certs(&roots))
            .client_cert(client)
            .disable_verification(self.insecure)
            .build())
    }
}

impl Identity {
    /// Warns when the certificate ran out: rustls sends it all the same, and the server only says that it is bad.
    pub(super) fn warn_if_expired(&self) {
        let leaf = CertificateDer::pem_slice_iter(&self.certificates).flatten().next();
        if let Some(day) = leaf.and_then(|leaf| expired(&leaf)) {
            log::warn!(
                "{}: the client certificate ran out on {day}; the API server will refuse it until it is renewed",
                self.origin
            );
        }
    }

    /// The certificates, when the key belongs to them.
    fn parse(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let chain = certificates(&self.origin, &self.certificates)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| Error::Pem(self.origin.clone(), "private key", error))?;
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_root_certificates(RootCertStore::empty()).with_client_auth_cert(chain.clone(), key)
            })
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => Error::Mismatch(self.origin.clone()),
                error => Error::Certificate(self.origin.clone(), error),
            })?;
        Ok(chain)
    }
}

/// The day on which the certificate ran out, if it did.
pub(super) fn expired(certificate: &[u8]) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let end = certificate::not_after(certificate)?;
    (end < i64::try_from(now).ok()?).then(|| certificate::day(end))
}

fn certificates(origin: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let fail = |error| Error::Pem(origin.to_owned(), "certificate", error);
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(fail)?;
    if found.is_empty() {
        return Err(fail(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// The CAs that the system trusts (`SSL_CERT_FILE` is honoured). None is no error here: then no server is trusted, and
/// the connection says so.
fn system_roots() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        static ONCE: Once = Once::new();
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        ONCE.call_once(|| {
            log::warn!(
                "the kubeconfig has no certificate-authority and the system has no CA certificates: {}",
                errors.join(", ")
            );
        });
    }
    found.certs
}
