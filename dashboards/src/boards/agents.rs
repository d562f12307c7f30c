//! Who calls: keys, credentials, and those that are refused.

use alerts::overrides::RuleSet;
use catalog::Metric;
use catalog::sequencer::{
    AGENT_KEY_CACHE_ENTRIES, AGENT_KEY_CACHE_EVICTIONS, AGENT_KEY_CACHE_HITS,
    AGENT_KEY_CACHE_MISSES, AGENT_KEY_LOOKUP_DURATION, API_KEY_CACHE_ENTRIES,
    API_KEY_CACHE_EVICTIONS, API_KEY_CACHE_HITS, API_KEY_CACHE_MISSES, API_KEY_LOOKUP_DURATION,
    API_KEY_REQUESTS, API_KEYS_ACTIVE, AUTH_FAILURES, SIGNATURE_VERIFICATIONS,
};

use super::{bars, lines, plain, stacked, stat};
use crate::builder::threshold::NEUTRAL;
use crate::builder::{Board, Panel, Unit};
use crate::query::{increase, quantiles, rate, sum, top};

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-agents",
        "Sequencer / Agents and security",
        "Keys and credentials: who calls, who is refused, and whether look-ups are quick.",
    )
    .row("Credentials", credentials(set))
    .row("Agent keys", agent_keys(set))
    .row("API keys", api_keys())
}

fn credentials(set: &RuleSet) -> Vec<Panel> {
    let failures = |window| sum("", &increase(&AUTH_FAILURES, &[], window));
    let figure = |title: &str, expr: &str| {
        stat(
            title,
            "Requests refused for their credential.",
            "0, or a few of a client with an old key",
            "SequencerAuthFailureSpike",
        )
        .size(8, 4)
        .coloured(NEUTRAL)
        .query(expr, "refused")
    };
    let invalid = rate(&SIGNATURE_VERIFICATIONS, &[("outcome", "=", "invalid")]);
    vec![
        stat(
            "Active API keys",
            "API keys that are not revoked.",
            "as many as were given out",
            "SequencerAuthFailureSpike",
        )
        .size(8, 4)
        .coloured(NEUTRAL)
        .query(&format!("max({})", plain(&API_KEYS_ACTIVE)), "keys"),
        figure("Auth failures in 1 minute", &failures("1m")),
        figure("Auth failures in 5 minutes", &failures("5m")),
        stacked(
            "Auth failures by reason",
            "Requests a second refused for their credential. limited: too many unknown keys from \
             one address.",
            "none",
            "SequencerAuthFailureSpike",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&sum("reason", &rate(&AUTH_FAILURES, &[])), "{{reason}}"),
        Panel::of_alerts(set, "Share refused for their credential", &["SequencerAuthFailureSpike"]),
        bars(
            "Requests by API key",
            "Requests of the last hour of the ten busiest credentials, by public prefix.",
            "the known ones",
            "SequencerRateLimitedHeavily",
        )
        .coloured(NEUTRAL)
        .query(&top(&sum("key", &increase(&API_KEY_REQUESTS, &[], "1h"))), "{{key}}"),
        lines(
            "Invalid signatures",
            "Events a second whose signature does not verify.",
            "none",
            "SequencerAuthFailureSpike",
        )
        .unit(Unit::PerSecond)
        .query(&sum("instance", &invalid), "{{instance}}"),
    ]
}

/// The panels of a key cache, the same for both kinds of key.
struct Cache {
    what: &'static str,
    runbook: &'static str,
    hits: &'static Metric,
    misses: &'static Metric,
    evictions: &'static Metric,
    entries: &'static Metric,
    lookup: &'static Metric,
}

impl Cache {
    fn panels(&self, hit_ratio: Panel) -> Vec<Panel> {
        let title = |end: &str| format!("{} {end}", self.what);
        vec![
            lines(
                &title("look-ups"),
                "Look-ups a second answered from memory, and such that asked the store.",
                "nearly all from memory",
                self.runbook,
            )
            .unit(Unit::PerSecond)
            .query(&sum("", &rate(self.hits, &[])), "from memory")
            .query(&sum("", &rate(self.misses, &[])), "from the store"),
            hit_ratio,
            lines(
                &title("look-up duration"),
                "Time of look-ups that asked the store.",
                "milliseconds",
                "SequencerDatabaseSlow",
            )
            .unit(Unit::Seconds)
            .queries(quantiles(self.lookup, &[])),
            lines(&title("cache"), "Keys in memory.", "levels off", self.runbook)
                .size(6, 8)
                .query(&plain(self.entries), "{{instance}}"),
            lines(
                &title("evictions"),
                "Keys a second dropped from memory for room.",
                "none: else the cache is too small",
                self.runbook,
            )
            .size(6, 8)
            .unit(Unit::PerSecond)
            .query(&rate(self.evictions, &[]), "{{instance}}"),
        ]
    }
}

fn agent_keys(set: &RuleSet) -> Vec<Panel> {
    Cache {
        what: "Agent key",
        runbook: "SequencerCacheHitRateLow",
        hits: &AGENT_KEY_CACHE_HITS,
        misses: &AGENT_KEY_CACHE_MISSES,
        evictions: &AGENT_KEY_CACHE_EVICTIONS,
        entries: &AGENT_KEY_CACHE_ENTRIES,
        lookup: &AGENT_KEY_LOOKUP_DURATION,
    }
    .panels(Panel::of_alerts(set, "Agent key hit rate", &["SequencerCacheHitRateLow"]))
}

fn api_keys() -> Vec<Panel> {
    let (hits, misses) = (rate(&API_KEY_CACHE_HITS, &[]), rate(&API_KEY_CACHE_MISSES, &[]));
    Cache {
        what: "API key",
        runbook: "SequencerAuthFailureSpike",
        hits: &API_KEY_CACHE_HITS,
        misses: &API_KEY_CACHE_MISSES,
        evictions: &API_KEY_CACHE_EVICTIONS,
        entries: &API_KEY_CACHE_ENTRIES,
        lookup: &API_KEY_LOOKUP_DURATION,
    }
    .panels(
        lines(
            "API key hit rate",
            "Share of the look-ups answered from memory.",
            "near 100 %",
            "SequencerAuthFailureSpike",
        )
        .unit(Unit::Ratio)
        .query(&format!("{hits} / ({hits} + {misses})"), "{{instance}}"),
    )
}
