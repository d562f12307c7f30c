//! The words of a text panel as a tree of elements, because a page makes no markup of data.

use pulldown_cmark::{Event, Parser, Tag};
use serde_json::{Value, json};

/// `["p", "words and ", ["em", "more"]]` for each block.
pub(super) fn tree(markdown: &str) -> Value {
    let mut open = vec![vec![json!("div")]];
    for event in Parser::new(markdown) {
        let grown = match event {
            Event::Start(tag) => {
                open.push(vec![json!(element(&tag))]);
                continue;
            }
            Event::End(_) => open.pop().map(Value::Array),
            Event::Code(text) => Some(json!(["code", text.as_ref()])),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                Some(json!(text.as_ref()))
            }
            Event::SoftBreak => Some(json!(" ")),
            Event::HardBreak => Some(json!(["br"])),
            Event::Rule => Some(json!(["hr"])),
            _ => None,
        };
        if let (Some(grown), Some(parent)) = (grown, open.last_mut()) {
            parent.push(grown);
        }
    }
    open.into_iter().next().map(Value::Array).unwrap_or_default()
}

/// Of a link or a picture only the words remain.
fn element(tag: &Tag<'_>) -> &'static str {
    match tag {
        Tag::Paragraph => "p",
        Tag::Heading { .. } => "h4",
        Tag::CodeBlock(_) => "pre",
        Tag::List(None) => "ul",
        Tag::List(Some(_)) => "ol",
        Tag::Item => "li",
        Tag::Emphasis => "em",
        Tag::Strong => "strong",
        _ => "span",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_a_tree_of_harmless_elements() {
        for (markdown, expect) in [
            ("a *b*\nc `d`", json!(["div", ["p", "a ", ["em", "b"], " ", "c ", ["code", "d"]]])),
            ("a <b>", json!(["div", ["p", "a ", "<b>"]])),
            ("[a](javascript:x)", json!(["div", ["p", ["span", "a"]]])),
            ("* a", json!(["div", ["ul", ["li", "a"]]])),
        ] {
            assert_eq!(tree(markdown), expect, "{markdown}");
        }
    }
}
