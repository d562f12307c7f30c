//! Reading certificates: from a file, and from a server's handshake.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::super::words::file_error;
use super::End;
use crate::blocking::Blocking;

/// Largest file that is read: a bundle of hundreds.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Of the certificates in a PEM file the one that ends first.
///
/// # Errors
/// In words.
pub(super) async fn file(blocking: &Blocking, file: &Path) -> Result<End, String> {
    let file = file.to_owned();
    let hangs = || Err("the kernel has not answered the last look yet".to_owned());
    blocking.run(move || in_file(&file)).await.unwrap_or_else(hangs)
}

fn in_file(file: &Path) -> Result<End, String> {
    let unreadable = |error| format!("it cannot be read: {}", file_error(&error));
    if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(format!("it is larger than {MAX_FILE_BYTES} bytes"));
    }
    let text = std::fs::read(file).map_err(unreadable)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let broken = |error| format!("it is no PEM file: {error}");
    first_to_end(&certificates.map_err(broken)?)
}

/// Of the certificates that a server shows the one that ends first.
///
/// # Errors
/// In words.
pub(super) async fn server(host: &str, port: u16, limit: Duration) -> Result<End, String> {
    let handshake = tokio::time::timeout(limit, handshake(host, port)).await;
    first_to_end(&handshake.map_err(|_| format!("no handshake within {limit:?}"))??)
}

async fn handshake(host: &str, port: u16) -> Result<Vec<CertificateDer<'static>>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let socket = TcpStream::connect((host, port)).await;
    let socket = socket.map_err(|error| format!("it cannot be reached: {error}"))?;
    let session = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
    let session = session.map_err(|error| format!("the TLS handshake failed: {error}"))?;
    let shown = session.get_ref().1.peer_certificates().unwrap_or_default();
    Ok(shown.iter().map(|certificate| certificate.clone().into_owned()).collect())
}

fn first_to_end(certificates: &[CertificateDer<'_>]) -> Result<End, String> {
    let mut ends = Vec::with_capacity(certificates.len());
    for certificate in certificates {
        let broken = |error| format!("a certificate cannot be read: {error}");
        let read = Certificate::from_der(certificate).map_err(broken)?;
        let read = read.tbs_certificate();
        let at = read.validity().not_after.to_unix_duration().as_secs_f64();
        ends.push(End { at, subject: read.subject().to_string() });
    }
    let first = ends.into_iter().min_by(|a, b| a.at.total_cmp(&b.at));
    first.ok_or_else(|| "there is no certificate".to_owned())
}

/// Takes every certificate, because it is only looked at: nothing is ever sent over the connection.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
