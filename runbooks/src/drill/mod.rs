//! Drills: a real fault on the real components, and what people on call would see and do.

mod configuration;
pub mod faults;
pub mod load;
pub mod run;
pub mod setting;
pub mod stage;
pub mod table;
pub mod watch;
pub mod watchdog;
