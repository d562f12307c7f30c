//! Certificates that end soon, in files and shown by a server.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::stack::{Sequencer, Sidecar};
use crate::tls::certificate;
use crate::watch::{FAIL, OK, QUICK, WARN, until};

const EXPIRY: &str = "stateset_sidecar_tls_certificate_expiry_timestamp_seconds";
const CHECK: &str = "tls_certificate";

#[tokio::test]
async fn a_certificate_in_a_file_is_said_before_it_ends_and_good_when_it_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tls.crt");
    certificate(folder.path(), 300);
    let sequencer = Sequencer::start(folder.path(), &[]);
    let sidecar = watching(&sequencer, folder.path(), &file.display().to_string());
    until(&sidecar, CHECK, OK, "CN=test").await;
    certificate(folder.path(), 10);
    until(&sidecar, CHECK, WARN, "days, less than 14 days").await;
    certificate(folder.path(), 1);
    until(&sidecar, CHECK, FAIL, "hours, less than 2 days").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let left = sidecar.sample(EXPIRY).await.unwrap() - now;
    assert!((86_000.0..=86_400.0).contains(&left), "{left}");
    certificate(folder.path(), 300);
    until(&sidecar, CHECK, OK, "is good for 300 days").await;
    std::fs::write(&file, "not a certificate").unwrap();
    until(&sidecar, CHECK, FAIL, "there is no certificate").await;
    std::fs::remove_file(&file).unwrap();
    sidecar.wait_until_absent(EXPIRY).await;
    certificate(folder.path(), 300);
    until(&sidecar, CHECK, OK, "is good for 300 days").await;
}

#[tokio::test]
async fn a_servers_certificate_is_read_from_its_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    certificate(folder.path(), 300);
    let serving = tokio::spawn(serve(listener, acceptor(folder.path())));
    let sidecar = watching(&sequencer, folder.path(), &address.to_string());
    until(&sidecar, CHECK, OK, "is good for 300 days").await;
    serving.abort();
    let _ = serving.await;
    until(&sidecar, CHECK, FAIL, "cannot be reached").await;
    certificate(folder.path(), 10);
    let listener = TcpListener::bind(address).await.unwrap();
    let serving = tokio::spawn(serve(listener, acceptor(folder.path())));
    until(&sidecar, CHECK, WARN, "less than 14 days").await;
    serving.abort();
}

#[tokio::test]
async fn without_a_certificate_the_check_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let (url, operations) = (&sequencer.url, &sequencer.operations_url);
    let sidecar = Sidecar::start(folder.path(), url, operations, &QUICK);
    until(&sidecar, "sequencer_live", OK, "answers").await;
    let scrape = sidecar.get("/metrics").await.text;
    for absent in [CHECK, "data_directory", "check=\"disk\""] {
        assert!(!scrape.contains(absent), "{absent} is not configured:\n{scrape}");
    }
}

fn watching(sequencer: &Sequencer, folder: &Path, place: &str) -> Sidecar {
    let flag = format!("--tls-certificates={place}");
    let flags = [&QUICK[..], &[&flag]].concat();
    Sidecar::start(folder, &sequencer.url, &sequencer.operations_url, &flags)
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(folder.join("tls.crt")).unwrap();
    let certificates = certificates.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("tls.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((socket, _)) = listener.accept().await {
        let _ = acceptor.accept(socket).await;
    }
}
