//! Dependencies: what runs is what was built, and it is known from what.

use super::Facts;
use super::check::{Check, Finding};
use crate::{COMMIT, VERSION};

pub(super) fn look(facts: &Facts<'_>) -> Vec<Finding> {
    vec![server_version(facts), origin()]
}

fn server_version(facts: &Facts<'_>) -> Finding {
    let check = Check::ServerVersion;
    match &facts.server {
        Err(why) => check.skipped(why),
        Ok(server) if server.version == VERSION => {
            check.pass(format!("the server and this program are version {VERSION}"))
        }
        Ok(server) => check.warn(
            format!("the server is version {}, this program is {VERSION}", server.version),
            "run the doctor of the image that is deployed, or finish the rollout",
        ),
    }
}

fn origin() -> Finding {
    let check = Check::BuildOrigin;
    match (cfg!(debug_assertions), COMMIT) {
        (true, _) => check.warn(
            "this is a debug build: slow, and checked less by the build",
            "deploy what `cargo build --release` makes",
        ),
        (false, "unknown") => check.warn(
            "this build does not know its commit, so its dependencies cannot be looked up",
            "set BUILD_COMMIT when building; then scan that commit's Cargo.lock",
        ),
        (false, commit) => check.pass(format!("built from commit {commit}")),
    }
}
