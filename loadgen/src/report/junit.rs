//! JUnit for CI: a test case for each threshold, one for the run, one for the ledger.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::figures;
use crate::record::{Record, Threshold, ThresholdVerdict};

/// One case and how it ended.
struct Case {
    name: String,
    end: End,
}

/// What JUnit knows: a failure is what was tested for, an error is a test that could not be.
enum End {
    Good,
    Failure(String),
    Error(String),
    Skipped(String),
}

/// The run as JUnit.
#[must_use]
pub fn junit(record: &Record) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory cannot fail, and all of it is text.
    let _ = document(&mut writer, record);
    let mut text = String::from_utf8(writer.into_inner()).unwrap_or_default();
    text.push('\n');
    text
}

fn document(writer: &mut Writer<Vec<u8>>, record: &Record) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let cases = cases(record);
    let count = |wanted: fn(&End) -> bool| {
        cases.iter().filter(|case| wanted(&case.end)).count().to_string()
    };
    let tests = cases.len().to_string();
    let failures = count(|end| matches!(end, End::Failure(_)));
    let errors = count(|end| matches!(end, End::Error(_)));
    let skipped = count(|end| matches!(end, End::Skipped(_)));
    let seconds = format!("{:.3}", record.duration_seconds);
    let name = clean(&format!("loadgen {}", record.profile.name));
    let started = clean(&record.started_at);
    let suite = writer.create_element("testsuites").with_attributes([
        ("tests", tests.as_str()),
        ("failures", &failures),
        ("errors", &errors),
        ("time", &seconds),
    ]);
    suite.write_inner_content(|writer| {
        let element = writer.create_element("testsuite").with_attributes([
            ("name", name.as_str()),
            ("tests", &tests),
            ("failures", &failures),
            ("errors", &errors),
            ("skipped", &skipped),
            ("time", &seconds),
            ("timestamp", &started),
        ]);
        element.write_inner_content(|writer| {
            properties(writer, record)?;
            cases.iter().try_for_each(|case| one(writer, case, &name))
        })?;
        Ok(())
    })?;
    Ok(())
}

fn properties(writer: &mut Writer<Vec<u8>>, record: &Record) -> io::Result<()> {
    let all = [
        ("verdict", record.verdict.words().to_owned()),
        ("environment", clean(&record.environment.name)),
        ("target", clean(&record.environment.url)),
        ("target_version", clean(&record.versions.target)),
        ("seed", record.seed.to_string()),
    ];
    writer.create_element("properties").write_inner_content(|writer| {
        for (name, value) in &all {
            let element = writer.create_element("property");
            element.with_attributes([("name", *name), ("value", value.as_str())]).write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn one(writer: &mut Writer<Vec<u8>>, case: &Case, suite: &str) -> io::Result<()> {
    let name = clean(&case.name);
    let element = writer
        .create_element("testcase")
        .with_attributes([("classname", suite), ("name", name.as_str())]);
    let (tag, text) = match &case.end {
        End::Good => {
            element.write_empty()?;
            return Ok(());
        }
        End::Failure(text) => ("failure", text),
        End::Error(text) => ("error", text),
        End::Skipped(text) => ("skipped", text),
    };
    let text = clean(text);
    let first = text.lines().next().unwrap_or_default();
    element.write_inner_content(|writer| {
        let inner = writer.create_element(tag).with_attribute(("message", first));
        inner.write_text_content(BytesText::new(&text))?;
        Ok(())
    })?;
    Ok(())
}

fn cases(record: &Record) -> Vec<Case> {
    let mut all = vec![Case {
        name: "valid run".to_owned(),
        end: if figures::is_valid(record.verdict) {
            End::Good
        } else {
            let reasons = record.reasons.join("\n");
            End::Error(format!("{}: {reasons}", record.verdict.words()))
        },
    }];
    if record.thresholds.is_empty() {
        let not_judged = || End::Skipped("the run ended before it was judged".to_owned());
        let expressions = record.profile.thresholds.iter().cloned();
        all.extend(expressions.map(|name| Case { name, end: not_judged() }));
    }
    all.extend(record.thresholds.iter().map(of_threshold));
    let words = figures::ledger(record);
    let end = match &record.ledger {
        Some(ledger) if ledger.is_sound => End::Good,
        Some(ledger) => End::Failure(format!("{words}\n{}", ledger.problems.join("\n"))),
        None if record.totals.events > 0 => End::Error(words),
        None => End::Skipped(words),
    };
    all.push(Case { name: "ledger".to_owned(), end });
    all
}

fn of_threshold(threshold: &Threshold) -> Case {
    let Threshold { expression, measured_text, verdict, .. } = threshold;
    let end = match verdict {
        ThresholdVerdict::Pass => End::Good,
        ThresholdVerdict::Fail => End::Failure(format!("{expression}: {measured_text}")),
        ThresholdVerdict::NoData => {
            End::Failure(format!("{expression}: there was nothing to measure"))
        }
    };
    Case { name: expression.clone(), end }
}

/// XML has no word for most control characters, escaped or not.
fn clean(text: &str) -> String {
    let is_known = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let known = |c: char| is_known(c) && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if known(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;

    use super::*;
    use crate::record::Verdict;
    use crate::report::samples;

    /// Elements by name, read back by a parser.
    fn count(text: &str, wanted: &str) -> usize {
        let mut reader = Reader::from_str(text);
        let mut found = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) | Event::Empty(tag) => {
                    assert!(tag.attributes().all(|a| a.unwrap().unescape_value().is_ok()));
                    found += usize::from(tag.name().as_ref() == wanted.as_bytes());
                }
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    #[test]
    fn each_threshold_the_run_and_the_ledger_are_cases() {
        let record = samples::sample();
        let text = junit(&record);
        assert_eq!(count(&text, "testcase"), record.thresholds.len() + 2, "{text}");
        assert_eq!(count(&text, "failure"), 1, "{text}");
        assert!(text.contains("name=\"valid run\"/>") && text.contains("name=\"ledger\"/>"));
        assert!(text.contains("message=\"errors.ratio &lt; 0.1%: 0.354%\""), "{text}");
    }

    #[test]
    fn a_run_that_says_nothing_is_an_error_and_never_a_pass() {
        for verdict in [Verdict::Invalid, Verdict::BadConfiguration, Verdict::Interrupted] {
            let text = junit(&samples::ended(verdict));
            assert_eq!(count(&text, "error"), 1, "{text}");
        }
        let text = junit(&samples::empty());
        assert_eq!(count(&text, "skipped"), samples::sample().thresholds.len() + 1, "{text}");
        let mut lost = samples::sample();
        let ledger = lost.ledger.as_mut().unwrap();
        (ledger.is_sound, ledger.missing) = (false, 3);
        assert!(junit(&lost).contains("1121 acknowledged events verified, 3 missing"));
    }

    #[test]
    fn text_of_others_stays_text() {
        let text = junit(&samples::hostile());
        assert_eq!(count(&text, "img"), 0, "{text}");
        assert!(!text.contains('\u{1}'));
    }
}
