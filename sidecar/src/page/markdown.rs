//! Markdown as HTML that cannot do anything: HTML in it is shown as text, and links lead only to
//! the web, to mail and to other runbooks.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::runbooks::is_name;

/// Renders a page.
pub(super) fn to_html(markdown: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    // Whether the link that is open is shown as one; links do not nest.
    let mut linked = true;
    let events = Parser::new_ext(markdown, options).filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = destination(&dest_url).map(CowStr::from);
            linked = dest_url.is_some();
            dest_url.map(|dest_url| Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link) => linked.then_some(Event::End(TagEnd::Link)),
        // Its description remains.
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        event => Some(event),
    });
    let mut page = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut page, events);
    page
}

/// Where a link may lead; a page beside this one is named with `.md` in the repository.
fn destination(target: &str) -> Option<String> {
    let lower = target.to_ascii_lowercase();
    if ["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Some(target.to_owned());
    }
    let name = target.strip_prefix("./").unwrap_or(target).strip_suffix(".md")?;
    is_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_harmless_html() {
        for (markdown, expect) in [
            ("# A", "<h1>A</h1>\n"),
            ("a <b>c</b>", "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"),
            ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
            ("[a](javascript:x)", "<p>a</p>\n"),
            ("[a](JavaScript:x) [b](data:x)", "<p>a b</p>\n"),
            ("[a](../docs/x.md)", "<p>a</p>\n"),
            ("[a](Other.md)", "<p><a href=\"Other\">a</a></p>\n"),
            ("[a](https://e/?\"<)", "<p><a href=\"https://e/?%22%3C\">a</a></p>\n"),
            ("![a](https://e/i.png)", "<p>a</p>\n"),
            ("```sh\na < b\n```", "<pre><code class=\"language-sh\">a &lt; b\n</code></pre>\n"),
        ] {
            assert_eq!(to_html(markdown), expect, "{markdown}");
        }
    }
}
