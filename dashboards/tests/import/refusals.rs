//! What the command says when Grafana, or something else, does not do what it was asked.

use crate::server::{Manner, Server, TOKEN};
use crate::{ends, import_as, imported, text};

/// Fails with exit code 1 and these words.
#[track_caller]
fn refused(server: &Server, expect: &[&str]) -> String {
    let done = import_as(Some(TOKEN), &["--grafana", &server.url()]);
    let said = text(&done);
    assert_eq!(done.status.code(), Some(1), "{said}");
    for part in expect {
        assert!(said.contains(part), "{part}: {said}");
    }
    said
}

#[test]
fn what_concerns_every_board_stops_at_once_and_says_what_to_do() {
    use Manner::{Answers, BreaksOff, Closes, Pours, Redirects};
    let html = "<html>Sign in</html>";
    let denied = r#"{"message":"You'll need additional permissions: dashboards:write"}"#;
    let missing = r#"{"message":"Not found"}"#;
    let broken = r#"{"message":"Failed to save dashboard"}"#;
    let is_it = "is this the URL of Grafana? perhaps a path prefix is missing";
    for (manner, expect) in [
        (Answers("GET", "/api/folders", 401, "{}"), &["(401: no reason)", "set GRAFANA_TOKEN"][..]),
        (Answers("GET", "/api/folders", 403, html), &["(403: no reason)", "folders:read"]),
        (Answers("POST", "/api/folders", 403, denied), &["the role Editor, or folders:create"]),
        (
            Answers("POST", "/api/dashboards/db", 403, denied),
            &["stopped at stateset-overview", "additional permissions", "dashboards:write"],
        ),
        (Answers("GET", "/api/folders", 404, html), &["answers 404", is_it]),
        (Answers("GET", "/api/folders", 404, missing), &["answers 404", is_it]),
        (Answers("GET", "/api/dashboards", 404, html), &["answers 404", is_it]),
        (Answers("GET", "/api/folders", 200, html), &["answers 200", is_it]),
        (Answers("POST", "/api/dashboards/db", 500, broken), &["(500: Failed to save dashboard)"]),
        (Answers("POST", "/api/folders", 409, broken), &["(409: Failed to save dashboard)"]),
        (Redirects("/login"), &["redirects to /login", "the URL at which Grafana's API"]),
        (Redirects("https://grafana.example/"), &["redirects to https://grafana.example/"]),
        (BreaksOff, &["does not answer: "]),
        (Closes, &["does not answer: "]),
        (Pours, &["more than 8 MiB"]),
    ] {
        let server = Server::start(manner);
        let said = refused(&server, expect);
        assert_eq!(said.lines().filter(|line| line.starts_with("dashboards: ")).count(), 1);
        assert!(server.posted("/api/dashboards/db").len() <= 1, "goes on: {said}");
    }
}

#[test]
fn what_concerns_one_board_does_not_stop_the_others() {
    use Manner::Answers;
    let post = |status, body| Answers("POST", "/api/dashboards/db", status, body);
    let exists = r#"{"status":"name-exists","message":"A board with this name exists"}"#;
    let plugin = r#"{"status":"plugin-dashboard","message":"The dashboard belongs to plugin X."}"#;
    let mismatch = r#"{"status":"version-mismatch","message":"changed by someone else"}"#;
    for (manner, expect) in [
        (post(412, exists), "(412 name-exists: A board with this name exists)"),
        (post(412, plugin), "(412 plugin-dashboard: The dashboard belongs to plugin X.)"),
        (post(412, mismatch), "(412 version-mismatch: changed by someone else)"),
        (post(400, r#"{"message":"bad"}"#), "(400: bad)"),
        (post(400, r#"{"message":"Cannot save provisioned dashboard"}"#), "change the file"),
    ] {
        let server = Server::start(manner);
        let said = refused(&server, &[expect, "dashboards: 9 of 9 boards failed"]);
        assert_eq!(said.matches(expect).count(), 9, "{said}");
        assert!(said.contains("\ncreated 0, updated 0, unchanged 0, failed 9\n"), "{said}");
    }

    let server = Server::start(Manner::AsGrafana);
    imported(&server, &[]);
    server.state().boards.get_mut("stateset-slo").unwrap().is_provisioned = true;
    ends(&imported(&server, &[]), "created 0, updated 0, unchanged 9");
    for uid in ["stateset-slo", "stateset-load"] {
        server.state().boards.get_mut(uid).unwrap().board["title"] = "Changed".into();
    }
    server.state().requests.clear();
    let said = refused(&server, &["stateset-slo          failed: a file manages this board"]);
    assert!(said.contains("\ncreated 0, updated 1, unchanged 7, failed 1\n"), "{said}");
    assert_eq!(server.posted("/api/dashboards/db").len(), 1, "a file's board is not written");
}

#[test]
fn a_wrong_url_or_token_is_said_and_never_shown() {
    let server = Server::start(Manner::AsGrafana);
    let url = server.url();
    let with_password = format!("http://admin:secret@{}", server.address);
    for (token, url, expect) in [
        (None, &*url, "set GRAFANA_TOKEN to the token of a service account"),
        (Some(" "), &url, "set GRAFANA_TOKEN to the token of a service account"),
        (Some("two\nlines"), &url, "GRAFANA_TOKEN holds characters that no token has"),
        (Some("of-another"), &url, "(401: Invalid API key)"),
        (None, &with_password, "(401: Invalid API key)"),
        (Some(TOKEN), "ftp://admin:secret@x", "--grafana is not an http or https URL"),
        (Some(TOKEN), "admin:secret@x", "--grafana is not an http or https URL"),
        (None, "http://admin:secret@127.0.0.1:1/g", "http://127.0.0.1:1/g does not answer: "),
    ] {
        let done = import_as(token, &["--grafana", url]);
        let said = text(&done);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(expect) && !said.contains("secret"), "{expect}: {said}");
    }
    let help = text(&import_as(Some(TOKEN), &["--help"]));
    assert!(help.contains("GRAFANA_TOKEN"), "{help}");
    assert_eq!(import_as(Some(TOKEN), &[]).status.code(), Some(2), "wrong usage");
}
