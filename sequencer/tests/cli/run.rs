//! `dev`, `demo`, `verify`, `config` and `migrate` as they are when all is well.

use crate::program::Folder;

/// The pasteable line of the demo that holds a text.
fn advice(output: &str, text: &str) -> String {
    let line = output.lines().rev().find(|line| line.contains(text));
    line.unwrap_or_else(|| panic!("no line with {text} in {output}")).to_owned()
}

#[test]
fn the_demo_proves_itself_and_its_advice_works() {
    let folder = Folder::new();
    let (server, url) = folder.serve();
    let told = folder.run(&["demo", "--url", &url]).succeeded().stdout;
    assert_eq!(told.matches('\u{2713}').count(), 9, "{told}");
    assert!(!told.contains(folder.read("data/bootstrap.key").trim()), "the key is not shown");
    assert!(advice(&told, "curl").contains("$(cat data/bootstrap.key)"), "{told}");

    let verified = folder.shell(&advice(&told, " verify --url ")).succeeded().stdout;
    for line in ["events       5 of 5", "commitments  1", "checked with every event"] {
        assert!(verified.contains(line), "{verified}");
    }
    let as_json = folder.shell(&format!("{} --json", advice(&told, " verify --url ")));
    let as_json: serde_json::Value = serde_json::from_str(&as_json.succeeded().stdout).unwrap();
    assert_eq!((&as_json["sound"], &as_json["events"]), (&true.into(), &5.into()));
    assert_eq!(as_json["receipts_checked"], true);

    // Without a name, every stream there is.
    folder.run(&["demo", "--url", &url]).succeeded();
    let all = folder.run(&["verify", "--json", "--url", &url]).succeeded().stdout;
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!((&all["streams"], &all["events"]), (&2.into(), &10.into()), "{all}");

    // A server elsewhere is not shown the key of this folder by itself.
    let elsewhere = folder.run(&["demo", "--url", "http://sequencer.invalid"]);
    elsewhere.refused(1, "no API key: set SEQUENCER_API_KEY or name a file with --api-key-file");
    server.stop();
}

#[test]
fn dev_can_be_repeated_and_leaves_a_sound_store() {
    let folder = Folder::new();
    for _ in 0..2 {
        let mut dev = folder.start(&["dev"]);
        dev.wait_for("Running until Ctrl-C");
        let in_use = folder.run(&["verify"]);
        in_use.refused(1, "the store data/sequencer.db is in use by another process");
        assert!(in_use.stderr.contains("--url"), "{}", in_use.stderr);
        let ended = dev.stop();
        assert_eq!(ended.stdout.matches('\u{2713}').count(), 9, "{}", ended.stdout);
        assert_eq!(ended.stderr, "", "a development server is quiet");
    }
    let before = std::fs::read(folder.path("data/sequencer.db")).unwrap();
    let verified = folder.run(&["verify"]).succeeded().stdout;
    for line in ["streams      2", "events       10 of 10", "commitments  2", "the log is sound"] {
        assert!(verified.contains(line), "{verified}");
    }
    let after = std::fs::read(folder.path("data/sequencer.db")).unwrap();
    assert!(before == after, "verify changes nothing");
}

#[test]
fn dev_refuses_what_is_not_development_and_a_port_in_use() {
    let folder = Folder::new();
    folder.run(&["dev", "--host", "0.0.0.0"]).refused(1, "`dev` is for this machine only");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = folder.run(&["dev", "--port", &port]);
    refused.refused(1, &format!("cannot listen on 127.0.0.1:{port} (PORT)"));
}

#[test]
fn config_shows_no_secret_and_migrate_makes_a_store() {
    let folder = Folder::new();
    let secret = format!("ss_{}", "s".repeat(40));
    for flag in ["--bootstrap-admin-api-key", "--bootstrap-sidecar-api-key"] {
        let shown = folder.run(&["config", flag, &secret]).succeeded().stdout;
        let name = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
        assert!(shown.contains(&format!("{name}=(redacted)")), "{shown}");
        assert!(!shown.contains(&secret), "{shown}");
    }

    let migrated = folder.run(&["migrate"]).succeeded().stdout;
    assert!(migrated.contains("sqlite://data/sequencer.db is up to date"), "{migrated}");
    folder.run(&["migrate"]).succeeded();
    let verified = folder.run(&["verify"]).succeeded().stdout;
    assert!(verified.contains("streams      0"), "{verified}");
}
