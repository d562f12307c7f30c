//! Text forms and their values are one to one.

use proptest::prelude::*;
use ves::bytes::{decode_base64url, encode_base64url, parse_uuid};
use ves::{Hash32, Sig64, Timestamp};

use crate::sample::cases;

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn timestamps_survive_their_text(
        micros in -62_167_219_200_000_000..=253_402_300_799_999_999_i64,
    ) {
        let time = Timestamp::from_micros(micros);
        let text = time.to_string();
        prop_assert_eq!(text.len(), 27);
        prop_assert_eq!(Timestamp::parse(&text), Some(time));
        let json = serde_json::to_string(&time).unwrap();
        prop_assert_eq!(&json, &format!("\"{text}\""));
        prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
    }

    #[test]
    fn any_number_of_microseconds_prints(micros: i64) {
        let text = Timestamp::from_micros(micros).to_string();
        prop_assert!(Timestamp::parse(&text).is_some(), "{}", text);
    }

    #[test]
    fn offsets_name_the_same_instant(
        micros in 0..253_000_000_000_000_000_i64, hours in -23..=23_i64, minutes in 0..60_i64,
    ) {
        let minutes = hours * 60 + if hours < 0 { -minutes } else { minutes };
        let local = Timestamp::from_micros(micros + minutes * 60_000_000).to_string();
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        let text = format!("{}{sign}{hours:02}:{minutes:02}", local.trim_end_matches('Z'));
        prop_assert_eq!(Timestamp::parse(&text), Some(Timestamp::from_micros(micros)));
    }

    #[test]
    fn hex_survives_its_text(bytes: [u8; 32], signature: [[u8; 32]; 2]) {
        let hash = Hash32(bytes);
        let bare = hash.to_string();
        prop_assert_eq!(Hash32::parse_bare(&bare), Some(hash));
        prop_assert_eq!(Hash32::parse_prefixed(&hash.to_prefixed()), Some(hash));
        prop_assert_eq!(Hash32::parse_either(&bare.to_uppercase()), Some(hash));
        prop_assert_eq!(Hash32::parse_either(&hash.to_prefixed()), Some(hash));
        prop_assert_eq!(Hash32::parse_bare(&hash.to_prefixed()), None);
        prop_assert_eq!(Hash32::parse_prefixed(&bare), None);
        let json = serde_json::to_string(&hash).unwrap();
        prop_assert_eq!(serde_json::from_str::<Hash32>(&json).unwrap(), hash);
        let signature = Sig64(signature.concat().try_into().unwrap());
        prop_assert_eq!(Sig64::parse_bare(&signature.to_string()), Some(signature));
    }

    #[test]
    fn base64url_and_uuids_survive_their_text(bytes: Vec<u8>, id: u128) {
        prop_assert_eq!(decode_base64url(&encode_base64url(&bytes)), Some(bytes));
        let id = uuid::Uuid::from_u128(id);
        prop_assert_eq!(parse_uuid(&id.to_string()), Some(id));
        let upper = id.to_string().to_uppercase();
        prop_assert_eq!(parse_uuid(&upper).is_some(), upper == id.to_string());
    }
}
