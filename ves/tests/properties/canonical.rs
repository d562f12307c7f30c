//! Canonical JSON depends on the value and on nothing else.

use proptest::prelude::*;
use ves::{CanonicalError, CanonicalLimits, canonicalize};

use crate::sample::{cases, unicode};

/// A JSON value whose members keep the order in which they are written.
#[derive(Clone, Debug)]
enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn json() -> impl Strategy<Value = Json> {
    let safe = 9_007_199_254_740_991_i64;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (-safe..=safe).prop_map(Json::Integer),
        (proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO)
            .prop_map(Json::Float),
        unicode(0..8).prop_map(Json::Text),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let members = proptest::collection::btree_map(unicode(0..4), inner.clone(), 0..8);
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(Json::Array),
            members
                .prop_map(|members| members.into_iter().collect::<Vec<_>>())
                .prop_shuffle()
                .prop_map(Json::Object),
        ]
    })
}

fn write(json: &Json, blank: &str, reverse: bool) -> String {
    let quote = |text: &str| serde_json::to_string(text).unwrap();
    let join = |mut parts: Vec<String>, reverse: bool| {
        if reverse {
            parts.reverse();
        }
        parts.join(&format!("{blank},{blank}"))
    };
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Integer(value) => value.to_string(),
        Json::Float(value) => format!("{value:e}"),
        Json::Text(text) => quote(text),
        Json::Array(items) => {
            let items = items.iter().map(|item| write(item, blank, reverse)).collect();
            format!("[{blank}{}{blank}]", join(items, false))
        }
        Json::Object(members) => {
            let member = |(name, value): &(String, Json)| {
                format!("{}{blank}:{blank}{}", quote(name), write(value, blank, reverse))
            };
            format!("{{{blank}{}{blank}}}", join(members.iter().map(member).collect(), reverse))
        }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn order_and_blanks_do_not_matter(json in json()) {
        let strict = CanonicalLimits::STRICT;
        let canonical = canonicalize(&write(&json, "", false), &strict).unwrap();
        let other = canonicalize(&write(&json, " \n\t\r", true), &strict).unwrap();
        prop_assert_eq!(&canonical, &other);
        let again = canonicalize(&canonical, &CanonicalLimits::AUDIT);
        prop_assert_eq!(&again.unwrap(), &canonical);
    }

    #[test]
    fn an_independent_canonicaliser_agrees(json in json()) {
        let text = write(&json, "", false);
        let canonical = canonicalize(&text, &CanonicalLimits::STRICT).unwrap();
        prop_assert_eq!(canonical, serde_json_canonicalizer::pipe(&text).unwrap());
    }

    #[test]
    fn a_repeated_name_is_refused_at_any_depth(
        json in json(), name in unicode(0..4), depth in 0..100_usize,
    ) {
        let quoted = serde_json::to_string(&name).unwrap();
        let member = format!("{quoted}:{}", write(&json, "", false));
        let text = format!(
            "{}{{{member},\"between\":1,{member}}}{}", "[".repeat(depth), "]".repeat(depth),
        );
        prop_assume!(name != "between");
        let refused = canonicalize(&text, &CanonicalLimits::STRICT);
        prop_assert_eq!(refused, Err(CanonicalError::DuplicateMember { name }));
    }

    #[test]
    fn depth_counts_containers(depth in 0..300_usize) {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = if depth == 0 { "0" } else { &text };
        let result = canonicalize(text, &CanonicalLimits::STRICT);
        prop_assert_eq!(result.is_ok(), depth <= 127);
    }

    #[test]
    fn integers_are_safe_or_refused(value: i64, shift in 0..63_u32) {
        let value = value >> shift;
        let safe = value.unsigned_abs() <= 9_007_199_254_740_991;
        let result = canonicalize(&value.to_string(), &CanonicalLimits::STRICT);
        let refused = Err(CanonicalError::UnsafeInteger);
        prop_assert_eq!(result, if safe { Ok(value.to_string()) } else { refused });
    }
}

#[test]
fn limits_of_safe_integers_are_exact() {
    let check = |text: &str, expected: bool| {
        assert_eq!(canonicalize(text, &CanonicalLimits::STRICT).is_ok(), expected, "{text}");
    };
    check("9007199254740991", true);
    check("-9007199254740991", true);
    check("9007199254740992", false);
    check("-9007199254740992", false);
    check("9007199254740992.0", true);
    check("9007199254740993e0", true);
    check("-0", true);
}

#[test]
fn a_large_float_is_accepted_but_its_canonical_form_is_not() {
    let canonical = canonicalize("1e19", &CanonicalLimits::STRICT).unwrap();
    assert_eq!(canonical, "10000000000000000000");
    let again = canonicalize(&canonical, &CanonicalLimits::STRICT);
    assert_eq!(again, Err(CanonicalError::UnsafeInteger));
    assert_eq!(canonicalize(&canonical, &CanonicalLimits::AUDIT), Ok(canonical));
}

#[test]
fn nothing_overflows_the_stack() {
    let deep = "[".repeat(1_000_000);
    let refused = canonicalize(&deep, &CanonicalLimits::STRICT);
    assert_eq!(refused, Err(CanonicalError::TooDeep));
    let unlimited = CanonicalLimits { max_depth: usize::MAX, safe_integers_only: true };
    assert_eq!(canonicalize(&deep, &unlimited), Err(CanonicalError::BadJson));
    let closed = format!("{deep}{}", "]".repeat(1_000_000));
    assert_eq!(canonicalize(&closed, &unlimited), Ok(closed));
}

#[test]
fn zero_characters_and_half_pairs_are_refused() {
    let check = |text: &str, expected: CanonicalError| {
        assert_eq!(canonicalize(text, &CanonicalLimits::AUDIT), Err(expected), "{text}");
    };
    check(r#"{"a":"\u0000"}"#, CanonicalError::Nul);
    check(r#"{"\u0000":1}"#, CanonicalError::Nul);
    check(r#"["\ud800"]"#, CanonicalError::LoneSurrogate);
    check(r#"["\ud800\ud800"]"#, CanonicalError::LoneSurrogate);
    check(r#"["\ud800\n"]"#, CanonicalError::LoneSurrogate);
    check(r#"["\udc00\ud800"]"#, CanonicalError::LoneSurrogate);
    check("{\"a\":\"\0\"}", CanonicalError::BadJson);
}
