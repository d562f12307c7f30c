//! What every board must keep, read from the JSON that Grafana gets: the rules of Grafana's
//! dashboard linter without an exclusion, and those of this house.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerting;
mod coverage;
mod dimension;
mod frame;
mod panels;
mod queries;

use alerts::overrides::{Overrides, RuleSet};
use promql_parser::parser::{self, Expr};
use serde_json::Value;

/// A window that nobody writes, in place of Grafana's own.
pub(crate) const RATE_INTERVAL: &str = "7m11s";

pub(crate) fn rule_set() -> RuleSet {
    RuleSet::new(&Overrides::default()).unwrap()
}

/// Every board as Grafana reads it.
pub(crate) fn boards() -> Vec<Value> {
    let files = dashboards::export::boards(&rule_set()).unwrap();
    files.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
}

pub(crate) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Panels that show data.
pub(crate) fn data_panels(board: &Value) -> impl Iterator<Item = &Value> {
    list(board, "/panels").iter().filter(|p| !["row", "text"].contains(&text(p, "/type")))
}

/// One target with where it is.
pub(crate) struct Target {
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) legend: String,
    pub(crate) expr: String,
}

pub(crate) fn targets() -> Vec<Target> {
    let mut found = Vec::new();
    for board in boards() {
        for panel in data_panels(&board) {
            for target in list(panel, "/targets") {
                let at = [text(&board, "/uid"), text(panel, "/title"), text(target, "/refId")];
                found.push(Target {
                    at: at.join(" / "),
                    kind: text(panel, "/type").to_owned(),
                    unit: text(panel, "/fieldConfig/defaults/unit").to_owned(),
                    legend: text(target, "/legendFormat").to_owned(),
                    expr: text(target, "/expr").to_owned(),
                });
            }
        }
    }
    assert!(found.len() > 200, "only {} targets: the reading is broken", found.len());
    found
}

/// The expression as Prometheus would get it.
pub(crate) fn parse(expr: &str) -> Expr {
    let sent = expr.replace("$__rate_interval", RATE_INTERVAL);
    parser::parse(&sent).unwrap_or_else(|error| panic!("{expr}: {error}"))
}

/// Calls `see` for every node with the functions around it, the innermost last.
pub(crate) fn walk<'a>(
    expr: &'a Expr,
    functions: &mut Vec<&'a str>,
    see: &mut dyn FnMut(&'a Expr, &[&'a str]),
) {
    see(expr, functions);
    match expr {
        Expr::Aggregate(aggregate) => {
            walk(&aggregate.expr, functions, see);
            if let Some(parameter) = &aggregate.param {
                walk(parameter, functions, see);
            }
        }
        Expr::Binary(binary) => {
            walk(&binary.lhs, functions, see);
            walk(&binary.rhs, functions, see);
        }
        Expr::Unary(unary) => walk(&unary.expr, functions, see),
        Expr::Paren(paren) => walk(&paren.expr, functions, see),
        Expr::Subquery(subquery) => walk(&subquery.expr, functions, see),
        Expr::Call(call) => {
            functions.push(call.func.name);
            for argument in &call.args.args {
                walk(argument, functions, see);
            }
            functions.pop();
        }
        Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => {}
    }
}

/// Fails with every complaint on a line of its own.
pub(crate) fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
