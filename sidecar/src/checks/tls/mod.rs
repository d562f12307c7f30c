//! How long certificates are good.

mod read;

use std::sync::Arc;

use async_trait::async_trait;
use catalog::label::Check;
use futures_util::future::join_all;

use super::probe::{Outcome, Probe};
use crate::app::Core;
use crate::blocking::Blocking;
use crate::clock::unix_seconds;
use crate::config::{CertificatePlace, Config, parse_url};

const DAY_SECONDS: f64 = 86_400.0;
const WARN_DAYS: f64 = 14.0;
const FAIL_DAYS: f64 = 2.0;

/// The places that a configuration names, and that of an https URL.
pub(super) fn places(config: &Config) -> Vec<CertificatePlace> {
    let mut places = config.tls_certificates.clone();
    for url in [&config.sequencer_url, &config.sequencer_ops_url] {
        let url = parse_url(url).ok().filter(|url| url.scheme() == "https");
        let at = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
        let Some((host, port)) = at else { continue };
        let host = host.trim_matches(['[', ']']).to_owned();
        let place = CertificatePlace::Server { host, port };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

pub(super) struct TlsCertificate {
    core: Arc<Core>,
    places: Vec<Place>,
}

struct Place {
    at: CertificatePlace,
    blocking: Blocking,
}

/// When the first certificate of a place ends.
pub(super) struct End {
    /// Unix seconds.
    at: f64,
    /// Whose it is, as the certificate says.
    subject: String,
}

impl TlsCertificate {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let place = |at| Place { at, blocking: Blocking::default() };
        let places = places(&core.config).into_iter().map(place).collect();
        Self { core, places }
    }
}

#[async_trait]
impl Probe for TlsCertificate {
    fn check(&self) -> Check {
        Check::TlsCertificate
    }

    async fn look(&self) -> Outcome {
        let limit = self.core.config.check_timeout_secs.duration();
        let ends = join_all(self.places.iter().map(async |place| match &place.at {
            CertificatePlace::File(file) => read::file(&place.blocking, file).await,
            CertificatePlace::Server { host, port } => read::server(host, *port, limit).await,
        }));
        let ends = ends.await;
        let first = ends.iter().flatten().map(|end| end.at).reduce(f64::min);
        self.core.metrics.checks.tls_expiry.show(first);
        let now = unix_seconds();
        let judged = self.places.iter().zip(&ends).map(|(place, end)| match end {
            Ok(end) => judge(&place.at, end, now),
            Err(reason) => Outcome::fail(format!("{}: {reason}", place.at)),
        });
        let worst =
            judged.reduce(|worst, next| if next.status > worst.status { next } else { worst });
        // Without a place the check does not exist.
        worst.unwrap_or_else(|| Outcome::unknown("no certificate is configured"))
    }
}

fn judge(place: &CertificatePlace, end: &End, now: f64) -> Outcome {
    let days = (end.at - now) / DAY_SECONDS;
    let whose = format!("{place} ({})", end.subject);
    match days {
        days if days <= 0.0 => Outcome::fail(format!("{whose} ended {:.1} days ago", -days)),
        days if days < FAIL_DAYS => Outcome::fail(format!(
            "{whose} ends in {:.0} hours, less than {FAIL_DAYS} days",
            days * 24.0
        )),
        days if days < WARN_DAYS => {
            Outcome::warn(format!("{whose} ends in {days:.1} days, less than {WARN_DAYS} days"))
        }
        _ => Outcome::ok(format!("{whose} is good for {days:.0} days")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Status;
    use super::*;

    #[test]
    fn the_certificate_of_an_https_url_is_watched_by_itself_once() {
        use clap::Parser;

        #[derive(Parser)]
        struct Arguments {
            #[command(flatten)]
            config: Config,
        }
        let named = |arguments: &[&str]| -> Vec<String> {
            let arguments = ["sidecar"].iter().chain(arguments);
            let config = Arguments::parse_from(arguments).config;
            places(&config).iter().map(ToString::to_string).collect()
        };
        assert!(named(&[]).is_empty(), "plain http has none");
        let https = "--sequencer-url=https://example.com";
        assert_eq!(named(&[https]), ["example.com:443"]);
        let both = "--tls-certificates=tls.crt,example.com:443";
        assert_eq!(named(&[https, both]), ["tls.crt", "example.com:443"]);
    }

    #[test]
    fn the_days_that_are_left_decide() {
        let place = "example.com:443".parse().unwrap();
        for (days, expect, words) in [
            (300.0, Status::Ok, "example.com:443 (CN=it) is good for 300 days"),
            (13.9, Status::Warn, "ends in 13.9 days, less than 14 days"),
            (1.0, Status::Fail, "ends in 24 hours, less than 2 days"),
            (-3.0, Status::Fail, "ended 3.0 days ago"),
        ] {
            let end = End { at: 1e9 + days * DAY_SECONDS, subject: "CN=it".to_owned() };
            let outcome = judge(&place, &end, 1e9);
            assert_eq!(outcome.status, expect, "{}", outcome.reason);
            assert!(outcome.reason.contains(words), "{}", outcome.reason);
        }
    }
}
