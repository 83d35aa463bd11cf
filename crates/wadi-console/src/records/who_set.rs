//! Who set each field: every value that was ever put into it, what it replaced, who contests it.

use super::{
    PART, RecordTabs,
    answers::{ShownRecord, ShownSetting},
    api_path,
    history::{numbers_of, row_path, whole_history},
    record::{WhyNot, withheld_words},
    words::{ShownValue, field_value},
};
use crate::{
    Console, answer::made_or_refused, api::Refused, claimed::is_claimed, frame::PageFrame,
    moment::Moment, visitor::Visitor,
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use std::collections::BTreeMap;
use wadi_words::Language;

/// Values of one field that the page shows: of more, the latest.
const SETTINGS_MAX: usize = 20;

/// One value that was put into a field.
struct SettingLine {
    value: ShownValue,
    officer: String,
    is_claimed: bool,
    department: String,
    at: Moment,
    number: Option<usize>,
    path: Option<String>,
    standing: String,
    tone: &'static str,
    why: Option<WhyNot>,
}

/// A field with all that was put into it, the latest first.
struct FieldBlame {
    name: String,
    settings: Vec<SettingLine>,
    left_out: usize,
}

#[derive(Template)]
#[template(path = "record_fields.html")]
struct FieldsPage {
    f: PageFrame,
    tabs: RecordTabs,
    withheld: Vec<String>,
    fields: Vec<FieldBlame>,
}

/// Who set what.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    made_or_refused(shown(&console, &visitor, &id).await, &visitor)
}

async fn shown(console: &Console, visitor: &Visitor, id: &str) -> Result<FieldsPage, Refused> {
    let (api, asker, language) = (&console.api, &visitor.asker, visitor.language());
    let record: ShownRecord = api.get(asker, &api_path(id, "")).await?;
    let history = whole_history(console, visitor, id).await?;
    let numbers = numbers_of(&history);

    let fields = history.fields.iter().map(|(name, all)| FieldBlame {
        name: language.field(name),
        left_out: all
            .len()
            .saturating_sub(SETTINGS_MAX)
            .saturating_add(history.left_out.get(name).copied().unwrap_or_default()),
        settings: all
            .iter()
            .rev()
            .take(SETTINGS_MAX)
            .map(|one| setting(language, &record.id, name, one, &numbers))
            .collect(),
    });

    let title = format!(
        "{} {}",
        language.sentence("records-tab-fields", []),
        record.id
    );
    Ok(FieldsPage {
        f: visitor.frame(&title, PART),
        tabs: RecordTabs::of(&record.id, "fields"),
        withheld: withheld_words(language, &history.withheld),
        fields: fields.collect(),
    })
}

fn setting(
    language: Language,
    id: &str,
    field: &str,
    one: &ShownSetting,
    numbers: &BTreeMap<String, usize>,
) -> SettingLine {
    let (standing, tone) = match (&one.refused, one.stands, one.contested_by.is_empty()) {
        (Some(_), ..) => ("refused", "bad"),
        (None, true, true) => ("stands", "good"),
        (None, true, false) => ("contested", "warn"),
        (None, false, _) => ("replaced", "plain"),
    };
    let number = numbers.get(&one.entry).copied();
    SettingLine {
        value: field_value(language, field, &one.value),
        is_claimed: is_claimed(&one.officer, one.signed_by.is_some()),
        officer: one.officer.clone(),
        department: one
            .department
            .as_deref()
            .map(|code| language.department(code))
            .unwrap_or_default(),
        at: Moment::of_ms(one.at_ms),
        number,
        path: number.map(|number| row_path(id, number)),
        standing: language.sentence(&format!("records-setting-{standing}"), []),
        tone,
        why: one
            .refused
            .as_ref()
            .map(|why| WhyNot::of_refusal(language, why)),
    }
}
