//! HTTP as the API wants it: routes by table, one error shape, bounded bodies, one log line.
//!
//! `warp` takes the request apart; the route table decides, because it must know every path and
//! method to answer 404 and 405, to check the credential before the body is read, and to create
//! the metrics of every route at zero.

mod body;
mod cors;
mod dispatch;
mod query;
mod reply;
pub mod routes;
pub mod server;
mod socket;

pub use body::{read_json, require_object};
pub(crate) use cors::{is_origin, origins};
pub use dispatch::{Request, service};
pub use query::{MAX_LIMIT, Query, check_number, number};
pub use reply::Reply;
