//! The VES 1.0 protocol.
