//! What can go wrong with a Grafana, each with what to do about it.

use reqwest::StatusCode;
use thiserror::Error;

/// Of a sentence that somebody else wrote.
const MAX_SENTENCE_CHARACTERS: usize = 300;

/// Why Grafana did not do what it was asked.
#[derive(Debug, Error)]
pub enum GrafanaError {
    /// The URL is not one of a Grafana.
    #[error("--grafana is not an http or https URL")]
    NotUrl,
    /// Nothing says who is asking.
    #[error("there is no token: set GRAFANA_TOKEN to the token of a service account")]
    NoToken,
    /// The token cannot be sent.
    #[error("GRAFANA_TOKEN holds characters that no token has")]
    NotToken,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot start")]
    NoClient(#[source] reqwest::Error),
    /// No connection, no answer in time, or an answer that ended early.
    #[error("{at} does not answer")]
    NoAnswer {
        /// The URL of Grafana.
        at: String,
        /// What happened to the connection.
        source: reqwest::Error,
    },
    /// An answer above the bound.
    #[error("{at} answers with more than 8 MiB: is this the URL of Grafana?")]
    TooLarge {
        /// The URL of Grafana.
        at: String,
    },
    /// The token is not carried to another address.
    #[error("{at} redirects to {to}: give the URL at which Grafana's API itself answers")]
    Redirected {
        /// The URL of Grafana.
        at: String,
        /// Where it wants to go: a login page, or https.
        to: String,
    },
    /// Something else answers.
    #[error(
        "{at} answers {status}, but not as Grafana's API does: is this the URL of Grafana? perhaps \
         a path prefix is missing, or a login page stands before it"
    )]
    NotGrafana {
        /// The URL of Grafana.
        at: String,
        /// The status of the answer.
        status: StatusCode,
    },
    /// 401.
    #[error(
        "Grafana does not accept who is asking (401: {0}): make a new token for the service \
         account, and set GRAFANA_TOKEN"
    )]
    Unauthorized(String),
    /// 403.
    #[error(
        "Grafana forbids it (403: {message}): give the service account the role Editor, or \
         {permission} for the folder (it needs folders:create and dashboards:write)"
    )]
    Forbidden {
        /// What Grafana says.
        message: String,
        /// The permission that this request needs.
        permission: &'static str,
    },
    /// A file is the master of this board.
    #[error("a file manages this board (provisioning): change the file, or remove it there")]
    Provisioned,
    /// Everything else, with Grafana's own words.
    #[error("Grafana refuses it ({}{word}: {message})", status.as_u16())]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// Grafana's word for it after a space, such as `name-exists`, or nothing.
        word: String,
        /// Grafana's sentence for it.
        message: String,
    },
}

impl GrafanaError {
    /// Whether another board may still be taken: a refusal of what was sent, not of who sends.
    #[must_use]
    pub fn is_of_one_board(&self) -> bool {
        const OF_THE_SERVER: [StatusCode; 2] =
            [StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS];
        match self {
            Self::Provisioned => true,
            Self::Refused { status, .. } => {
                status.is_client_error() && !OF_THE_SERVER.contains(status)
            }
            _ => false,
        }
    }

    pub(super) fn has_status(&self, wanted: &[StatusCode]) -> bool {
        matches!(self, Self::Refused { status, .. } if wanted.contains(status))
    }
}

/// What somebody else wrote, as a part of one line of ours.
pub(super) fn sentence(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_SENTENCE_CHARACTERS).collect()
}
