//! Access: nobody without a credential, and no credential with more than it needs.

use uuid::Uuid;

use super::Facts;
use super::check::{Check, Finding};
use super::store::Look;
use crate::config::Config;

/// Routes that must refuse a stranger: of readers, and of administrators.
const CLOSED: [&str; 2] = ["/api/v1/ves/head", "/api/v1/admin/api-keys"];

pub(super) async fn look(facts: &Facts<'_>) -> Vec<Finding> {
    vec![
        proof_of_possession(facts.config),
        unauthenticated(facts).await,
        database_role(&facts.store),
    ]
}

fn proof_of_possession(config: &Config) -> Finding {
    let check = Check::ProofOfPossession;
    if config.require_proof_of_possession {
        return check.pass("agent keys are registered with proof that the caller holds them");
    }
    check.warn(
        "agent keys are registered without proof that the caller holds them",
        "set REQUIRE_PROOF_OF_POSSESSION=true",
    )
}

async fn unauthenticated(facts: &Facts<'_>) -> Finding {
    let check = Check::UnauthenticatedRefused;
    let server = match &facts.server {
        Ok(server) => server,
        Err(why) => return check.skipped(why),
    };
    // Drawn anew, so that it is nobody's.
    let unknown = format!("ss_{}", Uuid::new_v4().simple());
    for path in CLOSED {
        for (key, who) in [(None, "nobody"), (Some(unknown.as_str()), "an unknown key")] {
            match facts.asker.get_with(&server.url, path, key).await {
                // 429: so many strangers knock that this one is not looked up.
                Ok(answer) if matches!(answer.status, 401 | 429) => {}
                Ok(answer) => {
                    return check.fail(
                        format!("{path} answers {} to {who}, not 401", answer.status),
                        "let nothing between clients and PORT add a credential or answer by itself",
                    );
                }
                Err(why) => return check.skipped(why),
            }
        }
    }
    check.pass("reading and administration are refused without a known credential")
}

fn database_role(store: &Look) -> Finding {
    let check = Check::DatabaseRole;
    let server = match store.server() {
        Ok(server) => server,
        Err(why) => return check.skipped(why),
    };
    let Some(role) = &server.role else {
        return check.skipped("the database does not say what this role may");
    };
    let name = &role.name;
    if role.powers.is_empty() {
        return check.pass(format!("the role {name} has no power beyond its tables"));
    }
    let found = format!("the role {name} is more than it needs: {}", role.powers.join(", "));
    let fix = "give DATABASE_URL a role of its own: CREATE ROLE … LOGIN NOSUPERUSER NOCREATEDB \
               NOCREATEROLE NOREPLICATION, owner of its database only";
    if role.is_almighty { check.fail(found, fix) } else { check.warn(found, fix) }
}
