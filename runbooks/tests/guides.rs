//! The guides' commands: what is marked `run` is pasted into a shell beside a running system, and
//! must do what it says; the rest must at least parse.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runbooks::block::{Kind, blocks};
use testbed::program::program;
use testbed::stack::{ADMIN_KEY, Stack, sqlite_url};
use testbed::writer::Writer;

/// Guides with commands, and how many of them are run.
const GUIDES: [&str; 4] =
    ["operations", "security-hardening", "performance-sla", "production-readiness"];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_guides_do_what_they_say() {
    let stack = Stack::start(&["--canary-interval-secs=1"]);
    Writer::register(&stack.sequencer).await.post(5).await;
    let programs = program("sequencer").parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut runs = 0;
    for guide in GUIDES {
        let text = std::fs::read_to_string(docs().join(format!("{guide}.md"))).unwrap();
        let here = tempfile::tempdir().unwrap();
        for block in blocks(&text).unwrap() {
            let mut bash = Command::new("bash");
            if block.kind != Kind::Run {
                let parsed = bash.args(["-n", "-c", &block.script]).output().unwrap();
                let said = String::from_utf8_lossy(&parsed.stderr);
                assert!(parsed.status.success(), "{guide}: {said}\n{}", block.script);
                continue;
            }
            runs += 1;
            let output = bash
                .args(["-c", &block.script])
                .current_dir(here.path())
                .env_clear()
                .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
                .env("PATH", &path)
                .env("SEQUENCER_URL", &stack.sequencer.url)
                .env("OPS_URL", &stack.sequencer.operations_url)
                .env("SIDECAR_URL", &stack.sidecar.url)
                .env("DATABASE_URL", sqlite_url(stack.folder.path()))
                .env("SEQUENCER_API_KEY", ADMIN_KEY)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let said =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let at = format!("{guide}, {}:\n{}\n{said}", block.section, block.script);
            assert!(output.status.success(), "{at}");
            assert!(block.expect.is_none_or(|expect| expect.is_match(&said)), "{at}");
        }
    }
    assert!(runs >= 10, "{runs} blocks of the guides are run");
}
