//! `dashboards list`.

use std::process::ExitCode;

use super::{BoardArgs, say};
use crate::boards;

/// One line a board.
///
/// # Errors
/// When the overrides are wrong.
pub fn list(arguments: &BoardArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.rules()?;
    for board in boards::all(&set) {
        let panels = board.panels().count();
        let alerts = board.panels().map(|panel| panel.alerts.len()).sum::<usize>();
        let (uid, title, about) = (board.uid, board.title, board.about);
        say(&format!("{uid:20}  {panels:3} panels  {alerts:2} alerts  {title:32}  {about}"));
    }
    Ok(ExitCode::SUCCESS)
}
