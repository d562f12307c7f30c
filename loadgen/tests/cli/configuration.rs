//! What cannot be run is 104, with the reason, before anything is sent.

use crate::loadgen::{command, run, start};

#[test]
fn what_cannot_be_run_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let environments = folder.path().join("e.toml").display().to_string();
    let text = "[shop]\nurl = \"https://shop.prod.example\"\n[mine]\nurl = \"http://127.0.0.1:1\"\n\
                key_variable = \"NOT_SET_ANYWHERE\"\n";
    std::fs::write(&environments, text).unwrap();
    for (arguments, expect) in [
        (vec!["nothing"], "there is no profile `nothing`"),
        (vec!["missing.toml"], "cannot read the profile"),
        (vec!["smoke", "--threshold", "speed.p95 < 1s"], "there is no metric `speed.p95`"),
        (vec!["basic", "--threshold", "events.rate > 1/s"], "posts no event"),
        (vec!["smoke", "--threshold", "latency.p95 < 1s of ves"], "does not run the scenario"),
        (vec!["smoke", "--env", "none"], "there is no environment `none`"),
        (vec!["smoke", "--env", "mine"], "set NOT_SET_ANYWHERE"),
        (vec!["ingest", "--env", "shop"], "looks like production"),
        (vec!["smoke", "--env", "shop", "--rate", "500"], "--yes-really"),
        (vec!["smoke", "--url", "ftp://x"], "http or https"),
        (vec!["smoke", "--users", "0"], "users must be"),
        (vec!["smoke", "--rate", "0"], "rate must be"),
        (vec!["smoke", "--ramp", "soon"], "no duration"),
        (vec!["smoke", "--what"], "unexpected argument"),
        (vec!["smoke", "--env", "local", "--url", "http://x"], "cannot be used with"),
    ] {
        let mut all = vec!["run"];
        all.extend(arguments);
        all.extend(["--out", &out]);
        let mut command = command(&all);
        command.env("LOADGEN_ENVIRONMENTS", &environments);
        let ended = start(command).end();
        assert_eq!(ended.code, 104, "{all:?}: {ended:?}");
        assert!(ended.err.contains(expect), "{expect}: {ended:?}");
    }
}

#[test]
fn a_key_must_be_there_and_look_like_one() {
    for (key, expect) in [(None, "set SEQUENCER_API_KEY"), (Some("hunter2"), "holds no API key")] {
        let mut command = command(&["run", "smoke", "--url", "http://127.0.0.1:1"]);
        command.env_remove("SEQUENCER_API_KEY").envs(key.map(|key| ("SEQUENCER_API_KEY", key)));
        let ended = start(command).end();
        assert_eq!(ended.code, 104, "{ended:?}");
        assert!(ended.err.contains(expect) && !ended.err.contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn help_version_and_list_succeed() {
    for (arguments, expect) in [
        (vec!["--help"], "Exit codes"),
        (vec!["--version"], "loadgen"),
        (vec!["list"], "acceptance"),
        (vec!["run", "--help"], "--yes-really"),
    ] {
        let ended = run(&arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.out.contains(expect), "{ended:?}");
    }
}
