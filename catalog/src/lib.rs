//! What can be observed.
