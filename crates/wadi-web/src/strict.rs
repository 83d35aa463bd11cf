//! JSON and text as senders give them, read so that nothing is guessed.
//!
//! Of a member given twice one would be dropped, and not every reader drops the same one (RFC 7493,
//! 2.3): such a text is refused. Text is UTF-8, or UTF-16 that says so with its byte order mark; of
//! anything else the refusal names what it looks like.

use crate::{Problem, filters, problem::unprocessable, whole_numbers::with_whole_numbers};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, cell::Cell, fmt};
use wadi_log::Hash;

/// Stands in UTF-8 for what was no character of UTF-16; no UTF-8 has such bytes, and no text of a
/// code page has them side by side.
const NO_CHARACTER: [u8; 2] = [0xFF, 0xFE];
const DAMAGED_UTF16: &str = "this is UTF-16 that is cut short or damaged; send UTF-8";

/// A value in which no object names a member twice.
#[derive(Clone, Copy)]
struct Strict<'t> {
    /// Set where an object does.
    twice: &'t Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        // Whole numbers came as such. What is whole only because its fraction is beyond a double's
        // precision stays none.
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if map.contains_key(&name) {
                self.twice.set(true);
                return Err(serde::de::Error::custom(format_args!(
                    "this object has twice the member {name:?}"
                )));
            }

            let value = access.next_value_seed(self)?;
            map.insert(name, value);
        }

        Ok(Value::Object(map))
    }
}

/// Reads a JSON text. A number with a zero fraction is a whole number.
pub fn parse_json(text: &str) -> Result<Value, Problem> {
    let twice = Cell::new(false);
    let text = with_whole_numbers(text);
    let mut reader = serde_json::Deserializer::from_str(&text);
    let read = Strict { twice: &twice }.deserialize(&mut reader);

    read.and_then(|value| reader.end().map(|()| value))
        .map_err(|error| {
            let code = match twice.get() {
                true => "duplicate_member",
                false => "broken_json",
            };
            unprocessable(code, error.to_string())
        })
}

/// Reads a JSON object.
pub fn parse_object(text: &str) -> Result<Map<String, Value>, Problem> {
    match parse_json(text)? {
        Value::Object(map) => Ok(map),
        other => {
            let why = format!("expected an object, found {}", kind_of(&other));
            Err(unprocessable("broken_json", why))
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The text that these bytes are, without a byte order mark.
pub fn decode_text(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    if let Some(how) = packed(bytes) {
        let why = format!("this is packed ({how}): unpack it, and send text");
        return Err(encoding(&why));
    }

    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => {
            Err(encoding("this is UTF-32; send UTF-8"))
        }
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            let text = String::from_utf8(wide_to_utf8(bytes));
            text.map(Cow::Owned).map_err(|_| encoding(DAMAGED_UTF16))
        }
        [0, b, ..] | [b, 0, ..] if b.is_ascii() && *b != 0 => Err(encoding(
            "this is UTF-16 without its byte order mark; send UTF-8",
        )),
        _ => utf8(bytes),
    }
}

/// Text of UTF-16 with its mark as UTF-8. What is no character of it becomes bytes that no UTF-8
/// has, so that a line that holds one is bad, and no other.
pub fn wide_to_utf8(bytes: &[u8]) -> Vec<u8> {
    let unit = match bytes {
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => u16::from_le_bytes,
    };
    let rest = bytes.get(2..).unwrap_or_default();
    let (pairs, cut) = rest.as_chunks::<2>();

    let mut out = Vec::with_capacity(bytes.len());
    for read in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match read {
            Ok(c) => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            Err(_) => out.extend(NO_CHARACTER),
        }
    }

    if !cut.is_empty() {
        out.extend(NO_CHARACTER);
    }
    out
}

/// What packed bytes are, by how they begin.
fn packed(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0x1F, 0x8B, ..] => "gzip",
        [b'P', b'K', 3, 4, ..] => "zip",
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "zstd",
        [b'B', b'Z', b'h', ..] => "bzip2",
        [0xFD, b'7', b'z', b'X', b'Z', ..] => "xz",
        _ => return None,
    })
}

/// Text of UTF-8; of what is none the problem names the first byte that does not fit.
pub(crate) fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|error| {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            if bytes.get(at..at + 2) == Some(&NO_CHARACTER) {
                return encoding(DAMAGED_UTF16);
            }

            encoding(&format!(
                "this is not UTF-8: byte {} is 0x{byte:02X}, as in text of Windows-1256 or another \
                 code page; send UTF-8",
                at + 1,
            ))
        })
}

fn encoding(why: &str) -> Problem {
    unprocessable("bad_encoding", why)
}

/// The hash of JSON values: the same members in another order, or with other space between, have
/// the same.
pub fn content_hash(values: &[&Value]) -> Hash {
    let mut hasher = Sha256::new();
    for value in values {
        feed_value(&mut hasher, value);
    }
    Hash(hasher.finalize().into())
}

/// Each value begins with a letter for its kind, and what has a length with its length: no two
/// values feed the same bytes.
fn feed_value(hasher: &mut Sha256, value: &Value) {
    let sized = |hasher: &mut Sha256, kind: u8, length: usize| {
        hasher.update([kind]);
        hasher.update((length as u64).to_be_bytes());
    };

    match value {
        Value::Null => hasher.update(b"n"),
        Value::Bool(flag) => hasher.update([b'b', u8::from(*flag)]),
        Value::Number(number) => {
            let text = number.to_string();
            sized(hasher, b'i', text.len());
            hasher.update(text);
        }
        Value::String(text) => {
            sized(hasher, b's', text.len());
            hasher.update(text);
        }
        Value::Array(list) => {
            sized(hasher, b'l', list.len());
            list.iter().for_each(|each| feed_value(hasher, each));
        }
        Value::Object(map) => {
            sized(hasher, b'o', map.len());
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(name, _)| *name);

            for (name, each) in members {
                sized(hasher, b's', name.len());
                hasher.update(name);
                feed_value(hasher, each);
            }
        }
    }
}

/// A request's body as JSON, read strictly.
#[derive(Debug)]
pub(crate) struct StrictBody<T> {
    /// What it says.
    pub(crate) said: T,
    /// The same as it was sent.
    pub(crate) sent: Value,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(wrong_type(
                "send the body with Content-Type: application/json",
            ));
        }

        check_charset(request.headers())?;
        check_encoding(request.headers())?;
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(unread_body)?;

        // What is no JSON at all is a bad request; what reads and does not fit cannot be processed.
        let sent = decode_text(&bytes)
            .and_then(|text| parse_json(&text))
            .map_err(|problem| match problem.code.as_str() {
                "broken_json" => {
                    Problem::new(StatusCode::BAD_REQUEST, problem.code, problem.detail)
                }
                _ => problem,
            })?;

        // A list would be read as the members in their order.
        if !sent.is_object() {
            let why = "the body is not an object of named members";
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_body",
                why,
            ));
        }

        let said = read_members(sent.clone())?;
        Ok(Self { said, sent })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    // Of two types one is wrong.
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let first = given.next();
    let Some(kind) = first.and_then(|h| h.to_str().ok()) else {
        return false;
    };
    if given.any(|other| Some(other) != first) {
        return false;
    }

    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();

    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Refuses a body that says it is in another alphabet than it is read in (RFC 8259, 8.1).
fn check_charset(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|h| h.to_str().ok());
    let parameters = kind.into_iter().flat_map(|kind| kind.split(';').skip(1));
    let charset = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches('"'));

    match charset {
        Some(named) if !named.eq_ignore_ascii_case("utf-8") => {
            let why = format!("the body says that it is {named:?}: send UTF-8");
            Err(wrong_type(why))
        }
        _ => Ok(()),
    }
}

/// Reads what a JSON value says. What does not fit is told with the member that it stands in.
pub(crate) fn read_members<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let member = error.path().to_string();
        let why = filters::with_nearest(&error.inner().to_string());
        let is_named = member == "." || why.contains(&format!("`{member}`"));
        unprocessable(
            "bad_body",
            match is_named {
                true => why,
                false => format!("{member}: {why}"),
            },
        )
    })
}

/// Refuses a body that was packed: it would be read as if it were not.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let packed = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .find(|how| !how.as_bytes().eq_ignore_ascii_case(b"identity"));
    let Some(how) = packed else {
        return Ok(());
    };

    let how = String::from_utf8_lossy(how.as_bytes());
    let why = format!("the body is packed ({how}): send it as it is, without Content-Encoding");
    Err(wrong_type(why))
}

fn wrong_type(why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", why)
}

/// Why a body was not read to its end.
pub(crate) fn unread_body(error: BytesRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let why = "the body is longer than this route takes: send it in parts, an import in fewer \
                   lines";
        return Problem::new(error.status(), "body_too_large", why);
    }
    let why = format!(
        "the body broke off, and nothing of it was taken: send it again ({})",
        error.body_text()
    );
    Problem::new(error.status(), "bad_body", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(text: &str) -> String {
        parse_json(text)
            .expect_err("it should have been refused")
            .code
    }

    #[test]
    fn a_member_given_twice_is_refused_however_deep_and_however_written() {
        assert_eq!(code(r#"{"a":1,"a":1}"#), "duplicate_member");
        assert_eq!(
            code(r#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#),
            "duplicate_member"
        );
        assert_eq!(
            code(r#"{"direction":"in","\u0064irection":"out"}"#),
            "duplicate_member"
        );
        assert_eq!(
            parse_json(r#"{"a":{"c":1},"b":{"c":1}}"#).unwrap(),
            json!({"a": {"c": 1}, "b": {"c": 1}})
        );
        assert_eq!(code(r#"{"a":1} {"b":2}"#), "broken_json");
        assert_eq!(code(&"[".repeat(100_000)), "broken_json");
    }

    #[test]
    fn a_zero_fraction_is_a_whole_number_and_no_other_fraction_is() {
        assert_eq!(parse_json("31240.0").unwrap(), json!(31240));
        assert_eq!(parse_json("3.124e4").unwrap(), json!(31240));
        assert_eq!(parse_json("31240.5").unwrap(), json!(31240.5));
        assert_eq!(parse_json("1e300").unwrap(), json!(1e300));
        assert_eq!(parse_json("18446744073709551615").unwrap(), json!(u64::MAX));
    }

    #[test]
    fn text_is_utf_8_or_says_with_its_mark_what_else_it_is() {
        let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            ['\u{feff}']
                .into_iter()
                .chain(text.chars())
                .collect::<String>()
                .encode_utf16()
                .flat_map(order)
                .collect()
        };

        let plate = "{\"plate\":\"22 أ 33\"}";
        assert_eq!(decode_text(plate.as_bytes()).unwrap(), plate);
        assert_eq!(
            decode_text(format!("\u{feff}{plate}").as_bytes()).unwrap(),
            plate
        );
        assert_eq!(decode_text(&utf16(plate, u16::to_le_bytes)).unwrap(), plate);
        assert_eq!(decode_text(&utf16(plate, u16::to_be_bytes)).unwrap(), plate);

        let refused = |bytes: &[u8], name: &str| {
            let problem = decode_text(bytes).unwrap_err();
            assert_eq!(problem.code, "bad_encoding");
            assert!(problem.detail.contains(name), "{}", problem.detail);
        };

        refused(&utf16(plate, u16::to_le_bytes)[2..], "UTF-16");
        refused(&utf16(plate, u16::to_be_bytes)[2..], "UTF-16");
        refused(&utf16(plate, u16::to_le_bytes)[..7], "UTF-16");
        refused(&[0xFF, 0xFE, 0, 0, b'{', 0, 0, 0], "UTF-32");
        refused(b"{\"plate\":\"22 \xC7 33\"}", "Windows-1256");
        refused(b"{\"plate\":\"22 \xFF 33\"}", "Windows-1256");
        refused(&[0x1F, 0x8B, 8, 0, 0], "gzip");
    }

    #[test]
    fn a_broken_character_of_utf_16_costs_its_line_and_no_other() {
        let units = "\u{feff}one\ntw?o\nthree".encode_utf16();
        let broken = units.map(|unit| match unit {
            0x3F => 0xD800,
            unit => unit,
        });
        let bytes: Vec<u8> = broken.flat_map(u16::to_be_bytes).collect();

        let text = wide_to_utf8(&bytes);
        let lines: Vec<_> = text.split(|b| *b == b'\n').map(decode_text).collect();
        assert_eq!(lines[0].as_ref().unwrap(), "one");
        assert_eq!(lines[2].as_ref().unwrap(), "three");
        let told = lines[1].as_ref().unwrap_err();
        assert!(
            told.detail.contains("UTF-16 that is cut short or damaged"),
            "{}",
            told.detail
        );
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_member() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Said {
            #[expect(dead_code)]
            device_seq: Option<u64>,
            #[expect(dead_code)]
            lists: Option<Vec<u8>>,
        }

        let told = |value| read_members::<Said>(value).unwrap_err().detail;
        assert!(told(json!({"device_seq": -1})).starts_with("device_seq: invalid value"));
        assert!(told(json!({"lists": [1, "a"]})).starts_with("lists[1]: invalid type"));
        let near = told(json!({"device_sek": 1}));
        assert!(near.contains("did you mean \"device_seq\"?"), "{near}");
    }

    #[test]
    fn a_body_that_was_packed_and_one_of_two_types_are_refused() {
        let headers = |all: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in all {
                map.append(*name, value.parse().unwrap());
            }
            map
        };

        let encoded = |how| check_encoding(&headers(&[("content-encoding", how)]));
        assert!(encoded("identity").is_ok() && encoded("Identity").is_ok());
        assert_eq!(encoded("gzip").unwrap_err().status, 415);

        let charset = |kind| check_charset(&headers(&[("content-type", kind)]));
        assert!(charset("application/json").is_ok());
        assert!(charset("application/json; charset=\"UTF-8\"").is_ok());
        assert_eq!(
            charset("application/json; Charset=utf-16")
                .unwrap_err()
                .status,
            415
        );

        let json = ("content-type", "application/json");
        assert!(is_json(&headers(&[json])) && is_json(&headers(&[json, json])));
        assert!(!is_json(&headers(&[json, ("content-type", "text/plain")])));
    }

    #[test]
    fn a_hash_is_of_what_is_said_and_not_of_how_it_is_written() {
        let hash = |text: &str| content_hash(&[&parse_json(text).unwrap()]);
        assert_eq!(
            hash(r#"{"a":1,"b":[1,2]}"#),
            hash(r#" { "b" : [1, 2.0], "a": 1 } "#)
        );

        let all = [
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"["a",1]"#,
            r#"{"a":null}"#,
            "{}",
            "[]",
            "null",
            "\"\"",
            "[[],[]]",
            "[[[]]]",
        ];

        for (n, one) in all.iter().enumerate() {
            for other in &all[n + 1..] {
                assert_ne!(hash(one), hash(other), "{one} {other}");
            }
        }

        let near = [18_446_744_073_709_551_615_u64, 18_446_744_073_709_551_614];
        assert_ne!(
            content_hash(&[&json!(near[0])]),
            content_hash(&[&json!(near[1])])
        );
    }
}
