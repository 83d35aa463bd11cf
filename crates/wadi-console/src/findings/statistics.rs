//! What findings came to: by rule, crossing, officer and month, and which fields are contested.

use super::{
    PART, QUEUE,
    answers::{SeenContestedLine, SeenFigures, SeenTally},
    case_path,
    queue::CrossingsKnown,
    words,
};
use crate::{
    Console, answer,
    api::Refused,
    chart::{self, ChartAxis, ChartBar, ChartTone},
    frame::PageFrame,
    moment::Moment,
    records::times::{day_begins_ms, day_ends_ms},
    values::query_escaped,
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use wadi_words::Language;

/// Bars of a chart: more of them cannot be read.
const BARS_MAX: usize = 31;
/// Lines of contested fields that a table shows.
const CONTESTED_MAX: usize = 30;

/// Which figures.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FigureForm {
    from: String,
    until: String,
    rule: String,
    crossing: String,
}

/// A row of a table.
struct TallyLine {
    name: String,
    is_code: bool,
    path: Option<String>,
    found: u64,
    undecided: u64,
    explained_itself: u64,
    dispositions: [u64; 4],
    without: u64,
    age: String,
}

/// A table: its heading, what its rows are, and a chart of the found ones.
struct TallyTable {
    name: &'static str,
    title: String,
    head: String,
    lines: Vec<TallyLine>,
    chart: Option<String>,
}

/// A table of contested fields.
struct ContestedTable {
    title: String,
    head: String,
    lines: Vec<(String, u64)>,
}

#[derive(Template)]
#[template(path = "findings_statistics.html")]
struct StatisticsPage {
    f: PageFrame,
    form: FigureForm,
    crossings: Vec<String>,
    refused: Option<Refused>,
    from: Option<Moment>,
    until: Option<Moment>,
    cut: bool,
    total: Option<TallyLine>,
    tables: Vec<TallyTable>,
    contested_text: Option<String>,
    contested_cut: bool,
    contested: Vec<ContestedTable>,
    columns: Vec<String>,
    here: &'static str,
}

/// The page.
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(form): PageQuery<FigureForm>,
) -> Response {
    let language = visitor.language();
    let figures = match asked(language, &form) {
        Ok(path) => console.api.get::<SeenFigures>(&visitor.asker, &path).await,
        Err(refused) => Err(refused),
    };
    let members: CrossingsKnown = console
        .api
        .get(&visitor.asker, "/v1/members")
        .await
        .unwrap_or_default();

    let title = language.sentence("findings-statistics-title", []);
    let mut page = StatisticsPage {
        f: visitor.frame(&title, PART),
        form,
        crossings: members.codes(),
        refused: None,
        from: None,
        until: None,
        cut: false,
        total: None,
        tables: Vec::new(),
        contested_text: None,
        contested_cut: false,
        contested: Vec::new(),
        columns: columns(language),
        here: "statistics",
    };
    match figures {
        Ok(figures) => {
            page.fill(language, &figures);
            answer::page(&page)
        }
        // What was typed stays.
        Err(refused) if refused.status == 422 => {
            page.refused = Some(refused);
            answer::page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(refused) => refused.page(&visitor),
    }
}

/// The question to the API.
fn asked(language: Language, form: &FigureForm) -> Result<String, Refused> {
    let unread = |text: &str| {
        Refused::new(
            language,
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_query",
            language.sentence(
                "findings-bad-day",
                [("what", wadi_words::Filling::from(text))],
            ),
        )
    };
    let mut parts = Vec::new();
    let mut add = |name: &str, value: String| parts.push(format!("{name}={value}"));
    if !form.from.is_empty() {
        let ms = day_begins_ms(&form.from).ok_or_else(|| unread(&form.from))?;
        add("from_ms", ms.to_string());
    }
    if !form.until.is_empty() {
        let ms = day_ends_ms(&form.until).ok_or_else(|| unread(&form.until))?;
        add("until_ms", ms.to_string());
    }
    if !form.rule.is_empty() {
        add("rule", query_escaped(&form.rule));
    }
    if !form.crossing.is_empty() {
        add("crossing", query_escaped(&form.crossing));
    }

    Ok(format!("/v1/findings/statistics?{}", parts.join("&")))
}

/// The columns after the first.
fn columns(language: Language) -> Vec<String> {
    let say = |name: &str| language.sentence(name, []);
    let mut all = vec![
        say("findings-found"),
        say("findings-undecided"),
        say("findings-explained-itself"),
    ];
    let named = super::finding::DISPOSITIONS.map(|name| language.disposition(name));
    all.extend(named);
    all.push(say("findings-without"));
    all.push(say("findings-median-age"));
    all
}

fn tally_line(language: Language, tally: &SeenTally, name: String) -> TallyLine {
    TallyLine {
        name,
        is_code: false,
        path: None,
        found: tally.found,
        undecided: tally.undecided,
        explained_itself: tally.explained_itself,
        dispositions: [
            tally.r#true,
            tally.explained,
            tally.false_alarm,
            tally.duplicate,
        ],
        without: tally.without,
        age: tally
            .median_age_ms
            .map(|ms| words::lasting(language, ms))
            .unwrap_or_default(),
    }
}

/// Two bars a name: how many were found, and before them how many explained themselves.
fn chart_of(
    language: Language,
    title: &str,
    names: &[String],
    all: &[SeenTally],
) -> Option<String> {
    let shown = all.get(..BARS_MAX).unwrap_or(all);
    // One bar says no more than its number.
    if shown.len() < 2 {
        return None;
    }

    let axis = ChartAxis::of_names(names.iter().take(BARS_MAX).map(String::as_str));
    let found = shown
        .iter()
        .enumerate()
        .map(|(n, tally)| ChartBar::at(n, tally.found as f64, ChartTone::Main));
    let explained = shown
        .iter()
        .enumerate()
        .map(|(n, tally)| ChartBar::at(n, tally.explained_itself as f64, ChartTone::Faint));
    let bars: Vec<ChartBar> = found.chain(explained).collect();
    let title = language.sentence(
        "findings-chart",
        [("what", wadi_words::Filling::from(title))],
    );
    Some(chart::bars(&title, &axis, &|v| format!("{v:.0}"), &bars))
}

impl StatisticsPage {
    /// A crossing in a list of choices: its name, and its code.
    fn crossing_text(&self, code: &str) -> String {
        match words::crossing_name(self.f.language, code) {
            name if name == code => name,
            name => format!("{name} ({code})"),
        }
    }

    fn fill(&mut self, language: Language, figures: &SeenFigures) {
        let say = |name: &str| language.sentence(name, []);
        self.from = Some(Moment::of_ms(figures.from_ms));
        self.until = Some(Moment::of_ms(figures.until_ms));
        self.cut = figures.cut;
        self.total = Some(tally_line(
            language,
            &figures.total,
            say("findings-all-together"),
        ));

        let table =
            |name: &'static str, all: &[SeenTally], line: &dyn Fn(&SeenTally) -> TallyLine| {
                let title = say(&format!("findings-by-{name}"));
                let names: Vec<String> = match name {
                    "crossing" => all
                        .iter()
                        .map(|t| words::crossing_name(language, &t.key))
                        .collect(),
                    _ => all.iter().map(|t| t.key.clone()).collect(),
                };
                TallyTable {
                    chart: chart_of(language, &title, &names, all).filter(|_| name != "officer"),
                    head: say(&format!("findings-col-{name}")),
                    lines: all.iter().map(line).collect(),
                    name,
                    title,
                }
            };
        let plain = |tally: &SeenTally| TallyLine {
            is_code: true,
            ..tally_line(language, tally, tally.key.clone())
        };
        let of_rule = |tally: &SeenTally| {
            let name = format!("{} · {}", tally.key, language.rule_title(&tally.key));
            TallyLine {
                path: Some(format!(
                    "{QUEUE}?rule={}&state=ALL",
                    query_escaped(&tally.key)
                )),
                ..tally_line(language, tally, name)
            }
        };
        let of_crossing = |tally: &SeenTally| {
            let name = words::crossing_name(language, &tally.key);
            TallyLine {
                path: Some(format!(
                    "{QUEUE}?crossing={}&state=ALL",
                    query_escaped(&tally.key)
                )),
                ..tally_line(language, tally, name)
            }
        };
        let of_officer = |tally: &SeenTally| TallyLine {
            path: Some(case_path("officer", &tally.key)),
            ..plain(tally)
        };
        self.tables = vec![
            table("month", &figures.months, &plain),
            table("rule", &figures.rules, &of_rule),
            table("crossing", &figures.crossings, &of_crossing),
            table("officer", &figures.officers, &of_officer),
        ];
        self.fill_contested(language, figures);
    }

    fn fill_contested(&mut self, language: Language, figures: &SeenFigures) {
        let contested = &figures.contested;
        self.contested_cut = contested.cut;
        self.contested_text = Some(language.sentence(
            "findings-contested-text",
            [
                ("fields", wadi_words::Filling::from(contested.fields_count)),
                ("records", wadi_words::Filling::from(contested.records)),
            ],
        ));
        let table = |name: &'static str,
                     all: &[SeenContestedLine],
                     named: &dyn Fn(&str) -> String| ContestedTable {
            title: language.sentence(&format!("findings-contested-by-{name}"), []),
            head: language.sentence(&format!("findings-col-{name}"), []),
            lines: all
                .iter()
                .take(CONTESTED_MAX)
                .map(|line| (named(&line.key), line.fields))
                .collect(),
        };
        let as_is = |key: &str| key.to_string();
        self.contested = vec![
            table("field", &contested.fields, &|key| language.field(key)),
            table("crossing", &contested.crossings, &|key| {
                words::crossing_name(language, key)
            }),
            table("officer", &contested.officers, &as_is),
            table("month", &contested.months, &as_is),
        ];
    }

    fn has_contested(&self) -> bool {
        self.contested.iter().any(|table| !table.lines.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_the_zone_of_the_place_and_what_is_no_day_is_told() {
        let form = FigureForm {
            from: "2026-03-01".into(),
            until: "2026-03-01".into(),
            rule: "R02".into(),
            ..FigureForm::default()
        };
        let path = asked(Language::English, &form).unwrap();
        let ms = |name: &str| -> i64 {
            let (_, rest) = path.split_once(&format!("{name}=")).unwrap();
            rest.split('&').next().unwrap().parse().unwrap()
        };
        assert_eq!(ms("until_ms") - ms("from_ms"), 86_400_000);
        assert!(path.ends_with("&rule=R02"));

        let bad = FigureForm {
            from: "soon".into(),
            ..FigureForm::default()
        };
        let refused = asked(Language::English, &bad).unwrap_err();
        assert!(refused.detail.contains("soon"));
    }
}
