//! The unit of a panel is the unit of what it asks: seconds are not shown as bytes.

use promql_parser::parser::token::{T_ADD, T_DIV, T_MUL, T_SUB};
use promql_parser::parser::{BinaryExpr, Expr};

use crate::{Target, parse, report, targets};

/// Powers of seconds and of bytes. Things that are counted have neither.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Dimension {
    seconds: i8,
    bytes: i8,
}

const NUMBER: Dimension = Dimension { seconds: 0, bytes: 0 };
const SECONDS: Dimension = Dimension { seconds: 1, bytes: 0 };
const BYTES: Dimension = Dimension { seconds: 0, bytes: 1 };

impl Dimension {
    fn per(self, other: Self) -> Self {
        Self { seconds: self.seconds - other.seconds, bytes: self.bytes - other.bytes }
    }
}

/// From the last word of a name, as the naming rules have it.
fn of_name(name: &str) -> Dimension {
    if name.starts_with("job_instance:") {
        return NUMBER.per(SECONDS);
    }
    if name.ends_with("_bucket") || name.ends_with("_count") {
        return NUMBER;
    }
    of_family(name.trim_end_matches("_sum"))
}

fn of_family(name: &str) -> Dimension {
    match name.trim_end_matches("_total").rsplit('_').next() {
        Some("seconds") => SECONDS,
        Some("bytes") => BYTES,
        _ => NUMBER,
    }
}

fn of(expr: &Expr) -> Dimension {
    match expr {
        Expr::VectorSelector(selector) => of_name(selector.name.as_deref().unwrap_or_default()),
        Expr::MatrixSelector(matrix) => of_name(matrix.vs.name.as_deref().unwrap_or_default()),
        Expr::Aggregate(aggregate) => match aggregate.op.to_string().as_str() {
            "count" => NUMBER,
            _ => of(&aggregate.expr),
        },
        Expr::Paren(paren) => of(&paren.expr),
        Expr::Unary(unary) => of(&unary.expr),
        Expr::Subquery(subquery) => of(&subquery.expr),
        Expr::Binary(binary) => of_binary(binary),
        Expr::Call(call) => match (call.func.name, call.args.args.as_slice()) {
            ("time", _) => SECONDS,
            ("rate" | "irate", [range]) => of(range).per(SECONDS),
            ("changes" | "count_over_time", _) => NUMBER,
            ("histogram_quantile", [_, buckets]) => of_family(&family(buckets)),
            (_, [first, ..]) => of(first),
            _ => NUMBER,
        },
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => NUMBER,
    }
}

fn of_binary(binary: &BinaryExpr) -> Dimension {
    let (left, right) = (of(&binary.lhs), of(&binary.rhs));
    let operator = binary.op.id();
    if operator == T_MUL {
        Dimension { seconds: left.seconds + right.seconds, bytes: left.bytes + right.bytes }
    } else if operator == T_DIV {
        left.per(right)
    } else {
        if operator == T_ADD || operator == T_SUB {
            assert_eq!(left, right, "{binary:?} adds what cannot be added");
        }
        left
    }
}

/// Name of the histogram whose buckets are asked for.
fn family(expr: &Expr) -> String {
    let mut name = String::new();
    crate::walk(expr, &mut Vec::new(), &mut |node, _| {
        let selector = match node {
            Expr::VectorSelector(selector) => selector,
            Expr::MatrixSelector(matrix) => &matrix.vs,
            _ => return,
        };
        name = selector.name.clone().unwrap_or_default();
    });
    name.strip_suffix("_bucket").unwrap_or_else(|| panic!("{name}: no buckets")).to_owned()
}

/// A share: one measured thing of another of the same kind, or a metric that says so.
fn is_share(expr: &Expr) -> bool {
    match expr {
        Expr::VectorSelector(selector) => {
            selector.name.as_deref().is_some_and(|name| name.ends_with("_ratio"))
        }
        Expr::Paren(paren) => is_share(&paren.expr),
        Expr::Aggregate(aggregate) => is_share(&aggregate.expr),
        Expr::Binary(binary) => {
            let measured = !matches!(*binary.rhs, Expr::NumberLiteral(_));
            binary.op.id() == T_DIV && measured && of(&binary.lhs) == of(&binary.rhs)
        }
        _ => false,
    }
}

fn units(expr: &str, parsed: &Expr) -> &'static [&'static str] {
    match of(parsed) {
        NUMBER if is_share(parsed) => &["percentunit"],
        NUMBER => &["short", "none", "percentunit"],
        SECONDS if expr.ends_with(" * 1000") => &["dateTimeFromNow"],
        SECONDS => &["s"],
        BYTES => &["bytes"],
        Dimension { seconds: -1, bytes: 0 } if expr.ends_with(" * 60") => &["cpm"],
        Dimension { seconds: -1, bytes: 0 } => &["cps", "reqps"],
        Dimension { seconds: -1, bytes: 1 } => &["binBps"],
        _ => &[],
    }
}

#[test]
fn units_fit_what_is_measured() {
    let mut complaints = Vec::new();
    for Target { at, kind, unit, expr, .. } in targets() {
        let parsed = parse(&expr);
        let fit = if kind == "heatmap" {
            match of_family(&family(&parsed)) {
                SECONDS => &["s"],
                BYTES => &["bytes"],
                _ => &["short"],
            }
        } else {
            units(&expr, &parsed)
        };
        if !fit.contains(&unit.as_str()) {
            complaints.push(format!("{at}: {unit}, but {expr} is {fit:?}"));
        }
    }
    report(&complaints);
}

#[test]
fn dimensions_are_what_physics_says() {
    for (expr, expect) in [
        ("rate(a_total[5m])", "cps"),
        ("rate(a_seconds_total[5m])", "short"),
        ("sum(rate(a_seconds_sum[5m])) / sum(rate(a_seconds_count[5m]))", "s"),
        ("histogram_quantile(0.9, rate(a_bytes_bucket[5m]))", "bytes"),
        ("a_bytes / b_bytes", "percentunit"),
        ("time() - a_timestamp_seconds", "s"),
        ("rate(a_bytes_total[5m])", "binBps"),
        ("sum(a_timestamp_seconds) * 1000", "dateTimeFromNow"),
    ] {
        assert_eq!(units(expr, &parse(expr))[0], expect, "{expr}");
    }
}
