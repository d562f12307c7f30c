//! A panel as Grafana reads it.

use std::cmp::Ordering;

use alerts::overrides::RuleSet;
use serde_json::{Map, Value, json};

use super::frame::datasource;
use super::grid::Place;
use super::panel::{Kind, Panel, State};
use super::threshold::{self, Numbers, Step};
use super::unit::Unit;

pub(super) fn panel(panel: &Panel, place: Place, set: &RuleSet, numbers: Numbers) -> Value {
    let mut drawn = json!({
        "type": plugin(panel.kind),
        "id": panel.id(),
        "title": panel.title,
        "description": panel.description(set, numbers),
        "gridPos": { "x": place.x, "y": place.y, "w": place.w, "h": place.h },
        "options": options(panel),
    });
    if panel.kind == Kind::Text {
        drawn["options"]["content"] = json!(panel.meaning);
        return drawn;
    }
    drawn["datasource"] = datasource();
    drawn["fieldConfig"] = json!({ "defaults": defaults(panel, numbers), "overrides": [] });
    drawn["links"] = panel.runbooks.iter().map(|name| link(name, set)).collect();
    drawn["targets"] = targets(panel);
    if panel.kind == Kind::Table {
        // The moment of a snapshot says nothing, and the value of an info series is always 1.
        drawn["transformations"] = json!([
            { "id": "organize", "options": { "excludeByName": { "Time": true, "Value": true } } },
        ]);
    }
    drawn
}

fn link(alert: &str, set: &RuleSet) -> Value {
    json!({
        "type": "link", "title": format!("Runbook: {alert}"), "icon": "doc", "tooltip": "",
        "url": format!("{}/{alert}", set.runbooks_url), "targetBlank": true, "tags": [],
        "asDropdown": false, "includeVars": false, "keepTime": false,
    })
}

fn plugin(kind: Kind) -> &'static str {
    match kind {
        Kind::Stat => "stat",
        Kind::TimeSeries | Kind::Stacked => "timeseries",
        Kind::Gauge => "gauge",
        Kind::BarGauge => "bargauge",
        Kind::Heatmap => "heatmap",
        Kind::Table => "table",
        Kind::StateTimeline => "state-timeline",
        Kind::Text => "text",
    }
}

fn targets(panel: &Panel) -> Value {
    let is_snapshot = matches!(panel.kind, Kind::BarGauge | Kind::Table | Kind::Gauge);
    let format = match panel.kind {
        Kind::Heatmap => "heatmap",
        Kind::Table => "table",
        _ => "time_series",
    };
    let target = |(place, query): (u8, &crate::query::Query)| {
        json!({
            "refId": char::from(b'A' + place).to_string(),
            "datasource": datasource(),
            "expr": query.expr,
            "legendFormat": query.legend,
            "format": format,
            "instant": is_snapshot,
            "range": !is_snapshot,
            "editorMode": "code",
        })
    };
    (0..).zip(&panel.queries).map(target).collect()
}

fn defaults(panel: &Panel, numbers: Numbers) -> Value {
    let by_threshold = !matches!(panel.kind, Kind::TimeSeries | Kind::Stacked);
    let mode = if by_threshold { "thresholds" } else { "palette-classic" };
    let mut field = json!({
        "unit": panel.unit.id(),
        "color": { "mode": mode },
        "thresholds": threshold::render(&panel.steps, numbers),
        "mappings": mappings(&panel.states),
        "custom": custom(panel, numbers),
    });
    if let Some(decimals) = panel.decimals {
        field["decimals"] = json!(decimals);
    }
    bounds(panel, &mut field);
    field
}

/// Shares are drawn from 0 to 1, or far below 1 every line would look like trouble.
fn bounds(panel: &Panel, field: &mut Value) {
    let is_share = panel.unit == Unit::Ratio;
    let is_dial = matches!(panel.kind, Kind::Gauge | Kind::BarGauge);
    let largest = panel.steps.iter().filter_map(Step::default_value).fold(0.0, f64::max);
    if is_share && (is_dial || largest >= 0.5) {
        field["min"] = json!(0);
        field["max"] = json!(1);
    } else if is_dial || panel.kind == Kind::Stacked {
        field["min"] = json!(0);
    }
}

fn mappings(states: &[State]) -> Value {
    let mut options = Map::new();
    for (index, state) in states.iter().enumerate() {
        let shown = json!({ "text": state.text, "color": state.colour, "index": index });
        options.insert(state.value.to_string(), shown);
    }
    if options.is_empty() { json!([]) } else { json!([{ "type": "value", "options": options }]) }
}

fn custom(panel: &Panel, numbers: Numbers) -> Value {
    match panel.kind {
        Kind::TimeSeries | Kind::Stacked => lines(panel, numbers),
        Kind::StateTimeline => json!({ "lineWidth": 0, "fillOpacity": 80 }),
        Kind::Table => json!({ "align": "auto", "inspect": false }),
        _ => json!({}),
    }
}

fn lines(panel: &Panel, numbers: Numbers) -> Value {
    let is_stacked = panel.kind == Kind::Stacked;
    let values = || panel.steps.iter().filter_map(|step| step.value);
    let style = if values().next().is_some() { "line" } else { "off" };
    let mut custom = json!({
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": if is_stacked { 40 } else { 8 },
        "showPoints": "never",
        "spanNulls": false,
        "stacking": { "mode": if is_stacked { "normal" } else { "none" }, "group": "A" },
        "thresholdsStyle": { "mode": style },
        "axisSoftMin": values().fold(0.0, f64::min),
    });
    if style == "line" {
        // A line outside of the axis is not drawn: the axis reaches a little beyond it.
        let by_number =
            |a: &&Step, b: &&Step| a.value.partial_cmp(&b.value).unwrap_or(Ordering::Equal);
        let highest = panel.steps.iter().max_by(by_number);
        custom["axisSoftMax"] = highest.map_or(json!(0), |step| step.times(1.1, numbers));
    }
    custom
}

fn options(panel: &Panel) -> Value {
    let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    let legend = json!({
        "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [],
    });
    match panel.kind {
        Kind::Stat => json!({
            "colorMode": "background", "graphMode": "none", "justifyMode": "auto",
            "orientation": "auto", "textMode": "auto", "reduceOptions": reduce,
        }),
        Kind::TimeSeries | Kind::Stacked => json!({
            "legend": legend, "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Kind::Gauge => json!({
            "orientation": "auto", "reduceOptions": reduce,
            "showThresholdLabels": false, "showThresholdMarkers": true,
        }),
        Kind::BarGauge => json!({
            "displayMode": "gradient", "orientation": "horizontal", "reduceOptions": reduce,
            "showUnfilled": true, "valueMode": "color",
        }),
        Kind::Heatmap => heatmap(panel.unit),
        Kind::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
        Kind::StateTimeline => json!({
            "alignValue": "left", "mergeValues": true, "rowHeight": 0.9, "showValue": "auto",
            "legend": legend, "tooltip": { "mode": "single", "sort": "none" },
        }),
        Kind::Text => json!({ "mode": "markdown", "content": "" }),
    }
}

/// The buckets are in the data: nothing is calculated again.
fn heatmap(unit: Unit) -> Value {
    json!({
        "calculate": false,
        "cellGap": 1,
        "cellValues": { "unit": "short" },
        "color": {
            "mode": "scheme", "scheme": "Oranges", "steps": 64, "reverse": false,
            "exponent": 0.5, "fill": "dark-orange", "scale": "exponential",
        },
        "exemplars": { "color": "rgba(255,0,255,0.7)" },
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "tooltip": { "mode": "single", "yHistogram": false, "showColorScale": false },
        "yAxis": { "axisPlacement": "left", "reverse": false, "unit": unit.id() },
    })
}
