//! A folder, and the uid that an import gives to one it makes.

use serde::{Deserialize, Serialize};

/// Grafana's own limit.
const MAX_UID_CHARACTERS: usize = 40;

/// A folder of boards.
#[derive(Deserialize, Serialize)]
pub struct Folder {
    /// Its name in URLs and requests.
    pub uid: String,
    pub(super) title: String,
}

impl Folder {
    /// The folder that an import makes for this title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { uid: uid(title), title: title.to_owned() }
    }
}

/// The title in small letters and dashes. Where that says less than the title or is too long, a
/// hash of the title follows: the same title has the same uid in every Grafana and version of ours.
fn uid(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut uid = words.join("-").to_ascii_lowercase();
    let is_plain = words.join(" ") == title;
    if !is_plain || uid.len() > MAX_UID_CHARACTERS {
        let hash = format!("{:08x}", fnv1a(title));
        uid.truncate(MAX_UID_CHARACTERS - 1 - hash.len());
        uid = format!("{}-{hash}", uid.trim_end_matches('-')).trim_start_matches('-').to_owned();
    }
    uid
}

/// FNV-1a of 32 bits: the standard library's hash may change with a compiler.
fn fnv1a(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_has_one_short_uid_for_ever() {
        for (title, expect) in [
            ("StateSet Sequencer", "stateset-sequencer"),
            ("Team A", "team-a"),
            ("team: a", "team-a-b2a456a5"),
            ("Überwachung", "berwachung-815a57cc"),
            ("監視", "cc294878"),
            (
                "Boards of the sequencer that a long name has",
                "boards-of-the-sequencer-that-a-905eb4ba",
            ),
        ] {
            let uid = uid(title);
            assert_eq!(uid, expect, "{title}");
            assert!(uid.len() <= MAX_UID_CHARACTERS, "{uid}");
        }
    }
}
