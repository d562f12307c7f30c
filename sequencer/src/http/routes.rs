//! Every route: method, path, who may call it, and the statuses it may answer with.

use std::collections::HashMap;

use catalog::RouteSpec;
use catalog::label::HttpMethod;
use matchit::Router;

use crate::auth::Right;

/// Which port a route is on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Surface {
    /// The API port.
    Api,
    /// The operations port.
    Operations,
}

/// What a caller must show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Nothing.
    Open,
    /// A credential with this right.
    With(Right),
    /// A credential; the handler decides about rights.
    Authenticated,
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Handler that serves it.
    pub endpoint: Endpoint,
    /// Port.
    pub surface: Surface,
    /// Who may call.
    pub access: Access,
    /// Method, template and statuses, as the metrics know it.
    pub spec: RouteSpec,
}

/// Declares the endpoints and the table.
macro_rules! routes {
    ($(
        $endpoint:ident: $surface:ident $method:ident $template:literal
        $access:expr, $statuses:expr;
    )+) => {
        /// What serves a route.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[expect(missing_docs, reason = "the table below says what each is")]
        pub enum Endpoint { $($endpoint,)+ }

        /// All routes; the metrics of a route have its place in this table.
        pub const ROUTES: &[Route] = &[$(Route {
            endpoint: Endpoint::$endpoint,
            surface: Surface::$surface,
            access: $access,
            spec: RouteSpec {
                method: HttpMethod::$method,
                template: $template,
                statuses: $statuses,
            },
        },)+];
    };
}

const OPEN: Access = Access::Open;
const READ: Access = Access::With(Right::Read);
const WRITE: Access = Access::With(Right::Write);
const ADMIN: Access = Access::With(Right::Admin);
const ANY: Access = Access::Authenticated;

const GET: &[u16] = &[200, 400, 401, 403, 429, 500, 503, 504];
const GET_LOG: &[u16] = &[200, 400, 401, 403, 409, 429, 500, 503, 504];
const GET_ONE: &[u16] = &[200, 400, 401, 403, 404, 429, 500, 503, 504];
const DELETE_ONE: &[u16] = &[200, 400, 401, 403, 404, 409, 429, 500, 503, 504];
const POST: &[u16] = &[200, 400, 401, 403, 413, 415, 429, 500, 503, 504];
const POST_NEW: &[u16] = &[200, 400, 401, 403, 409, 413, 415, 429, 500, 503, 504];
const POST_ONE: &[u16] = &[200, 400, 401, 403, 404, 413, 415, 429, 500, 503, 504];
const POST_ONE_NEW: &[u16] = &[200, 400, 401, 403, 404, 409, 413, 415, 429, 500, 503, 504];

routes! {
    Health: Api Get "/health" OPEN, &[200, 400];
    Ready: Api Get "/ready" OPEN, &[200, 400, 503, 504];
    HealthLive: Api Get "/health/live" OPEN, &[200, 400];
    HealthReady: Api Get "/health/ready" OPEN, &[200, 400, 503, 504];
    Contract: Api Get "/openapi.json" OPEN, &[200, 400];
    SequencerInfo: Api Get "/api/v1/ves/sequencer" OPEN, &[200, 400];
    Ingest: Api Post "/api/v1/ves/events/ingest" WRITE, POST;
    Events: Api Get "/api/v1/ves/events" READ, GET_LOG;
    EventStream: Api Get "/api/v1/ves/events/stream" READ, GET_LOG;
    Event: Api Get "/api/v1/ves/events/{event_id}" READ, GET_ONE;
    Head: Api Get "/api/v1/ves/head" READ, GET;
    EntityEvents: Api Get "/api/v1/ves/entities/{entity_type}/{entity_id}" READ, GET;
    CreateCommitment: Api Post "/api/v1/ves/commitments" WRITE, POST_NEW;
    Commitments: Api Get "/api/v1/ves/commitments" READ, GET;
    Commitment: Api Get "/api/v1/ves/commitments/{batch_id}" READ, GET_ONE;
    Proof: Api Get "/api/v1/ves/proofs/{sequence_number}" READ, GET_ONE;
    VerifyProof: Api Post "/api/v1/ves/proofs/verify" READ, POST;
    RegisterAgentKey: Api Post "/api/v1/agents/keys" ANY, POST_NEW;
    AgentKeys: Api Get "/api/v1/agents/keys" READ, GET;
    RevokeAgentKey: Api Post "/api/v1/agents/keys/revoke" ANY, POST_ONE;
    RotateAgentKey: Api Post "/api/v1/agents/keys/rotate" ANY, POST_ONE_NEW;
    CreateApiKey: Api Post "/api/v1/admin/api-keys" ADMIN, POST;
    ApiKeys: Api Get "/api/v1/admin/api-keys" ADMIN, GET;
    RevokeApiKey: Api Delete "/api/v1/admin/api-keys/{key_prefix}" ADMIN, GET_ONE;
    Agent: Api Get "/api/v1/agents/{agent_id}" ANY, GET_ONE;
    MintAgentApiKey: Api Post "/api/v1/agents/{agent_id}/api-keys" ANY, POST_ONE_NEW;
    AgentApiKeys: Api Get "/api/v1/agents/{agent_id}/api-keys" ANY, GET_ONE;
    RevokeAgentApiKey: Api Delete "/api/v1/agents/{agent_id}/api-keys/{prefix}" ANY, DELETE_ONE;
    Overview: Api Get "/api/v1/admin/overview" ADMIN, GET;
    Tenants: Api Get "/api/v1/admin/tenants" ADMIN, GET;
    Stores: Api Get "/api/v1/admin/stores" ANY, GET;
    Agents: Api Get "/api/v1/admin/agents" ADMIN, GET;
    Metrics: Operations Get "/metrics" OPEN, &[200, 400, 504];
    Drain: Operations Post "/drain" ADMIN, POST;
    HealthDetailed: Operations Get "/health/detailed" ANY, GET;
}

/// The specifications, for the metrics.
#[must_use]
pub fn specs() -> Vec<RouteSpec> {
    ROUTES.iter().map(|route| route.spec).collect()
}

/// What a path and method lead to.
pub enum Matched {
    /// A route, by its place in [`ROUTES`], with decoded path parameters.
    Route(usize, HashMap<&'static str, String>),
    /// The path takes these other methods.
    WrongMethod(String),
    /// No such path on this port.
    Nothing,
}

/// Finds routes of one port.
pub struct Table {
    /// Places in [`ROUTES`] by path.
    paths: Router<Vec<usize>>,
}

impl Table {
    /// The table of a port.
    #[must_use]
    pub fn new(surface: Surface) -> Self {
        let mut by_path: Vec<(&str, Vec<usize>)> = Vec::new();
        for (place, route) in ROUTES.iter().enumerate().filter(|(_, r)| r.surface == surface) {
            match by_path.iter_mut().find(|(template, _)| *template == route.spec.template) {
                Some((_, places)) => places.push(place),
                None => by_path.push((route.spec.template, vec![place])),
            }
        }
        let mut paths = Router::new();
        for (template, places) in by_path {
            paths.insert(template, places).expect("the templates of the table do not conflict");
        }
        Self { paths }
    }

    /// Looks a request up.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Matched {
        let Ok(found) = self.paths.at(path) else {
            return Matched::Nothing;
        };
        let places = found.value;
        let serves = |place: &&usize| ROUTES[**place].spec.method.as_str() == method;
        let Some(&place) = places.iter().find(serves) else {
            let methods: Vec<&str> =
                places.iter().map(|&place| ROUTES[place].spec.method.as_str()).collect();
            return Matched::WrongMethod(methods.join(", "));
        };
        let mut parameters = HashMap::new();
        for (name, value) in found.params.iter() {
            let Some(name) = parameter_name(ROUTES[place].spec.template, name) else { continue };
            match percent_encoding::percent_decode_str(value).decode_utf8() {
                Ok(value) => parameters.insert(name, value.into_owned()),
                Err(_) => return Matched::Nothing,
            };
        }
        Matched::Route(place, parameters)
    }
}

/// The parameter's name as part of the static template.
fn parameter_name(template: &'static str, name: &str) -> Option<&'static str> {
    template.split(['{', '}']).skip(1).step_by(2).find(|candidate| *candidate == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_the_table_says() {
        let table = Table::new(Surface::Api);
        let endpoint = |method, path: &str| match table.find(method, path) {
            Matched::Route(place, parameters) => {
                let mut values: Vec<String> = parameters.into_values().collect();
                values.sort();
                format!("{:?} {}", ROUTES[place].endpoint, values.join(","))
            }
            Matched::WrongMethod(allow) => format!("405 {allow}"),
            Matched::Nothing => "404".to_owned(),
        };
        let cases = [
            ("GET", "/health", "Health "),
            ("GET", "/health/live", "HealthLive "),
            ("GET", "/health/detailed", "404"),
            ("POST", "/health", "405 GET"),
            ("GET", "/metrics", "404"),
            ("GET", "/api/v1/ves/events/abc", "Event abc"),
            ("GET", "/api/v1/ves/events/stream", "EventStream "),
            ("POST", "/api/v1/ves/events/ingest", "Ingest "),
            ("GET", "/api/v1/ves/events/ingest", "405 POST"),
            ("DELETE", "/api/v1/ves/commitments", "405 POST, GET"),
            ("GET", "/api/v1/ves/entities/shelf/SH-4%2F2", "EntityEvents SH-4/2,shelf"),
            ("GET", "/api/v1/ves/entities/shelf/%ff", "404"),
            ("GET", "/api/v1/ves/events/", "404"),
        ];
        for (method, path, expect) in cases {
            assert_eq!(endpoint(method, path), expect, "{method} {path}");
        }
    }
}
