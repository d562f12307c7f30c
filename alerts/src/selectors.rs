//! Which series an expression asks for.

use promql_parser::parser::{self, Expr};

/// One selector of an expression: the metric and the labels it matches.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Selector {
    /// Name of the metric.
    pub metric: String,
    /// Labels that are matched.
    pub labels: Vec<String>,
}

/// The selectors of an expression, each once.
///
/// # Errors
/// When the text is no PromQL.
pub fn selectors(expression: &str) -> anyhow::Result<Vec<Selector>> {
    let parsed = parser::parse(expression).map_err(anyhow::Error::msg)?;
    let mut found = Vec::new();
    walk(&parsed, &mut found);
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(expression: &Expr, found: &mut Vec<Selector>) {
    match expression {
        Expr::VectorSelector(selector) => add(selector, found),
        Expr::MatrixSelector(matrix) => add(&matrix.vs, found),
        Expr::Aggregate(aggregate) => {
            walk(&aggregate.expr, found);
            if let Some(parameter) = &aggregate.param {
                walk(parameter, found);
            }
        }
        Expr::Binary(binary) => {
            walk(&binary.lhs, found);
            walk(&binary.rhs, found);
        }
        Expr::Unary(unary) => walk(&unary.expr, found),
        Expr::Paren(paren) => walk(&paren.expr, found),
        Expr::Subquery(subquery) => walk(&subquery.expr, found),
        Expr::Call(call) => call.args.args.iter().for_each(|argument| walk(argument, found)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn add(selector: &parser::VectorSelector, found: &mut Vec<Selector>) {
    let Some(metric) = selector.name.clone() else { return };
    let labels = selector.matchers.matchers.iter().map(|matcher| matcher.name.clone());
    let mut labels: Vec<String> = labels.collect();
    labels.sort();
    labels.dedup();
    found.push(Selector { metric, labels });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_found_wherever_they_stand() -> anyhow::Result<()> {
        let text =
            "(sum by (job) (rate(a{x=\"1\"}[5m])) / b > 0.1) and on (job) (-c{y!~\"z\"} > 2)";
        let found = selectors(text)?;
        let shown: Vec<String> =
            found.iter().map(|one| format!("{} {}", one.metric, one.labels.join(","))).collect();
        assert_eq!(shown, ["a x", "b ", "c y"]);
        assert!(selectors("sum(").is_err());
        Ok(())
    }
}
