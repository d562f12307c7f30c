//! Every check against its real fault, both ways: good before, bad in words while the fault lasts,
//! good again afterwards. `docs/health.md` is generated from `support/truth.rs`, which names these
//! tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "how long a fault took to be shown")]

mod alive;
mod certificate;
mod clock;
mod disk;
mod limits;
mod process;
mod store;
mod stuck;
mod watch;

use testbed::{postgres, proxy, stack, tls};
