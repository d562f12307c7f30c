//! The vectors of the protocol, section by section.
//!
//! Every section of the file must be named here, so a new one cannot be skipped in silence.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod encrypted;
mod events;
mod keys;
mod log;
mod text;

use std::collections::BTreeSet;

use serde_json::Value;

/// Sections that only describe the file.
const ABOUT: [&str; 2] = ["format", "note"];

/// Sections that wait for the second wave: anchoring on a chain is not built yet.
const LATER: [&str; 1] = ["anchor"];

/// Parts of `encrypted` and who covers them. `recipient_checks` is for recipients, who are built
/// in the second wave; `recipient_keys` are inputs of the other parts.
const ENCRYPTED: [&str; 2] = ["events", "refused"];
const ENCRYPTED_LATER: [&str; 2] = ["recipient_checks", "recipient_keys"];

macro_rules! sections {
    ($($module:ident: $($section:ident),+;)+) => {
        const TESTED: &[&str] = &[$($(stringify!($section)),+),+];
        $($(
            #[test]
            fn $section() {
                $module::$section(&section(stringify!($section)));
            }
        )+)+
    };
}

sections! {
    text: labels, constants, encodings, jcs_numbers, jcs, jcs_refused;
    keys: keys, ed25519, pop, key_windows;
    events: events, events_refused;
    encrypted: encrypted;
    log: streams, receipts, leaves, tree_rule, trees, proofs_refused, commitments;
}

#[test]
fn every_section_is_tested_or_postponed_by_name() {
    let named = |names: &[&[&str]]| -> BTreeSet<String> {
        names.iter().flat_map(|names| names.iter().map(|name| (*name).to_owned())).collect()
    };
    let present = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(present(&file()), named(&[TESTED, &ABOUT, &LATER]));
    assert_eq!(present(&section("encrypted")), named(&[&ENCRYPTED, &ENCRYPTED_LATER]));
}

fn file() -> Value {
    serde_json::from_str(include_str!("../vectors.json")).unwrap()
}

fn section(name: &str) -> Value {
    file().get_mut(name).unwrap().take()
}

/// The entries of a list.
fn list(value: &Value) -> &Vec<Value> {
    let list = value.as_array().unwrap();
    assert!(!list.is_empty());
    list
}

/// A text member.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// An integer member, written as a number or, when large, as decimal text.
fn number(value: &Value, name: &str) -> u64 {
    let value = &value[name];
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap()
}

fn hash(value: &Value, name: &str) -> ves::Hash32 {
    ves::Hash32::parse_bare(text(value, name)).unwrap()
}

fn signature(value: &Value, name: &str) -> ves::Sig64 {
    ves::Sig64::parse_bare(text(value, name)).unwrap()
}

fn uuid(value: &Value, name: &str) -> uuid::Uuid {
    ves::bytes::parse_uuid(text(value, name)).unwrap()
}

fn stream(value: &Value) -> ves::Stream {
    ves::Stream { tenant_id: uuid(value, "tenant_id"), store_id: uuid(value, "store_id") }
}

/// A private key by its name in the file.
fn signing_key(name: &str) -> ves::SigningKey {
    ves::SigningKey::from_seed(&hash(&section("keys")[name], "seed").0)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
