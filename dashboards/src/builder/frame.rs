//! What every board carries: variables, links to the others, marks of what happened.

use alerts::overrides::RuleSet;
use catalog::{JOB_LOADGEN, sequencer, sidecar};
use serde_json::{Value, json};

use super::grid::Grid;
use super::panel::number;
use super::threshold::{CRITICAL, NEUTRAL, Numbers};
use super::{Board, Row, draw};

/// Tag of every board; the links between boards go by it.
const TAG: &str = "stateset-sequencer";
/// Read by Grafana 10 and later; higher ones are unknown to 10.
const SCHEMA_VERSION: u32 = 39;

/// The chosen Prometheus.
pub(super) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

pub(super) fn render(board: &Board, set: &RuleSet, numbers: Numbers) -> Value {
    let mut grid = Grid::default();
    let mut panels = Vec::new();
    for row in &board.rows {
        panels.push(headline(row, &mut grid));
        for panel in &row.panels {
            let place = grid.next(panel.width, panel.height);
            panels.push(draw::panel(panel, place, set, numbers));
        }
    }
    json!({
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": false,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": false,
        "timezone": "browser",
        "weekStart": "",
        "refresh": "30s",
        "time": { "from": "now-3h", "to": "now" },
        "timepicker": {},
        "links": [links()],
        "templating": { "list": [datasource_variable(), job(), instance()] },
        "annotations": { "list": annotations() },
        "panels": panels,
    })
}

/// Rows stay open: what is folded is not looked at.
fn headline(row: &Row, grid: &mut Grid) -> Value {
    grid.new_line();
    let place = grid.next(super::COLUMNS, 1);
    // A panel may have the row's title.
    let id = 1_000_000 + number(&row.title);
    json!({
        "type": "row", "id": id, "title": row.title, "collapsed": false, "panels": [],
        "gridPos": { "x": place.x, "y": place.y, "w": place.w, "h": place.h },
    })
}

fn links() -> Value {
    json!({
        "type": "dashboards", "title": "Boards", "tags": [TAG], "asDropdown": true,
        "includeVars": true, "keepTime": true, "targetBlank": false,
        "icon": "external link", "tooltip": "The other boards, same time and same choice",
        "url": "",
    })
}

fn datasource_variable() -> Value {
    json!({
        "type": "datasource", "name": "datasource", "label": "Data Source",
        "query": "prometheus", "options": [], "regex": "", "hide": 0,
        "includeAll": false, "multi": false, "refresh": 1, "skipUrlSync": false,
    })
}

/// Both processes say what they are by a metric of their own, whatever their job is called.
fn job() -> Value {
    query_variable("job", "Job", "label_values({__name__=~\"stateset_.+_build_info\"}, job)")
}

fn instance() -> Value {
    let query = "label_values({__name__=~\"stateset_.+_build_info\",job=~\"$job\"}, instance)";
    query_variable("instance", "Instance", query)
}

fn query_variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "type": "query", "name": name, "label": label, "datasource": datasource(),
        "query": query, "options": [], "regex": "", "hide": 0,
        "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
        "multi": true, "includeAll": true, "allValue": ".+", "refresh": 2, "sort": 1,
        "skipUrlSync": false,
    })
}

fn annotations() -> Vec<Value> {
    let (start, sequencer, sidecar) =
        (sequencer::PROCESS_START_TIME.name, sequencer::BUILD_INFO.name, sidecar::BUILD_INFO.name);
    // The build info never changes its value, so the mark stands at the start of the process.
    let deploys = format!(
        "{start} * on (job, instance) group_left (version) ({sequencer} or {sidecar}) * 1000"
    );
    let firing =
        format!("ALERTS{{alertstate=\"firing\",product=\"{TAG}\",alertname!=\"Watchdog\"}}");
    let load = format!("up{{job=\"{JOB_LOADGEN}\"}} == 1");
    vec![
        annotation("Firing alerts", CRITICAL, &firing, "{{alertname}}", false),
        annotation("Deploys", NEUTRAL, &deploys, "{{job}} {{version}} began", true),
        annotation("Load tests", "purple", &load, "load test from {{instance}}", false),
    ]
}

fn annotation(name: &str, colour: &str, expr: &str, title: &str, value_is_time: bool) -> Value {
    json!({
        "name": name, "enable": true, "hide": false, "iconColor": colour,
        "datasource": datasource(), "expr": expr, "titleFormat": title,
        "textFormat": "{{instance}}", "tagKeys": "severity", "step": "30s",
        "useValueForTime": value_is_time,
    })
}
