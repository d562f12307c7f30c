//! Boards as pages that draw themselves, without Grafana and without a network.
//!
//! A page carries the board as Grafana reads it (its grid, units, bounds and colours) and what
//! Prometheus answered; scripts in the page draw it. So a preview shows what was generated, and not
//! a second opinion of it. Whatever comes from Prometheus is data in the page, never markup.

mod heat;
mod markdown;
mod page;
mod series;

use alerts::overrides::RuleSet;
use alerts::prometheus::Range;
use serde_json::{Value, json};

use crate::builder::{Board, Kind, Panel};
use crate::export::File;
use crate::live::Answer;

/// The page that leads to all others.
pub const INDEX: &str = "index.html";

/// A board and what Prometheus says to every query of every panel, both in their order.
#[derive(Debug)]
pub struct Filled {
    /// The board.
    pub board: Board,
    /// A list a panel, an answer a query.
    pub answers: Vec<Vec<Answer>>,
}

/// Where the data are from.
#[derive(Debug)]
pub struct Source {
    /// Host and port of the Prometheus, without any credential.
    pub host: String,
    /// Time and distance of the points.
    pub range: Range,
}

/// The index and a page a board.
///
/// # Errors
/// When a page cannot be written as JSON, which would be a mistake of this program.
pub fn pages(boards: &[Filled], source: &Source, set: &RuleSet) -> anyhow::Result<Vec<File>> {
    let list: Vec<Value> = boards.iter().map(card).collect();
    let common = json!({
        "boards": list,
        "source": {
            "host": source.host, "start": source.range.start, "end": source.range.end,
            "step": source.range.step,
        },
    });
    let mut files = vec![(INDEX.to_owned(), page::document("Sequencer boards", &common)?)];
    for filled in boards {
        let mut data = common.clone();
        data["uid"] = json!(filled.board.uid);
        data["rows"] = rows(filled, source.range, set);
        let html = page::document(filled.board.title, &data)?;
        files.push((format!("{}.html", filled.board.uid), html));
    }
    Ok(files)
}

/// What the index says of a board.
fn card(filled: &Filled) -> Value {
    let Board { uid, title, about, .. } = &filled.board;
    let states: Vec<&str> = filled
        .board
        .panels()
        .zip(&filled.answers)
        .map(|(panel, answers)| state(panel, answers))
        .collect();
    let of = |wanted: &str| states.iter().filter(|state| **state == wanted).count();
    json!({
        "uid": uid, "title": title, "about": about, "panels": states.len(),
        "drawn": of(DRAWN), "empty": of(EMPTY), "refused": of(REFUSED),
    })
}

const DRAWN: &str = "drawn";
const EMPTY: &str = "empty";
const REFUSED: &str = "refused";

/// A query that is refused is a mistake to be seen, whatever the others of the panel say.
fn state(panel: &Panel, answers: &[Answer]) -> &'static str {
    if answers.iter().any(|answer| matches!(answer, Answer::Refused(_))) {
        REFUSED
    } else if panel.kind == Kind::Text || answers.iter().any(Answer::has_data) {
        DRAWN
    } else {
        EMPTY
    }
}

/// The rows of a board; each is a grid of its own, so that a headline can be as high as it needs.
fn rows(filled: &Filled, range: Range, set: &RuleSet) -> Value {
    let rendered = filled.board.render(set);
    let mut panels = filled.board.panels().zip(&filled.answers);
    let mut rows: Vec<Value> = Vec::new();
    let mut top = 0;
    for drawn in rendered["panels"].as_array().into_iter().flatten() {
        let grid = &drawn["gridPos"];
        let y = grid["y"].as_u64().unwrap_or_default();
        if drawn["type"] == "row" {
            top = y + grid["h"].as_u64().unwrap_or_default();
            rows.push(json!({ "title": drawn["title"], "panels": [] }));
        } else if let (Some(row), Some((panel, answers))) = (rows.last_mut(), panels.next()) {
            let mut one = of_panel(panel, answers, drawn, range);
            one["grid"]["y"] = json!(y.saturating_sub(top));
            if let Some(list) = row["panels"].as_array_mut() {
                list.push(one);
            }
        }
    }
    json!(rows)
}

fn of_panel(panel: &Panel, answers: &[Answer], drawn: &Value, range: Range) -> Value {
    let asked = || panel.queries.iter().zip(answers);
    let silent = || asked().filter(|(_, answer)| !answer.has_data());
    let reasons: Vec<&str> = silent().filter_map(|(query, _)| query.empty_when).collect();
    let refusals: Vec<&str> = answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Refused(reason) => Some(reason.as_str()),
            Answer::Series(_) => None,
        })
        .collect();
    let queries: Vec<Value> = panel
        .queries
        .iter()
        .map(|query| json!({ "legend": query.legend, "expr": query.expr }))
        .collect();
    let mut one = json!({
        "title": panel.title,
        "kind": drawn["type"],
        "grid": drawn["gridPos"],
        "field": drawn["fieldConfig"]["defaults"],
        "meaning": panel.meaning,
        "good": panel.good,
        "runbooks": drawn["links"],
        "queries": queries,
        "state": state(panel, answers),
        "reasons": series::distinct(&reasons),
        "refusals": series::distinct(&refusals),
    });
    match panel.kind {
        Kind::Text => one["words"] = markdown::tree(&panel.meaning),
        Kind::Table => one["table"] = series::table(answers),
        Kind::Heatmap => one["heat"] = heat::map(answers, range),
        Kind::BarGauge | Kind::Gauge => one["lines"] = series::lines(panel, answers, None),
        Kind::Stat | Kind::TimeSeries | Kind::Stacked | Kind::StateTimeline => {
            one["lines"] = series::lines(panel, answers, Some(range));
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use alerts::overrides::Overrides;
    use alerts::prometheus::Series;

    const RANGE: Range = Range { start: 1000, end: 1060, step: 15 };

    fn answer(values: &[f64]) -> Answer {
        let points = (0..).zip(values).map(|(n, &value)| (1000.0 + 15.0 * f64::from(n), value));
        let labels = [("instance".to_owned(), "</script><b>".to_owned())].into();
        Answer::Series(vec![Series { labels, points: points.collect() }])
    }

    fn board(panels: Vec<Panel>, answers: Vec<Vec<Answer>>) -> Filled {
        let board = Board::new("stateset-x", "X / Y", "Why?").row("One", panels);
        Filled { board, answers }
    }

    fn panel(title: &str) -> Panel {
        Panel::new(Kind::TimeSeries, title, "What", "low", "SequencerDown")
            .query("stateset_a", "{{instance}}")
    }

    #[test]
    fn every_panel_is_drawn_empty_or_refused_and_says_why() -> anyhow::Result<()> {
        let set = RuleSet::new(&Overrides::default())?;
        let silent = panel("silent").empty_when("nothing is configured");
        let filled = board(
            vec![panel("good"), silent, panel("bad")],
            vec![
                vec![answer(&[1.0, f64::NAN, 2.5])],
                vec![Answer::Series(Vec::new())],
                vec![Answer::Refused("no such function".to_owned())],
            ],
        );
        let rows = rows(&filled, RANGE, &set);
        let panels = &rows[0]["panels"];
        assert_eq!(panels[0]["state"], DRAWN);
        assert_eq!(panels[0]["lines"]["list"][0]["values"], json!([1.0, null, 2.5, null, null]));
        assert_eq!(panels[1]["state"], EMPTY);
        assert_eq!(panels[1]["reasons"], json!(["nothing is configured"]));
        assert_eq!(panels[2]["state"], REFUSED);
        assert_eq!(panels[2]["refusals"], json!(["no such function"]));
        // Places count from the row's own headline.
        assert_eq!((&panels[0]["grid"]["y"], &panels[2]["grid"]["y"]), (&json!(0), &json!(8)));
        let card = card(&filled);
        assert_eq!([&card["panels"], &card["drawn"], &card["refused"]], [3, 1, 1]);
        Ok(())
    }

    #[test]
    fn what_prometheus_says_never_ends_the_script() -> anyhow::Result<()> {
        let set = RuleSet::new(&Overrides::default())?;
        let filled = board(vec![panel("good")], vec![vec![answer(&[1.0])]]);
        let source = Source { host: "prometheus:9090".to_owned(), range: RANGE };
        let pages = pages(&[filled], &source, &set)?;
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [INDEX, "stateset-x.html"]);
        let html = &pages[1].1;
        assert!(html.contains(r"\u003c/script>\u003cb>") && !html.contains("</script><b>"));
        assert_eq!(html.matches("</script>").count(), 2, "the data and the script");
        Ok(())
    }
}
