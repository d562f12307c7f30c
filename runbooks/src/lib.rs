//! One page per alert, and the drills that prove it.
//!
//! A person writes the body of a page (`written/`); [`render`] puts around it what the alert itself
//! says. Commands stand in marked blocks ([`block`]), so that a reader pastes exactly what a drill
//! has run: [`drill`] starts the real components, makes a real fault, and asks whether the alert
//! fires, the page's diagnosis shows the cause, and its mitigation ends it.

pub mod block;
pub mod book;
pub mod commands;
pub mod drill;
pub mod environment;
pub mod render;
pub mod results;
pub mod shell;
