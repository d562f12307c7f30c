//! What the sequencer says of itself on its operations port, where its process cannot be seen.

use bytes::Bytes;

use crate::app::Core;

/// A scrape of the sequencer.
pub(super) struct OwnGauges(Bytes);

impl OwnGauges {
    /// Asks for it.
    ///
    /// # Errors
    /// In words, when there is no answer.
    pub(super) async fn ask(core: &Core) -> Result<Self, String> {
        let limit = core.config.check_timeout_secs.duration();
        let answer = core.sequencer.get_operations("/metrics", limit).await;
        let url = &core.config.sequencer_ops_url;
        answer.map(Self).map_err(|error| format!("{url}/metrics: {error}"))
    }

    /// A gauge without labels, above 0.
    ///
    /// # Errors
    /// Names the gauge that is missing.
    pub(super) fn get(&self, name: &str) -> Result<f64, String> {
        let text = std::str::from_utf8(&self.0).unwrap_or_default();
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
        let value = text.lines().find_map(value).filter(|value: &f64| *value > 0.0);
        value.ok_or_else(|| format!("the sequencer's /metrics has no {name}: an older version?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_name_is_found() {
        let gauges =
            OwnGauges(Bytes::from_static(b"# TYPE open gauge\nopen_max 7\nopen 3\nzero 0\n"));
        assert_eq!(gauges.get("open"), Ok(3.0));
        assert_eq!(gauges.get("open_max"), Ok(7.0));
        assert!(gauges.get("zero").is_err(), "what was never set");
        assert!(gauges.get("none").is_err());
    }
}
