//! Commands inside a page: fenced blocks whose language is `sh` and one word more.

use regex::{Regex, RegexBuilder};

/// What a block is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Looks, changes nothing: run by drills and by `runbooks run`.
    Diagnosis,
    /// Ends the fault: run by drills.
    Mitigation,
    /// Run by the test of the guides.
    Run,
    /// For the reader: depends on where the system runs.
    Example,
}

/// One block.
#[derive(Clone, Debug)]
pub struct Block {
    /// What it is for.
    pub kind: Kind,
    /// Section in which it stands.
    pub section: String,
    /// What its output shows: a pattern over several lines.
    pub expect: Option<Regex>,
    /// What bash runs.
    pub script: String,
}

/// First line of a block that says what its output shows.
const EXPECT: &str = "# expect: ";

/// All blocks of a page, in their order.
///
/// # Errors
/// When a block of `sh` has no marker or an unknown one, does not end, or its pattern is none.
pub fn blocks(page: &str) -> anyhow::Result<Vec<Block>> {
    let mut found = Vec::new();
    let mut section = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut section);
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let Some(marker) = language.strip_prefix("sh") else { continue };
        let kind = match marker.trim() {
            "diagnosis" => Kind::Diagnosis,
            "mitigation" => Kind::Mitigation,
            "run" => Kind::Run,
            "example" => Kind::Example,
            other => anyhow::bail!("a block in `{section}` is marked `{other}`"),
        };
        let expect = inside.first().and_then(|line| line.strip_prefix(EXPECT));
        let pattern = |text| RegexBuilder::new(text).multi_line(true).build();
        let script = inside[usize::from(expect.is_some())..].join("\n");
        let expect = expect.map(pattern).transpose()?;
        found.push(Block { kind, section: section.clone(), expect, script });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_section_and_pattern() {
        let page = "## Look\n\n```sh diagnosis\n# expect: ^a.b$\necho one\necho two\n```\n\
                    ```promql\nup\n```\n## End\n```sh mitigation\ntrue\n```\n";
        let found = blocks(page).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind, found[0].section.as_str()), (Kind::Diagnosis, "Look"));
        assert_eq!(found[0].script, "echo one\necho two");
        assert!(found[0].expect.as_ref().unwrap().is_match("x\na-b\ny"));
        assert_eq!((found[1].kind, found[1].section.as_str()), (Kind::Mitigation, "End"));
        assert!(found[1].expect.is_none());
    }

    #[test]
    fn mistakes_are_refused() {
        for wrong in
            ["```sh\nls\n```", "```sh diagnose\nls\n```", "```sh run\n# expect: (\nls\n```"]
        {
            assert!(blocks(wrong).is_err(), "{wrong}");
        }
    }
}
