//! The way to PostgreSQL over TLS: whom the driver believes.

use std::path::Path;
use std::process::Command;

use super::*;

/// Runs openssl in a folder.
fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| {
            panic!("openssl does not start ({error}); install it: apt-get install openssl")
        });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A server that takes encrypted connections only, with a certificate for 127.0.0.1.
fn encrypted(folder: &Path) -> Postgres {
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for authority in ["ours", "other"] {
        let names = format!("-keyout {authority}.key -out {authority}.pem -subj /CN={authority}");
        openssl(folder, &format!("req -x509 {new_key} {names} -days 2"));
    }
    openssl(folder, &format!("req -new {new_key} -keyout server.key -out csr -subj /CN=server"));
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let signed = "-CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile names";
    openssl(folder, &format!("x509 -req -in csr {signed} -out server.crt"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let files = [
        ("server.crt", read("server.crt")),
        ("server.key", read("server.key")),
        ("hba.conf", "hostssl all all 127.0.0.1/32 trust\n".to_owned()),
    ];
    Postgres::start_with(&files, |folder| {
        let at = folder.display();
        vec![
            "ssl=on".to_owned(),
            format!("ssl_cert_file={at}/server.crt"),
            format!("ssl_key_file={at}/server.key"),
            format!("hba_file={at}/hba.conf"),
        ]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_believed_by_its_certificate_only() {
    let folder = TempDir::new().unwrap();
    let server = encrypted(folder.path());
    let open = |host: &str, mode: &str, authority: &str| {
        let (port, at) = (server.port(), folder.path().display());
        let root = format!("sslmode={mode}&sslrootcert={at}/{authority}.pem");
        let options = PostgresOptions {
            url: format!("postgres://postgres:s3cret@{host}:{port}/postgres?{root}"),
            max_connections: 2,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            max_lifetime: Duration::from_secs(600),
            statement_timeout: Duration::from_secs(20),
            transport: Transport::Encrypted,
        };
        async move {
            let metrics = server::metrics("postgres");
            PostgresStore::open(&options, Migration::Apply, metrics).await
        }
    };
    let store: Box<dyn Store> = Box::new(open("127.0.0.1", "verify-full", "ours").await.unwrap());
    let agent = Agent::new();
    commit(store.as_ref(), &[prepared(agent.events(3))], 1).await;
    assert_eq!(store.head(agent.stream).await.unwrap().head_sequence, 3);
    store.close().await;
    // Its name is not in the certificate, which the weaker mode does not ask about.
    open("localhost", "verify-ca", "ours").await.unwrap().close().await;
    for (host, mode, authority, expect) in [
        ("127.0.0.1", "verify-full", "other", "certificate"),
        ("127.0.0.1", "verify-ca", "other", "certificate"),
        ("localhost", "verify-full", "ours", "certificate"),
        ("127.0.0.1", "disable", "ours", "no encryption"),
    ] {
        let error = open(host, mode, authority).await.err().expect("it is refused");
        let sentence = format!("{error:#}");
        assert!(sentence.contains(expect), "{host} {mode} {authority}: {sentence}");
        assert!(sentence.starts_with("cannot open the database at"), "{sentence}");
        assert!(!sentence.contains("s3cret") && !sentence.contains('\n'), "{sentence}");
    }
}
