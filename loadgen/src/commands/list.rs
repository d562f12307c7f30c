//! `loadgen list`.

use super::say;
use crate::environment::{DEFAULT_FILE, DEFAULT_KEY_VARIABLE};
use crate::profile::{BUILT_IN, Profile, duration};
use crate::record::Verdict;
use crate::scenario::Kind;

/// Shows what can be run.
///
/// # Errors
/// When a built-in profile is not good, which a test excludes.
pub(super) fn list() -> anyhow::Result<Verdict> {
    say("profiles");
    for (name, _) in BUILT_IN {
        let profile = Profile::find(name)?;
        let load = match profile.rate {
            Some(rate) => format!("{rate} {:?}/s", profile.rate_unit).to_lowercase(),
            None => format!("{} users", profile.users),
        };
        let length = duration::show(profile.length());
        say(&format!("  {name:<12} {load:<16} {length:<8} {}", profile.description));
        for threshold in &profile.thresholds {
            say(&format!("  {:<12} {}", "", threshold.expression()));
        }
    }
    say("\nscenarios");
    for kind in Kind::ALL {
        say(&format!("  {:<12} {}", kind.as_str(), kind.about()));
    }
    say("\nenvironments");
    say(&format!("  local needs no file; others come from {DEFAULT_FILE} or --environments"));
    say(&format!("  the key comes from {DEFAULT_KEY_VARIABLE}, or the variable that one names"));
    Ok(Verdict::Pass)
}
