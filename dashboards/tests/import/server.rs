//! A small Grafana: folders and boards with real state behind the API that an import uses.
//!
//! It answers as Grafana's source does, so it checks our client and nothing about Grafana.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// The token that it accepts.
pub(crate) const TOKEN: &str = "glsa_of_the_test_0123456789";
/// `admin` and the password `pass word`, as Basic authorization has them.
const BASIC: &str = "Basic YWRtaW46cGFzcyB3b3Jk";

/// How it answers.
#[derive(Clone, Copy, Default)]
pub(crate) enum Manner {
    #[default]
    AsGrafana,
    /// Every request of this method, and of a path that begins so, gets this answer.
    Answers(&'static str, &'static str, u16, &'static str),
    /// Every request is redirected there.
    Redirects(&'static str),
    /// Every answer ends in its middle.
    BreaksOff,
    /// Closes without an answer.
    Closes,
    /// An answer without an end.
    Pours,
    /// Somebody else makes the folder just before we do.
    LosesTheRace,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// A board as it is kept.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) board: Value,
    pub(crate) folder_uid: String,
    pub(crate) is_provisioned: bool,
}

/// What it holds, and what it heard.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) manner: Manner,
    /// What stands before `/api`.
    pub(crate) prefix: &'static str,
    /// Titles by uid.
    pub(crate) folders: BTreeMap<String, String>,
    pub(crate) boards: BTreeMap<String, Kept>,
    pub(crate) requests: Vec<Request>,
}

/// A server on a free port. Its threads end with the test program.
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { manner, ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(socket, &state));
            }
        });
        Self { state, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The bodies posted to a path since the last call; forgets every request.
    pub(crate) fn posted(&self, path: &str) -> Vec<Value> {
        let requests = std::mem::take(&mut self.state().requests);
        let to = |request: &Request| request.method == "POST" && request.path == path;
        requests.into_iter().filter(to).map(|request| request.body).collect()
    }
}

/// Requests of one connection, until the client ends it.
fn serve(socket: TcpStream, state: &Mutex<State>) {
    let mut answers = socket.try_clone().unwrap();
    let mut reader = BufReader::new(socket);
    while let Some((request, authorization)) = read(&mut reader) {
        let (manner, (status, body)) = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            (state.manner, state.answer(&request, &authorization))
        };
        let mut head = format!("HTTP/1.1 {status} Status\r\n");
        let mut length = body.len();
        match manner {
            Manner::Closes => return,
            Manner::BreaksOff => length += 10,
            Manner::Pours => length = usize::MAX >> 1,
            Manner::Redirects(to) => head += &format!("location: {to}\r\n"),
            _ => {}
        }
        head += &format!("content-length: {length}\r\n\r\n{body}");
        if answers.write_all(head.as_bytes()).is_err() {
            return;
        }
        if matches!(manner, Manner::Pours) {
            while answers.write_all(&[b' '; 65536]).is_ok() {}
        }
        if length != body.len() {
            return;
        }
    }
}

impl State {
    fn answer(&mut self, request: &Request, authorization: &str) -> (u16, String) {
        match self.manner {
            Manner::Answers(method, path, status, body)
                if request.method == method && request.path.starts_with(path) =>
            {
                return (status, body.to_owned());
            }
            Manner::Redirects(_) => return (302, String::new()),
            _ => {}
        }
        let Some(path) = request.path.strip_prefix(self.prefix) else {
            return (404, "<html>404 page not found</html>".to_owned());
        };
        if authorization != format!("Bearer {TOKEN}") && authorization != BASIC {
            return said(401, &json!({ "message": "Invalid API key" }));
        }
        match (request.method.as_str(), path) {
            ("GET", path) if path.starts_with("/api/folders?") => self.list(path),
            ("POST", "/api/folders") => self.make(&request.body),
            ("POST", "/api/dashboards/db") => self.save(&request.body),
            ("GET", path) => match path.strip_prefix("/api/dashboards/uid/") {
                Some(uid) => self.board(uid),
                None => said(404, &json!({ "message": "Not found" })),
            },
            _ => said(404, &json!({ "message": "Not found" })),
        }
    }

    fn list(&self, path: &str) -> (u16, String) {
        let page = path.strip_prefix("/api/folders?limit=1000&page=").unwrap();
        let skip = (page.parse::<usize>().unwrap() - 1) * 1000;
        let folders = self.folders.iter().skip(skip).take(1000);
        let list = folders.map(|(uid, title)| json!({ "id": 1, "uid": uid, "title": title }));
        (200, Value::Array(list.collect()).to_string())
    }

    fn make(&mut self, body: &Value) -> (u16, String) {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let (uid, title) = (text("uid"), text("title"));
        if matches!(self.manner, Manner::LosesTheRace) {
            self.folders.insert("made-by-another".to_owned(), title.clone());
        }
        if self.folders.contains_key(&uid) || self.folders.values().any(|there| *there == title) {
            let message = "a folder with the same name already exists in the current location";
            return said(409, &json!({ "message": message }));
        }
        self.folders.insert(uid.clone(), title.clone());
        said(200, &json!({ "id": 1, "uid": uid, "title": title, "version": 1 }))
    }

    fn board(&self, uid: &str) -> (u16, String) {
        let Some(kept) = self.boards.get(uid) else {
            return said(404, &json!({ "message": "Dashboard not found", "status": "not-found" }));
        };
        let title = self.folders.get(&kept.folder_uid).map_or("General", String::as_str);
        let meta = json!({
            "folderUid": kept.folder_uid, "folderTitle": title,
            "version": kept.board["version"], "provisioned": kept.is_provisioned,
        });
        said(200, &json!({ "dashboard": kept.board, "meta": meta }))
    }

    fn save(&mut self, body: &Value) -> (u16, String) {
        let mut board = body["dashboard"].clone();
        let uid = board["uid"].as_str().unwrap().to_owned();
        let folder_uid = body["folderUid"].as_str().unwrap_or_default().to_owned();
        if !folder_uid.is_empty() && !self.folders.contains_key(&folder_uid) {
            return said(400, &json!({ "message": "folder not found" }));
        }
        let before = self.boards.get(&uid);
        if before.is_some_and(|kept| kept.is_provisioned) {
            return said(400, &json!({ "message": "Cannot save provisioned dashboard" }));
        }
        let version = before.map_or(0, |kept| kept.board["version"].as_u64().unwrap());
        if version > 0 && body["overwrite"] != true && board["version"] != version {
            let message = "The dashboard has been changed by someone else";
            return said(412, &json!({ "status": "version-mismatch", "message": message }));
        }
        board["id"] = json!(self.boards.len() + 100);
        board["version"] = json!(version + 1);
        self.boards.insert(uid.clone(), Kept { board, folder_uid, is_provisioned: false });
        said(200, &json!({ "uid": uid, "status": "success", "version": version + 1 }))
    }
}

fn said(status: u16, body: &Value) -> (u16, String) {
    (status, body.to_string())
}

/// A request and its authorization.
fn read(reader: &mut BufReader<TcpStream>) -> Option<(Request, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let header = |name: &str| {
        let of = |line: &str| {
            let (header, value) = line.split_once(": ")?;
            header.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        head.lines().find_map(of)
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    let mut words = head.split(' ').map(str::to_owned);
    let request = Request { method: words.next()?, path: words.next()?, body };
    Some((request, header("authorization").unwrap_or_default()))
}
