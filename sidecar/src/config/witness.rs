//! What the witness is told: which streams, how fast, how much.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use ves::Stream;
use ves::bytes::parse_uuid;

/// Most streams that can be named; all of them are followed when none is.
const MAX_NAMED: usize = 10_000;

/// Streams named one by one: `tenant/store,tenant/store`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Streams(pub Vec<Stream>);

impl FromStr for Streams {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let streams: Vec<Stream> = names.map(stream).collect::<Result<_, _>>()?;
        if streams.len() > MAX_NAMED {
            return Err(format!("at most {MAX_NAMED} streams can be named"));
        }
        Ok(Self(streams))
    }
}

fn stream(name: &str) -> Result<Stream, String> {
    let (tenant_id, store_id) = name.split_once('/').unwrap_or((name, ""));
    let ids = parse_uuid(tenant_id).zip(parse_uuid(store_id));
    let (tenant_id, store_id) =
        ids.ok_or_else(|| format!("`{name}` is not a stream: write tenant/store, two UUIDs"))?;
    Ok(Stream { tenant_id, store_id })
}

impl fmt::Display for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |stream: &Stream| format!("{}/{}", stream.tenant_id, stream.store_id);
        f.write_str(&self.0.iter().map(name).collect::<Vec<_>>().join(","))
    }
}

impl Serialize for Streams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a number of cores.
pub(super) fn cores(text: &str) -> Result<f64, String> {
    number(text, 0.01, 64.0).ok_or_else(|| "cores from 0.01 to 64".to_owned())
}

/// Reads a share.
pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1.0).ok_or_else(|| "a share from 0 to 1".to_owned())
}

fn number(text: &str, least: f64, most: f64) -> Option<f64> {
    text.parse().ok().filter(|value| (least..=most).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_streams_are_read_as_streams() {
        let (one, two) =
            ("00000000-0000-4000-8000-00000000000a", "f9f0efa3-f9da-4262-89aa-f021ee41af38");
        let text = format!("{one}/{two}, {two}/{one},");
        let read: Streams = text.parse().unwrap();
        assert_eq!(read.to_string(), format!("{one}/{two},{two}/{one}"));
        assert_eq!("".parse(), Ok(Streams::default()));
        for text in [one, "a/b", "/", &format!("{one}/{two}/{one}")] {
            assert!(text.parse::<Streams>().unwrap_err().contains("tenant/store"), "{text}");
        }
    }

    #[test]
    fn only_sensible_figures_are_read() {
        assert_eq!((cores("0.5"), share("0"), share("1")), (Ok(0.5), Ok(0.0), Ok(1.0)));
        for text in ["0", "-1", "NaN", "x", "65"] {
            assert!(cores(text).is_err(), "{text}");
        }
        for text in ["1.1", "-0.1", "NaN", ""] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
