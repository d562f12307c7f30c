//! Where a certificate is: in a file, or shown by a server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A place where a certificate is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CertificatePlace {
    /// A PEM file.
    File(PathBuf),
    /// A server that speaks TLS.
    Server {
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
}

impl FromStr for CertificatePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a PEM file or host:port".to_owned());
        }
        // A path with a colon is told from a server by its slash.
        let server = text.rsplit_once(':').filter(|_| !text.contains('/'));
        let Some((host, port)) = server else { return Ok(Self::File(text.into())) };
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = port.parse().ok().filter(|port| *port > 0 && !host.is_empty());
        let port = port.ok_or_else(|| format!("{text} is neither a path nor host:port"))?;
        Ok(Self::Server { host, port })
    }
}

impl fmt::Display for CertificatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Server { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl Serialize for CertificatePlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_server_are_told_apart() {
        let server = |host: &str, port| Some(CertificatePlace::Server { host: host.into(), port });
        let file = |path: &str| Some(CertificatePlace::File(path.into()));
        for (text, expect) in [
            ("/etc/tls/tls.crt", file("/etc/tls/tls.crt")),
            ("./a:1/tls.crt", file("./a:1/tls.crt")),
            ("tls.crt", file("tls.crt")),
            ("example.com:443", server("example.com", 443)),
            ("[::1]:8443", server("::1", 8443)),
            ("example.com:", None),
            (":443", None),
            ("example.com:70000", None),
            ("", None),
        ] {
            let place = text.parse::<CertificatePlace>().ok();
            assert_eq!(place, expect, "{text}");
        }
        assert_eq!("[::1]:8443".parse::<CertificatePlace>().unwrap().to_string(), "[::1]:8443");
    }
}
