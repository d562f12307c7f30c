//! TLS: what crosses a network is encrypted, and certificates are good for a while.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sqlx::postgres::PgSslMode;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::Facts;
use super::check::{Check, Finding};
use super::network::{Reach, reach_of};
use crate::clock;
use crate::config::{Config, Database, redacted, url_option};
use crate::store::postgres::{Transport, connect_options, is_this_machine};

const DAY_SECONDS: f64 = 86_400.0;
/// As the sidecar warns and fails.
const WARN_DAYS: f64 = 14.0;
const FAIL_DAYS: f64 = 2.0;
/// Largest file that is read: a bundle of hundreds.
const MAX_FILE_BYTES: u64 = 1 << 20;

pub(super) async fn look(facts: &Facts<'_>) -> Vec<Finding> {
    vec![
        api(facts).await,
        api_certificate(facts),
        files(facts),
        database(facts.config),
        traces(facts.config).await,
    ]
}

async fn api(facts: &Facts<'_>) -> Finding {
    let check = Check::ApiTls;
    let Some(url) = &facts.arguments.url else {
        return check
            .skipped("no address of clients is known: name one with --url (SEQUENCER_URL)");
    };
    let shown = redacted(url);
    if is_https(url) {
        return check.pass(format!("{shown} is https"));
    }
    let fix = "put TLS in front of HOST and PORT, and give its https address as --url";
    match reach_of(url).await {
        Some(Reach::Loopback) => check.pass(format!("{shown} is on this machine only")),
        Some(Reach::Private) => {
            check.warn(format!("{shown} goes over a private network in clear"), fix)
        }
        Some(Reach::Public) => {
            check.fail(format!("{shown} shows every API key to the network"), fix)
        }
        None => check.skipped(format!("the host of {shown} has no address")),
    }
}

fn api_certificate(facts: &Facts<'_>) -> Finding {
    let check = Check::ApiCertificate;
    let Some(url) = facts.arguments.url.as_ref().filter(|url| is_https(url)) else {
        return check.skipped("no https address is asked: name one with --url (SEQUENCER_URL)");
    };
    match &facts.server {
        Ok(server) => match server.certificate.as_deref().map(end) {
            Some(Ok(end)) => judge(check, &redacted(url), &end),
            Some(Err(reason)) => check.fail(reason, "renew the certificate of --url"),
            None => check.skipped("the connection shows no certificate"),
        },
        Err(reason) if reason.contains("certificate") => check.fail(
            reason,
            "install a certificate that clients trust; for an authority of your own, name its PEM \
             file in SSL_CERT_FILE for this command",
        ),
        Err(reason) => check.skipped(reason),
    }
}

/// The files that are named, and those in the database's URL.
fn files(facts: &Facts<'_>) -> Finding {
    let check = Check::CertificateFiles;
    let is_file = |path: &&PathBuf| {
        let text = path.to_string_lossy();
        !text.is_empty() && (text.contains('/') || !text.contains(':'))
    };
    let mut files: Vec<_> = facts.arguments.certificates.iter().filter(is_file).cloned().collect();
    let of_database =
        ["sslrootcert", "sslcert"].map(|name| url_option(&facts.config.database_url, name));
    files.extend(of_database.into_iter().flatten().map(PathBuf::from));
    let mut first: Option<(String, End)> = None;
    for file in &files {
        let name = file.display().to_string();
        match first_in_file(file) {
            Err(reason) => {
                let fix = "name a readable PEM file in TLS_CERTIFICATES or DATABASE_URL";
                return check.fail(format!("{name}: {reason}"), fix);
            }
            Ok(end) if first.as_ref().is_none_or(|(_, first)| end.days < first.days) => {
                first = Some((name, end));
            }
            Ok(_) => {}
        }
    }
    match first {
        Some((name, end)) => judge(check, &name, &end),
        None => check.skipped("no file is named in TLS_CERTIFICATES or DATABASE_URL"),
    }
}

/// How long a certificate is good.
struct End {
    days: f64,
    subject: String,
}

fn judge(check: Check, place: &str, End { days, subject }: &End) -> Finding {
    let whose = format!("{place} ({subject})");
    let fix = format!("renew the certificate of {place}");
    match *days {
        days if days <= 0.0 => check.fail(format!("{whose} ended {:.1} days ago", -days), fix),
        days if days < FAIL_DAYS => {
            check.fail(format!("{whose} ends in {:.0} hours", days * 24.0), fix)
        }
        days if days < WARN_DAYS => check.warn(format!("{whose} ends in {days:.1} days"), fix),
        days => check.pass(format!("{whose} is good for {days:.0} days")),
    }
}

fn first_in_file(file: &Path) -> Result<End, String> {
    let unreadable = |error| format!("it cannot be read: {error}");
    if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(format!("it is larger than {MAX_FILE_BYTES} bytes"));
    }
    let text = std::fs::read(file).map_err(unreadable)?;
    let mut ends = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        ends.push(end(&certificate.map_err(|error| format!("it is no PEM file: {error}"))?)?);
    }
    let first = ends.into_iter().min_by(|a, b| a.days.total_cmp(&b.days));
    first.ok_or_else(|| "there is no certificate in it".to_owned())
}

fn end(der: &[u8]) -> Result<End, String> {
    let read = Certificate::from_der(der);
    let read = read.map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let read = read.tbs_certificate();
    let at = read.validity().not_after.to_unix_duration().as_secs_f64();
    let now = clock::now().as_micros() as f64 / 1e6;
    Ok(End { days: (at - now) / DAY_SECONDS, subject: read.subject().to_string() })
}

fn database(config: &Config) -> Finding {
    let check = Check::DatabaseTls;
    let Ok(Database::Postgres(url)) = config.database() else {
        return check.skipped("the store is a file of this machine");
    };
    let fix = "set DB_ALLOW_PLAINTEXT=false and sslmode=verify-full in DATABASE_URL, with the \
               authority's file as sslrootcert where it is your own";
    let options = match connect_options(&url, Transport::of(config.db_allow_plaintext)) {
        Ok(options) => options,
        Err(error) => return check.fail(format!("{error:#}"), fix),
    };
    let host = options.get_host();
    if options.get_socket().is_some() || is_this_machine(host) {
        return check.pass("the database is on this machine");
    }
    let way = format!("the connection to {host}");
    match options.get_ssl_mode() {
        PgSslMode::VerifyFull => {
            check.pass(format!("{way} is encrypted and the server is checked"))
        }
        PgSslMode::VerifyCa => {
            check.warn(format!("{way} is encrypted, to any host its authority knows"), fix)
        }
        PgSslMode::Require => {
            check.warn(format!("{way} is encrypted, to whoever answers there"), fix)
        }
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => {
            check.fail(format!("{way} may go over the network in clear"), fix)
        }
    }
}

async fn traces(config: &Config) -> Finding {
    let check = Check::TracesTls;
    let endpoint = config.otel_exporter_otlp_endpoint.as_deref().unwrap_or_default();
    if endpoint.is_empty() {
        return check.pass("no traces are sent");
    }
    if is_https(endpoint) {
        return check.pass(format!("traces go to {endpoint} encrypted"));
    }
    let fix = "use https in OTEL_EXPORTER_OTLP_ENDPOINT, or a collector on this machine";
    let found = format!("traces go to {endpoint} in clear");
    match reach_of(endpoint).await {
        Some(Reach::Loopback) => check.pass("traces go to this machine"),
        _ if config.otel_exporter_otlp_headers.is_some() => {
            check.fail(format!("{found}, with the credential of the receiver"), fix)
        }
        _ => check.warn(found, fix),
    }
}

pub(super) fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}
