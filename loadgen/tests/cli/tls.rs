//! Targets behind TLS: a certificate of a root of one's own, one that has ended, one of nobody.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::loadgen::{Ended, command, on_time, start};
use crate::stack::Sequencer;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_trusted_and_not_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let to = sequencer.url.trim_start_matches("http://").to_owned();
    openssl(
        folder.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                            -subj /CN=root -days 30 -keyout ca.key -out ca.crt",
    );
    for (days, trusts, code, expect) in [
        (30, true, 0, "verdict    passed"),
        (-1, true, 104, "Expired"),
        (30, false, 104, "cannot be trusted (tls"),
    ] {
        issue(folder.path(), days);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(terminate(listener, acceptor(folder.path()), to.clone()));
        let environments = folder.path().join("e.toml");
        let root = if trusts {
            format!("ca_file = \"{}\"\n", folder.path().join("ca.crt").display())
        } else {
            String::new()
        };
        let text = format!("[safe]\nurl = \"https://127.0.0.1:{port}\"\n{root}");
        std::fs::write(&environments, text).unwrap();
        let ended = run(&environments, &folder.path().join("out")).await;
        assert_eq!(ended.code, code, "{days} {trusts}: {ended:?}");
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains(expect), "{days} {trusts}: {ended:?}");
        serving.abort();
    }
}

async fn run(environments: &Path, out: &Path) -> Ended {
    let (file, out) = (environments.display().to_string(), out.display().to_string());
    let run = move || {
        let arguments = [
            "run",
            "smoke",
            "--env",
            "safe",
            "--environments",
            &file,
            "--out",
            &out,
            "--duration",
            "2s",
            "--quiet",
        ];
        on_time(|| start(command(&arguments)).end())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// A certificate for loopback that ends in so many days.
fn issue(folder: &Path, days: i32) {
    std::fs::write(folder.join("ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(
        folder,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 \
                     -keyout tls.key -out tls.csr",
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
                              -extfile ext -out tls.crt -days {days}"
        ),
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| {
            panic!("openssl does not start ({error}); install it: apt-get install openssl")
        });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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

/// Takes TLS off and passes everything on.
async fn terminate(listener: TcpListener, acceptor: TlsAcceptor, to: String) {
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, to) = (acceptor.clone(), to.clone());
        tokio::spawn(async move {
            let mut plain = TcpStream::connect(to).await.ok()?;
            let mut socket = acceptor.accept(socket).await.ok()?;
            tokio::io::copy_bidirectional(&mut socket, &mut plain).await.ok()
        });
    }
}
