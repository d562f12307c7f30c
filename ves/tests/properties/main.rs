//! Laws that hold for every input of a kind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod bytes;
mod canonical;
mod envelope;
mod merkle;
#[path = "../sample/mod.rs"]
mod sample;
mod signature;
