//! Grafana's HTTP API, as far as an import needs it. Prints nothing; an error says what to do.

mod error;
mod folder;

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use error::GrafanaError;
use error::sentence;
pub use folder::Folder;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// For one answer: Grafana on a busy database takes seconds to save a board.
const LIMIT: Duration = Duration::from_secs(30);
/// Our largest board has 150 KB; a thousand folders of an old Grafana have 500 KB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Folders a page: the most that Grafana gives.
const PAGE_FOLDERS: usize = 1000;
/// A server that never ends its list is not asked for ever.
const MAX_PAGES: usize = 50;

/// A text that is never shown: a token, or a URL that may hold a password.
#[derive(Clone)]
pub struct Secret(String);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[hidden]")
    }
}

type Result<T> = std::result::Result<T, GrafanaError>;

/// A board as Grafana has it.
#[derive(Deserialize)]
pub struct Saved {
    /// What was saved, with Grafana's `id` and `version`.
    pub dashboard: Value,
    /// What Grafana knows of it.
    pub meta: Meta,
}

/// What Grafana knows of a board.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Empty at the root.
    #[serde(default)]
    pub folder_uid: String,
    #[serde(default)]
    folder_title: String,
    /// Whether a file manages it.
    #[serde(default)]
    pub provisioned: bool,
}

impl Meta {
    /// The name of the board's folder.
    #[must_use]
    pub fn folder(&self) -> String {
        let title = sentence(&self.folder_title);
        if title.is_empty() { "the root".to_owned() } else { title }
    }
}

/// A client of one Grafana.
pub struct Grafana {
    http: reqwest::Client,
    /// With user and password where they are given; `reqwest` sends them as Basic authorization.
    base: Url,
    /// Without them.
    shown: String,
}

impl Grafana {
    /// A client that shows this token, or the user and password of the URL.
    ///
    /// # Errors
    /// When the URL or the token cannot be used, or both are missing.
    pub fn new(url: &Secret, token: Option<&Secret>) -> Result<Self> {
        let mut base: Url = url.0.parse().map_err(|_| GrafanaError::NotUrl)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(GrafanaError::NotUrl);
        }
        base.set_query(None);
        base.set_fragment(None);
        let mut headers = HeaderMap::new();
        if base.username().is_empty() && base.password().is_none() {
            let token = token.map(|token| token.0.trim()).filter(|token| !token.is_empty());
            let bearer = format!("Bearer {}", token.ok_or(GrafanaError::NoToken)?);
            let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| GrafanaError::NotToken)?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let shown = base.origin().ascii_serialization() + base.path().trim_end_matches('/');
        // A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_LIMIT)
            .timeout(LIMIT)
            // A redirect would carry the token to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(GrafanaError::NoClient)?;
        Ok(Self { http, base, shown })
    }

    /// The folder with exactly this title; of several, the one that [`create_folder`] made.
    ///
    /// [`create_folder`]: Self::create_folder
    ///
    /// # Errors
    /// As every call.
    pub async fn folder(&self, title: &str) -> Result<Option<Folder>> {
        let mut found: Vec<Folder> = Vec::new();
        for page in 1..=MAX_PAGES {
            let mut url = self.url("folders");
            let (limit, page) = (PAGE_FOLDERS.to_string(), page.to_string());
            url.query_pairs_mut().append_pair("limit", &limit).append_pair("page", &page);
            let folders: Result<Vec<Folder>> = self.ask(url, None, "folders:read").await;
            let folders = match folders {
                // Every Grafana has this list.
                Err(error) if error.has_status(&[StatusCode::NOT_FOUND]) => {
                    return Err(self.not_grafana(StatusCode::NOT_FOUND));
                }
                other => other?,
            };
            let is_last = folders.len() < PAGE_FOLDERS;
            found.extend(folders.into_iter().filter(|folder| folder.title == title));
            if is_last {
                break;
            }
        }
        let ours = Folder::new(title).uid;
        let at = found.iter().position(|folder| folder.uid == ours).unwrap_or(0);
        Ok(found.into_iter().nth(at))
    }

    /// Makes the folder, or finds the one that somebody made in the meantime.
    ///
    /// # Errors
    /// As every call.
    pub async fn create_folder(&self, title: &str) -> Result<Folder> {
        const THERE: &[StatusCode] = &[StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED];
        let body = json!(Folder::new(title));
        match self.ask(self.url("folders"), Some(&body), "folders:create").await {
            Err(error) if error.has_status(THERE) => self.folder(title).await?.ok_or(error),
            other => other,
        }
    }

    /// The board, if it is there.
    ///
    /// # Errors
    /// As every call.
    pub async fn board(&self, uid: &str) -> Result<Option<Saved>> {
        let url = self.url(&format!("dashboards/uid/{uid}"));
        match self.ask(url, None, "dashboards:read").await {
            Err(error) if error.has_status(&[StatusCode::NOT_FOUND]) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes or replaces the board, in this folder: without one, Grafana would move it to the root.
    ///
    /// # Errors
    /// As every call.
    pub async fn save(&self, board: &Value, folder: &Folder, message: &str) -> Result<()> {
        let mut board = board.clone();
        board["id"] = Value::Null;
        let body = json!({
            "dashboard": board,
            "folderUid": folder.uid,
            "overwrite": true,
            "message": message,
        });
        let saved = self.ask(self.url("dashboards/db"), Some(&body), "dashboards:write").await;
        match saved {
            Err(GrafanaError::Refused { status: StatusCode::BAD_REQUEST, message, .. })
                if message.contains("provisioned dashboard") =>
            {
                Err(GrafanaError::Provisioned)
            }
            other => other.map(|_: Value| ()),
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}/api/{path}"));
        url
    }

    /// Posts a body, or gets without one.
    async fn ask<T: DeserializeOwned>(
        &self,
        url: Url,
        body: Option<&Value>,
        permission: &'static str,
    ) -> Result<T> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|source| self.no_answer(source))?;
        let status = answer.status();
        if status.is_redirection() {
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = sentence(to.unwrap_or("nowhere"));
            return Err(GrafanaError::Redirected { at: self.shown.clone(), to });
        }
        let body = self.read(answer).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| self.not_grafana(status));
        }
        let said: Option<Value> = serde_json::from_slice(&body).ok();
        let said = |name: &str| said.as_ref().and_then(|said| said[name].as_str()).map(sentence);
        let reason = |message: Option<String>| message.unwrap_or_else(|| "no reason".to_owned());
        Err(match (status, said("message")) {
            (StatusCode::UNAUTHORIZED, message) => GrafanaError::Unauthorized(reason(message)),
            (StatusCode::FORBIDDEN, message) => {
                GrafanaError::Forbidden { message: reason(message), permission }
            }
            (status, Some(message)) => {
                let word = said("status").map(|word| format!(" {word}")).unwrap_or_default();
                GrafanaError::Refused { status, word, message }
            }
            (status, None) => self.not_grafana(status),
        })
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|source| self.no_answer(source))? {
            if body.len() + part.len() > MAX_ANSWER_BYTES {
                return Err(GrafanaError::TooLarge { at: self.shown.clone() });
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn no_answer(&self, source: reqwest::Error) -> GrafanaError {
        GrafanaError::NoAnswer { at: self.shown.clone(), source: source.without_url() }
    }

    fn not_grafana(&self, status: StatusCode) -> GrafanaError {
        GrafanaError::NotGrafana { at: self.shown.clone(), status }
    }
}
