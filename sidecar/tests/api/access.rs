//! Who may see what: the token, the names under which the sidecar answers, and guesses.

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::stack::Stack;

const TOKEN: &str = "a-token-of-some-length";
const OPEN: [&str; 3] = ["/metrics", "/health", "/ready"];
const GUARDED: [&str; 6] =
    ["/", "/api/status", "/api/history", "/bundle", "/runbooks/SequencerDown", "/nothing"];

async fn send(request: RequestBuilder) -> (StatusCode, Response) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer)
}

#[tokio::test]
async fn with_a_token_only_its_holder_sees_more_than_metrics_and_health() {
    let stack = Stack::start(&[&format!("--sidecar-token={TOKEN}")]);
    let (http, at) = (Client::new(), |path: &str| format!("{}{path}", stack.sidecar.url));
    for path in OPEN {
        assert_eq!(stack.sidecar.get(path).await.status, 200, "{path}");
    }
    for path in GUARDED {
        let (status, answer) = send(http.get(at(path))).await;
        assert_eq!(status, 401, "{path}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(challenge.starts_with("Basic realm="), "or no browser asks: {challenge}");
        assert_eq!(answer.headers()["x-error-code"], "AUTH_REQUIRED");
        let body: Value = answer.json().await.unwrap();
        assert!(body["error"]["message"].as_str().unwrap().contains("SIDECAR_TOKEN"), "{body}");

        let expected = match path {
            "/runbooks/SequencerDown" | "/nothing" => 404,
            _ => 200,
        };
        let (bearer, _) = send(http.get(at(path)).bearer_auth(TOKEN)).await;
        let (basic, _) = send(http.get(at(path)).basic_auth("anyone", Some(TOKEN))).await;
        assert_eq!((bearer.as_u16(), basic.as_u16()), (expected, expected), "{path}");

        for wrong in [http.get(at(path)).bearer_auth("a-token-of-some-lengtH")] {
            let (status, answer) = send(wrong).await;
            assert_eq!(status, 401, "{path}");
            assert_eq!(answer.headers()["x-error-code"], "INVALID_TOKEN");
            let text = answer.text().await.unwrap();
            assert!(text.contains("not that of SIDECAR_TOKEN") && !text.contains(TOKEN), "{text}");
        }
    }
    // Another scheme, an empty one, and the token where a name belongs.
    for request in [
        http.get(at("/")).header("authorization", format!("ApiKey {TOKEN}")),
        http.get(at("/")).header("authorization", ""),
        http.get(at("/")).basic_auth(TOKEN, Some("")),
        http.get(format!("{}?token={TOKEN}", at("/api/status"))),
    ] {
        assert_eq!(send(request).await.0, 401);
    }
    // A name is no matter while there is a token.
    let named = http.get(at("/")).bearer_auth(TOKEN).header("host", "sidecar.example");
    assert_eq!(send(named).await.0, 200);
}

#[tokio::test]
async fn an_address_that_guesses_is_made_to_wait() {
    let stack = Stack::start(&[&format!("--sidecar-token={TOKEN}")]);
    let (http, url) = (Client::new(), format!("{}/api/status", stack.sidecar.url));
    let mut refused = None;
    for guess in 0..40 {
        let wrong = http.get(&url).bearer_auth(format!("guess-number-{guess}"));
        let (status, answer) = send(wrong).await;
        if status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(status, 401);
    }
    let refused = refused.expect("forty guesses are too many");
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=4).contains(&wait), "{wait}");
    assert_eq!(stack.sidecar.get("/metrics").await.status, 200, "what is open stays open");
    // It says when to come back, and means it: polled, because a timer may be late.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(wait + 10);
    while send(http.get(&url).bearer_auth(TOKEN)).await.0 != 200 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn without_a_token_a_web_page_elsewhere_cannot_read_through_its_own_name() {
    let stack = Stack::start(&["--sidecar-allowed-hosts=Status.Example, ::9"]);
    let http = Client::new();
    for (host, expect) in [
        ("localhost:9091", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("status.example:443", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("localhost@evil.example", 403),
        ("10.0.0.1:9091", 403),
        ("", 403),
    ] {
        for path in GUARDED {
            let url = format!("{}{path}", stack.sidecar.url);
            let (status, answer) = send(http.get(&url).header("host", host)).await;
            let expect = match path {
                "/runbooks/SequencerDown" | "/nothing" if expect == 200 => 404,
                _ => expect,
            };
            assert_eq!(status.as_u16(), expect, "{host} {path}");
            if expect == 403 {
                let text = answer.text().await.unwrap();
                assert!(text.contains("SIDECAR_ALLOWED_HOSTS"), "{text}");
            }
        }
        // A scraper calls a pod by its address.
        let url = format!("{}/metrics", stack.sidecar.url);
        assert_eq!(send(http.get(&url).header("host", host)).await.0, 200, "{host}");
    }
}

#[tokio::test]
async fn names_bind_also_beside_a_token_when_they_are_given() {
    let stack =
        Stack::start(&[&format!("--sidecar-token={TOKEN}"), "--sidecar-allowed-hosts=a.example"]);
    let url = format!("{}/api/status", stack.sidecar.url);
    for (host, expect) in [("a.example", 200), ("localhost", 200), ("b.example", 403)] {
        let request = Client::new().get(&url).bearer_auth(TOKEN).header("host", host);
        assert_eq!(send(request).await.0.as_u16(), expect, "{host}");
    }
}
