//! What a form was given, as the body of a write; or what is wrong with it, input by input.

use super::{
    form::{FIELDS_ALONE, FormInput, SayForm, WritesOn},
    given::FormGiven,
    times,
};
use crate::digits::{self, latin};
use serde_json::{Map, Value as Json, json};

/// What is wrong: an input's name, and the sentence that says it.
pub(super) type Wrongs = Vec<(String, &'static str)>;

/// The value of an input as the API takes it; nothing where nothing was given.
fn value(input: &FormInput, now_ms: i64) -> Result<Option<Json>, &'static str> {
    let text = input.value();
    if text.is_empty() {
        return match input.shape.required {
            true => Err("today-wrong-missing"),
            false => Ok(None),
        };
    }

    let many = || input.values.iter().map(String::as_str);
    let value = match input.shape.holds.as_str() {
        "whole" => json!(digits::whole(text)?),
        "code" => {
            let code = digits::whole(text)?;
            let range = input.shape.from.unwrap_or(i64::MIN)..=input.shape.to.unwrap_or(i64::MAX);
            match range.contains(&code) {
                true => json!(code),
                false => return Err("today-wrong-code"),
            }
        }
        "number" => Json::Number(digits::number(text)?),
        "wholes" => json!(digits::wholes(text)?),
        "flag" => json!(text == "yes"),
        "time" => json!(times::read_stamp(text, now_ms)?),
        "day" => json!(times::read_day(text, times::day_of(now_ms))?.to_string()),
        "texts" => json!(lines(text)),
        "holds" => json!(many().collect::<Vec<_>>()),
        "country" | "currency" | "crossing" => json!(latin(text).to_uppercase()),
        _ => json!(text),
    };

    Ok(Some(value))
}

/// Texts, one a line or parted by semicolons.
fn lines(text: &str) -> Vec<&str> {
    let parts = text.split(['\n', ';', '\u{061B}']).map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

/// The body of the write that a form asks for, without the record that it is about.
pub(super) fn body(form: &SayForm, given: &FormGiven, now_ms: i64) -> Result<Json, Wrongs> {
    let (mut members, mut fields) = (Map::new(), Map::new());
    let mut wrong = Wrongs::new();

    for input in form.main.iter().chain(&form.more) {
        match value(input, now_ms) {
            Err(why) => wrong.push((input.name.clone(), why)),
            Ok(None) => {}
            Ok(Some(value)) => {
                // A record that begins has the value as its field, too.
                if !input.also.is_empty() && form.target == WritesOn::New {
                    fields.insert(input.also.clone(), value.clone());
                }
                let into = match input.name.starts_with("m.") {
                    true => &mut members,
                    false => &mut fields,
                };
                into.insert(input.shape.name.clone(), value);
            }
        }
    }

    let has = |name: &str| members.contains_key(name);
    if form.read_or_reason && !has("read") && !has("reason") {
        wrong.push(("m.reason".into(), "today-wrong-read-or-reason"));
    }

    let mut body = json!({"fields": fields});
    let mut events = Vec::new();
    if form.event != FIELDS_ALONE {
        members.insert("type".into(), form.event.as_str().into());
        events.push(Json::Object(members));
    } else if fields_are_empty(&body) {
        let first = form.main.first().or(form.more.first());
        let name = first.map_or_else(String::new, |i| i.name.clone());
        wrong.push((name, "today-wrong-nothing"));
    }

    if form.is_paper {
        wrong.extend(put_when(&mut body, &mut events, given, now_ms));
    }
    if !form.department.is_empty() {
        body["department"] = form.department.as_str().into();
        body["officer"] = given.get("officer").into();
        if !given.has("officer") {
            wrong.push(("officer".into(), "today-wrong-missing"));
        }
    }

    body["events"] = events.into();
    match wrong.is_empty() {
        true => Ok(body),
        false => Err(wrong),
    }
}

fn fields_are_empty(body: &Json) -> bool {
    body["fields"].as_object().is_none_or(Map::is_empty)
}

/// When it happened, and which paper says so. The paper's reference is what the time is known from;
/// a remark tells it to whoever reads the record.
fn put_when(body: &mut Json, events: &mut Vec<Json>, given: &FormGiven, now_ms: i64) -> Wrongs {
    let mut wrong = Wrongs::new();
    match times::read_when(given.get("when.day"), given.get("when.clock"), now_ms) {
        Ok(ms) => body["happened_at_ms"] = ms.into(),
        Err(why) if why == "today-wrong-day" => wrong.push(("when.day".into(), why)),
        Err(why) => wrong.push(("when.clock".into(), why)),
    }

    let reference = given.get("when.paper");
    let source = format!("paper {reference}");
    body["happened_source"] = source.trim().into();
    match reference {
        "" => wrong.push(("when.paper".into(), "today-wrong-missing")),
        _ => events.push(json!({"type": "remark", "text": source})),
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::today::answers::ValueShape;

    const NOW_MS: i64 = 1_795_676_400_000;

    fn input(holds: &str, given: &str) -> FormInput {
        let given = FormGiven(vec![given.to_string()]);
        FormInput {
            name: "m.x".into(),
            id: "m-x".into(),
            label: String::new(),
            shape: ValueShape {
                name: "x".into(),
                holds: holds.into(),
                from: Some(1),
                to: Some(11),
                ..ValueShape::default()
            },
            values: given.0.into_iter().filter(|v| !v.is_empty()).collect(),
            choices: Vec::new(),
            unit: String::new(),
            list: "",
            wrong: String::new(),
            first: false,
            also: String::new(),
        }
    }

    struct FormGiven(Vec<String>);

    #[test]
    fn each_value_is_what_the_table_says_it_holds() {
        for (holds, given, told) in [
            ("whole", "٣١٬٢٤٠", json!(31_240)),
            ("number", "-٣٫٥", json!(-3.5)),
            ("wholes", "7100 8200", json!([7_100, 8_200])),
            ("flag", "no", json!(false)),
            ("code", "٤", json!(4)),
            ("day", "٢٥/١١/٢٠٢٦", json!("2026-11-25")),
            ("texts", "A1; B2\nC3", json!(["A1", "B2", "C3"])),
            ("country", "iq", json!("IQ")),
            ("text", "<b>x</b>", json!("<b>x</b>")),
        ] {
            assert_eq!(
                value(&input(holds, given), NOW_MS),
                Ok(Some(told)),
                "{holds}"
            );
        }
    }

    #[test]
    fn what_does_not_read_is_told_and_what_is_missing_too() {
        assert_eq!(
            value(&input("whole", "31.2"), NOW_MS),
            Err("today-wrong-whole")
        );
        assert_eq!(value(&input("code", "12"), NOW_MS), Err("today-wrong-code"));
        assert_eq!(value(&input("text", ""), NOW_MS), Ok(None));
        let mut missing = input("text", "");
        missing.shape.required = true;
        assert_eq!(value(&missing, NOW_MS), Err("today-wrong-missing"));
    }
}
