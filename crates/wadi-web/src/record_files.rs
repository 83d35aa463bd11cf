//! Lists of records as files: for a spreadsheet, or for a program.

use crate::{Problem, Token, filters, limits, problem::unprocessable, record_lists::ListQuery};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::sync::Arc;
use wadi_node::{Node, is_hidden};

/// Records that a file holds at most: what is more is read page by page, or by `wadi export`.
const FILE_ROWS_MAX: usize = 2_000;
/// Records that are read at once.
const PAGE_ROWS: u32 = 500;
/// The formats.
const FORMATS: [&str; 2] = ["csv", "ndjson"];
/// Columns of the flat file: members of the record, then fields.
const MEMBERS: [&str; 7] = [
    "id",
    "record",
    "kind",
    "crossing",
    "state",
    "flags",
    "contested",
];
const FIELDS: [&str; 12] = [
    "direction",
    "vehicle.plate",
    "vehicle.plate_raw",
    "trailer.plate",
    "container.1",
    "transit.ref",
    "declarant_ref",
    "registration_no",
    "declarant",
    "type",
    "legal_basis",
    "date",
];

/// A file that is made.
struct RecordFile {
    format: String,
    rows: Vec<Value>,
    cut: bool,
}

/// A text that no spreadsheet takes for a formula: behind an apostrophe it is text. One that begins
/// with an apostrophe gets another, so that to take one away is to have what was recorded.
///
/// Blanks of any kind and characters that nobody sees may be dropped before it is looked at, and
/// signs of other widths stand for the same.
pub fn no_formula(text: String) -> String {
    let begins = [
        '=', '+', '-', '@', '\'', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫',
    ];
    let is_dropped = |c: char| c.is_whitespace() || is_hidden(c);
    let begins_so = text.trim_start_matches(is_dropped).starts_with(begins);

    match begins_so || text.starts_with(char::is_control) {
        true => format!("'{text}"),
        false => text,
    }
}

fn cell(record: &Value, column: &str) -> String {
    let value = match MEMBERS.contains(&column) {
        true => &record[column],
        false => &record["fields"][column],
    };
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.join(" ")
        }
        Value::Object(fields) => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            names.join(" ")
        }
        other => other.to_string(),
    };
    no_formula(text)
}

impl RecordFile {
    /// What the last line of a file says that does not hold all.
    fn cut_text(&self) -> String {
        format!(
            "CUT: there are more than these {} records; narrow the filter, or use wadi export",
            self.rows.len()
        )
    }

    fn text(&self) -> Result<Vec<u8>, csv::Error> {
        if self.format == "ndjson" {
            let mut text: String = self.rows.iter().map(|row| format!("{row}\n")).collect();
            if self.cut {
                let last = serde_json::json!({"cut": true, "why": self.cut_text()});
                text += &format!("{last}\n");
            }
            return Ok(text.into_bytes());
        }

        let columns = || MEMBERS.iter().chain(&FIELDS);
        let mut writer = csv::WriterBuilder::new()
            .flexible(true)
            .from_writer(Vec::new());
        writer.write_record(columns())?;
        for row in &self.rows {
            writer.write_record(columns().map(|column| cell(row, column)))?;
        }
        if self.cut {
            writer.write_record([self.cut_text()])?;
        }

        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }
}

/// The format, taken out of a query, and the rest of it.
fn format_of(query: &str) -> (Option<String>, String) {
    let mut format = None;
    let rest: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.strip_prefix("format=") {
            Some(name) => {
                format = Some(name.to_string());
                false
            }
            None => !pair.is_empty(),
        })
        .collect();
    (format, rest.join("&"))
}

/// The records of a list as a file, 2,000 at most: `format` is csv or ndjson, the rest is as for
/// the list. A file that does not hold all says so in its last line and in `Wadi-Cut`.
#[utoipa::path(
    get,
    path = "/v1/records/file",
    params(
        ("format" = String, Query, description = "csv or ndjson"),
        ListQuery
    ),
    tag = "records",
    responses(
        (
            status = 200,
            description = "the file",
            content((String = "text/csv"), (String = "application/x-ndjson")),
        ),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn file(
    State(node): State<Arc<Node>>,
    token: Token,
    uri: axum::http::Uri,
) -> Result<Response, Problem> {
    let (format, rest) = format_of(uri.query().unwrap_or_default());
    let format = format.unwrap_or_else(|| "csv".into());
    let format = filters::one("format of files", &format, FORMATS)?;
    let uri: axum::http::Uri = format!("/?{rest}")
        .parse()
        .map_err(|_| unprocessable("bad_query", "the query does not read"))?;
    let query: Result<Query<ListQuery>, QueryRejection> = Query::try_from_uri(&uri);
    let Query(query) = query?;

    let reading = token.reading(&node)?;
    let mut asked = query.read(&node, &reading)?;
    if asked.is_of_a_day() {
        let why = "known_ms: what was known on a day is read page by page";
        return Err(unprocessable("bad_query", why));
    }

    let _turn = limits::expensive(&token).await?;
    asked.filter.limit = PAGE_ROWS;
    let mut made = RecordFile {
        format,
        rows: Vec::new(),
        cut: false,
    };
    while !made.cut {
        let page = node
            .reads()
            .list_records(&asked.filter, &asked.members)
            .await?;
        let is_last = page.len() < PAGE_ROWS as usize;
        asked.go_on_after(page.last());

        let found: Vec<&Value> = page.iter().map(|one| &one.json).collect();
        let named = token.named_in(&node, &found).await?;
        reading.go_by(named);
        for mut one in page {
            if made.rows.len() == FILE_ROWS_MAX {
                made.cut = true;
                break;
            }
            reading.show_listed(&one.id, &mut one.json);
            made.rows.push(one.json);
        }

        if is_last {
            break;
        }
    }

    answer(&made)
}

fn answer(made: &RecordFile) -> Result<Response, Problem> {
    let kind = match made.format.as_str() {
        "csv" => "text/csv; charset=utf-8",
        _ => "application/x-ndjson",
    };
    let text = made.text().map_err(|error| {
        Problem::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "file_not_made",
            error.to_string(),
        )
    })?;

    let part = if made.cut { "-first" } else { "" };
    let name = format!("attachment; filename=\"records{part}.{}\"", made.format);
    let headers = [
        (header::CONTENT_TYPE, kind.to_string()),
        (header::CONTENT_DISPOSITION, name),
        (
            HeaderName::from_static("wadi-rows"),
            made.rows.len().to_string(),
        ),
        (HeaderName::from_static("wadi-cut"), made.cut.to_string()),
    ];
    Ok((headers, text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_cell_is_a_formula_and_a_file_that_was_cut_says_so() {
        let record = json!({
            "id": "TRB-P-1",
            "flags": ["CONTESTED", "DETAINED"],
            "contested": {"seal.1": []},
            "fields": {"vehicle.plate": "=HYPERLINK(\"evil\")", "direction": "in"},
        });
        let mut made = RecordFile {
            format: "csv".into(),
            rows: vec![record],
            cut: true,
        };
        let text = String::from_utf8(made.text().unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].contains("CONTESTED DETAINED,seal.1,in,\"'=HYPERLINK("),
            "{text}"
        );
        assert!(lines[2].contains("more than these 1 records"));

        made.format = "ndjson".into();
        let text = String::from_utf8(made.text().unwrap()).unwrap();
        assert!(text.ends_with("}\n") && text.contains("\"cut\":true"));
    }

    #[test]
    fn a_formula_is_one_behind_whatever_a_spreadsheet_drops() {
        for sign in ["=", "+", "-", "@", "＝", "﹢", "﹦", "'"] {
            for before in [
                "", " ", "\u{A0}", "\u{200F}", "\u{FEFF}", "\u{B}", "\u{85}", "\u{2028}",
            ] {
                let text = format!("{before}{sign}1+1");
                assert_eq!(no_formula(text.clone()), format!("'{text}"), "{text:?}");
            }
        }

        assert_eq!(no_formula("\tx".into()), "'\tx");
        for plain in [
            "23-A-788",
            "\u{200F}شركة",
            "a=1",
            "",
            "شركة",
            " 1",
            "٢٣ أ ٧٨٨",
        ] {
            assert_eq!(no_formula(plain.into()), plain);
        }
    }

    #[test]
    fn the_format_stands_beside_the_filter() {
        assert_eq!(
            format_of("q=22A&format=csv&kind=hold"),
            (Some("csv".into()), "q=22A&kind=hold".into())
        );
        assert_eq!(format_of(""), (None, String::new()));
    }
}
