//! The handlers, one room per resource.

mod admin;
mod agent_keys;
mod agents;
mod api_keys;
mod commitments;
mod events;
mod operations;
mod stream;

use crate::app::App;
use crate::error::ApiResult;
use crate::http::routes::Endpoint;
use crate::http::{Reply, Request};

/// Calls the handler of an endpoint.
///
/// # Errors
/// Whatever the handler answers that is not a success.
pub async fn call(app: &App, endpoint: Endpoint, request: Request<'_>) -> ApiResult<Reply> {
    match endpoint {
        Endpoint::Health | Endpoint::HealthLive => operations::health(),
        Endpoint::Ready | Endpoint::HealthReady => operations::ready(app).await,
        Endpoint::Metrics => Ok(operations::metrics(app).await),
        Endpoint::Drain => operations::drain(app, &request),
        Endpoint::HealthDetailed => operations::health_detailed(app, &request).await,
        Endpoint::Contract => Ok(operations::contract()),
        Endpoint::SequencerInfo => operations::sequencer_info(app),
        Endpoint::Ingest => events::ingest(app, &request).await,
        Endpoint::Events => events::range(app, &request).await,
        Endpoint::EventStream => stream::follow(app, &request).await,
        Endpoint::Event => events::one(app, &request).await,
        Endpoint::Head => events::head(app, &request).await,
        Endpoint::EntityEvents => events::of_entity(app, &request).await,
        Endpoint::CreateCommitment => commitments::create(app, &request).await,
        Endpoint::Commitments => commitments::list(app, &request).await,
        Endpoint::Commitment => commitments::one(app, &request).await,
        Endpoint::Proof => commitments::proof(app, &request).await,
        Endpoint::VerifyProof => commitments::verify_proof(&request),
        Endpoint::RegisterAgentKey => agent_keys::register(app, &request).await,
        Endpoint::AgentKeys => agent_keys::list(app, &request).await,
        Endpoint::RevokeAgentKey => agent_keys::revoke(app, &request).await,
        Endpoint::RotateAgentKey => agent_keys::rotate(app, &request).await,
        Endpoint::CreateApiKey => api_keys::create(app, &request).await,
        Endpoint::ApiKeys => api_keys::list(app, &request).await,
        Endpoint::Agent => agents::one(app, &request).await,
        Endpoint::MintAgentApiKey => agents::mint(app, &request).await,
        Endpoint::AgentApiKeys => agents::list(app, &request).await,
        Endpoint::RevokeAgentApiKey => agents::revoke(app, &request).await,
        Endpoint::Overview => admin::overview(app, &request).await,
        Endpoint::Tenants => admin::tenants(app, &request).await,
        Endpoint::Stores => admin::stores(app, &request).await,
        Endpoint::Agents => admin::agents(app, &request).await,
        Endpoint::RevokeApiKey => api_keys::revoke(app, &request).await,
    }
}
