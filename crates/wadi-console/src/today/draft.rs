//! What a form was given, as the body of a write; or what is wrong with it, input by input.

use super::{
    form::{FIELDS_ALONE, FormInput, SayForm, WritesOn},
    given::FormGiven,
    times::{self, DayLies},
};
use crate::digits::{self, latin};
use serde_json::{Map, Value as Json, json};
use wadi_record::{is_deadline, is_read_off_deadline};

/// What is wrong: an input's name, and the sentence that says it.
pub(super) type Wrongs = Vec<(String, &'static str)>;

/// What a time without its year is read by.
struct ReadingTimes<'a> {
    /// The event that the form says; members are of it.
    event: &'a str,
    /// Now, Unix milliseconds.
    now_ms: i64,
    /// When it was said: now, or when the paper was written.
    said_ms: i64,
}

impl ReadingTimes<'_> {
    /// The time that an input's days are near, and on which side of it they lie.
    fn near(&self, input: &FormInput) -> (i64, DayLies) {
        let event = input.name.starts_with("m.").then_some(self.event);
        let name = &input.shape.name;
        match is_deadline(event, name) {
            true if is_read_off_deadline(event, name) => (self.said_ms, DayLies::Near),
            true => (self.said_ms, DayLies::Ahead),
            false => (self.now_ms, DayLies::Behind),
        }
    }
}

/// The value of an input as the API takes it; nothing where nothing was given.
fn value(input: &FormInput, times: &ReadingTimes<'_>) -> Result<Option<Json>, &'static str> {
    let text = input.value();
    if text.is_empty() {
        return match input.shape.required {
            true => Err("today-wrong-missing"),
            false => Ok(None),
        };
    }

    let many = || input.values.iter().map(String::as_str);
    let (near_ms, lies) = times.near(input);
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
        "flag" => match text {
            "yes" => json!(true),
            "no" => json!(false),
            _ => return Err("today-wrong-flag"),
        },
        "time" => json!(times::read_stamp(text, near_ms, lies)?),
        "day" => json!(times::read_day(text, times::day_of(near_ms), lies)?.to_string()),
        "texts" if COMMAS_PART.contains(&input.shape.name.as_str()) => json!(listed(text)),
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

/// Lists of what has no comma in its name.
const COMMAS_PART: [&str; 2] = ["isotopes", "seals"];

/// Seals and the like, one a line or parted as people part them in one.
fn listed(text: &str) -> Vec<&str> {
    let parts_them = |c: char| matches!(c, ',' | '\u{060C}' | '\u{3001}' | '+' | '&');
    let parts = lines(text).into_iter();
    parts
        .flat_map(|line| line.split(parts_them))
        .flat_map(|part| part.split(" و "))
        .map(str::trim)
        .filter(|seal| !seal.is_empty())
        .collect()
}

/// The body of the write that a form asks for, without the record that it is about.
pub(super) fn body(form: &SayForm, given: &FormGiven, now_ms: i64) -> Result<Json, Wrongs> {
    let (mut members, mut fields) = (Map::new(), Map::new());
    let mut wrong = Wrongs::new();

    let on_paper = match form.is_paper {
        true => read_paper(given, now_ms).ok(),
        false => None,
    };
    let times = ReadingTimes {
        event: &form.event,
        now_ms,
        said_ms: on_paper.unwrap_or(now_ms),
    };

    for input in form.main.iter().chain(&form.more) {
        match value(input, &times) {
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

/// When a paper says that it happened, Unix milliseconds.
fn read_paper(given: &FormGiven, now_ms: i64) -> Result<i64, &'static str> {
    times::read_when(given.get("when.day"), given.get("when.clock"), now_ms)
}

/// When it happened, and which paper says so. The paper's reference is what the time is known from;
/// a remark tells it to whoever reads the record.
fn put_when(body: &mut Json, events: &mut Vec<Json>, given: &FormGiven, now_ms: i64) -> Wrongs {
    let mut wrong = Wrongs::new();
    match read_paper(given, now_ms) {
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

    /// 2026-11-26 10:00 at the crossing.
    const NOW_MS: i64 = 1_795_676_400_000;
    const AT: ReadingTimes<'static> = ReadingTimes {
        event: "cleared",
        now_ms: NOW_MS,
        said_ms: NOW_MS,
    };

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
            assert_eq!(value(&input(holds, given), &AT), Ok(Some(told)), "{holds}");
        }
    }

    #[test]
    fn seals_in_one_line_are_several() {
        for text in [
            "NS1, NS2",
            "NS1، NS2",
            "NS1\nNS2",
            "NS1; NS2",
            "NS1 + NS2",
            "NS1 و NS2",
        ] {
            assert_eq!(listed(text), ["NS1", "NS2"], "{text}");
        }
        assert_eq!(listed("NS 1/2-و"), ["NS 1/2-و"]);
    }

    #[test]
    fn a_flag_is_yes_or_no() {
        for given in ["true", "1", "YES", "نعم"] {
            assert_eq!(
                value(&input("flag", given), &AT),
                Err("today-wrong-flag"),
                "{given}"
            );
        }
        assert_eq!(value(&input("flag", "yes"), &AT), Ok(Some(json!(true))));
    }

    #[test]
    fn a_deadline_without_its_year_lies_ahead_and_what_happened_lies_behind() {
        let read = |event: &'static str, name: &str, given: &str, said_ms: i64| {
            let mut input = input("time", given);
            input.name = format!("m.{name}");
            input.shape.name = name.into();
            let times = ReadingTimes {
                event,
                now_ms: NOW_MS,
                said_ms,
            };
            let ms = value(&input, &times).unwrap().and_then(|ms| ms.as_i64());
            times::stamp(ms.unwrap())
        };

        let due = read("cleared", "until", "30/12 08:00", NOW_MS);
        assert_eq!(due, "2026-12-30 08:00");
        let due = read("sample.taken", "due_at", "٠١/٠٢ ٠٨:٠٠", NOW_MS);
        assert_eq!(due, "2027-02-01 08:00");
        let seen = read("sighted", "until", "30/12 08:00", NOW_MS);
        assert_eq!(seen, "2025-12-30 08:00");

        // A paper of a year ago set it.
        let year_ago_ms = NOW_MS - 365 * 86_400_000;
        let due = read("cleared", "until", "30/12 08:00", year_ago_ms);
        assert_eq!(due, "2025-12-30 08:00");
    }

    #[test]
    fn the_day_on_a_scales_label_is_the_nearest_one_to_its_weighing() {
        let read = |given: &str, said_ms: i64| {
            let mut input = input("day", given);
            input.name = "m.calibration_due".into();
            input.shape.name = "calibration_due".into();
            let times = ReadingTimes {
                event: "weighed",
                now_ms: NOW_MS,
                said_ms,
            };
            value(&input, &times).unwrap()
        };

        for passed in ["25/10", "٢٥/١٠"] {
            assert_eq!(read(passed, NOW_MS), Some(json!("2026-10-25")), "{passed}");
        }
        for holds in ["10/01", "١٠/٠١"] {
            assert_eq!(read(holds, NOW_MS), Some(json!("2027-01-10")), "{holds}");
        }

        // A paper of a year ago names a day that was near then.
        let year_ago_ms = NOW_MS - 365 * 86_400_000;
        assert_eq!(read("10/01", year_ago_ms), Some(json!("2026-01-10")));
    }

    #[test]
    fn what_does_not_read_is_told_and_what_is_missing_too() {
        assert_eq!(
            value(&input("whole", "31.2"), &AT),
            Err("today-wrong-whole")
        );
        assert_eq!(value(&input("code", "12"), &AT), Err("today-wrong-code"));
        assert_eq!(value(&input("text", ""), &AT), Ok(None));
        let mut missing = input("text", "");
        missing.shape.required = true;
        assert_eq!(value(&missing, &AT), Err("today-wrong-missing"));
    }
}
