//! Rules in fast motion, for drills: windows, waits and ages become shorter, speeds stay.

use crate::rule::{Decimal, Guard, Rule, Unit, duration, parse_duration};

/// Seconds between two scrapes of a drill.
pub const SCRAPE_SECONDS: u32 = 1;
/// The smallest window still holds this many scrapes.
const MIN_WINDOW_SECONDS: u32 = 4 * SCRAPE_SECONDS;

/// How many times faster than real time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scale(u32);

impl Scale {
    /// Real time.
    pub const REAL: Self = Self(1);

    /// So many times faster, 1 to 1000.
    #[must_use]
    pub fn new(times: u32) -> Option<Self> {
        (1..=1000).contains(&times).then_some(Self(times))
    }

    /// A wait of the rules; nothing stays nothing.
    #[must_use]
    pub fn wait(self, seconds: u32) -> u32 {
        if seconds == 0 { 0 } else { (seconds / self.0).max(1) }
    }

    /// A window over samples.
    fn window(self, seconds: u32) -> u32 {
        if self == Self::REAL { seconds } else { (seconds / self.0).max(MIN_WINDOW_SECONDS) }
    }

    /// An expression with each window in brackets and each offset scaled.
    #[must_use]
    pub fn expression(self, text: &str) -> String {
        let mut scaled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('[') {
            let (before, inside) = rest.split_at(open + 1);
            let close = inside.find(']').unwrap_or(inside.len());
            scaled.push_str(before);
            match parse_duration(&inside[..close]) {
                Some(seconds) => scaled.push_str(&duration(self.window(seconds))),
                None => scaled.push_str(&inside[..close]),
            }
            rest = &inside[close..];
        }
        scaled + rest
    }

    /// A rule in this time.
    #[must_use]
    pub fn rule(self, rule: &Rule) -> Rule {
        let mut scaled = rule.clone();
        if self == Self::REAL {
            return scaled;
        }
        scaled.for_seconds = self.wait(rule.for_seconds);
        scaled.left = self.expression(&rule.left);
        scaled.guard = match &rule.guard {
            Guard::None => Guard::None,
            Guard::Fixed(guard) => Guard::Fixed(self.expression(guard)),
            Guard::Window { left, floor } => {
                Guard::Window { left: self.expression(left), floor: self.expression(floor) }
            }
        };
        if rule.unit == Unit::AgeSeconds {
            let exact = (rule.threshold / f64::from(self.0)).max(1.0);
            scaled.threshold = Decimal(exact).to_string().parse().unwrap_or(exact);
        }
        scaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn windows_shrink_and_hold_four_scrapes() {
        let scale = Scale::new(20).unwrap_or(Scale::REAL);
        for (text, expect) in [
            ("rate(a[5m]) / rate(b[1h])", "rate(a[15s]) / rate(b[3m])"),
            ("rate(a[1m])", "rate(a[4s])"),
            ("a > 1", "a > 1"),
        ] {
            assert_eq!(scale.expression(text), expect);
        }
        assert_eq!((scale.wait(300), scale.wait(5), scale.wait(0)), (15, 1, 0));
    }

    #[test]
    fn ages_scale_and_speeds_do_not() {
        let scale = Scale::new(10).unwrap_or(Scale::REAL);
        for rule in rules::all() {
            let scaled = scale.rule(&rule);
            if rule.unit == Unit::AgeSeconds {
                assert!(scaled.threshold < rule.threshold, "{}", rule.name);
            } else {
                assert!((scaled.threshold - rule.threshold).abs() < f64::EPSILON, "{}", rule.name);
            }
        }
        assert!(Scale::new(0).is_none() && Scale::new(1001).is_none());
    }
}
