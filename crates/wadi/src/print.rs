//! What goes to a terminal: answers, tables, times and units. Nothing of it moves the cursor, hides
//! a word or ends the process.
//!
//! Texts of records were written by others. A control character among them is shown as an escape,
//! and so is one that turns the direction of what stands around it: a plate reads as it was given.

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::{
    borrow::Cow,
    fmt,
    io::{self, Write},
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};
use wadi_node::is_hidden;

/// A text of somebody else's in one line.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    escape(text, |c| c.is_control() || is_hidden(c))
}

/// A text of several lines, ours with others' words in it.
pub(crate) fn shown_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && (c.is_control() || is_hidden(c)))
}

/// JSON as it is printed. Such characters stand in its strings alone, where an escape says the
/// same.
pub(crate) fn shown_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(|c| c != '\n' && is_hidden(c)) {
        return json.into();
    }

    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            '\n' => out.push(c),
            c if is_hidden(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out += &format!("\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }

    out.into()
}

fn escape(text: &str, hides: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hides) {
        return text.into();
    }

    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match hides(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }

    out.into()
}

/// Why something could not be written to standard output.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Whether whoever read standard output has gone.
static GONE: AtomicBool = AtomicBool::new(false);

/// Whether nobody reads any more what is printed: who prints on and on may end.
pub(crate) fn reader_is_gone() -> bool {
    GONE.load(Ordering::Relaxed)
}

/// Why something of what was printed is lost: a disk was full. A reader who went lost nothing.
pub(crate) fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get().map(String::as_str)
}

/// Writes a line, or several, to standard output. Whoever reads may have read enough, as `head`
/// has: that ends nothing here.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    let shown = if text.starts_with(['{', '[']) {
        shown_json(&text)
    } else {
        shown_lines(&text)
    };

    write_line(&shown);
}

fn write_line(shown: &str) {
    let mut out = io::stdout();
    match writeln!(out, "{shown}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            GONE.store(true, Ordering::Relaxed);
        }
        Err(error) => drop(UNWRITTEN.set(error.to_string())),
        Ok(()) => {}
    }
}

/// Writes lines with words of the catalogue, which isolate what others wrote from the direction of
/// the words around it. All that others wrote is escaped by then ([`shown`]).
pub(crate) fn words_lines(text: &str) {
    let is_isolate = |c: char| matches!(c, '\u{2068}' | '\u{2069}');
    let hides = |c: char| c != '\n' && !is_isolate(c) && (c.is_control() || is_hidden(c));
    write_line(&escape(text, hides));
}

/// Clears the terminal.
pub(crate) fn clear() {
    let _ = write!(io::stdout(), "\x1b[2J\x1b[H");
}

/// Writes a line to standard error, which may be gone, too.
pub(crate) fn error_line(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{}", shown_lines(&text.to_string()));
}

/// As the standard library's macro, for a reader who may go at any time: that one panics then.
macro_rules! print_line {
    ($($text:tt)*) => { $crate::print::line(format_args!($($text)*)) };
}
/// The same to standard error.
macro_rules! print_error {
    ($($text:tt)*) => { $crate::print::error_line(format_args!($($text)*)) };
}
pub(crate) use {print_error, print_line};

/// Prints a command's answer: JSON for a script, its text for a person.
pub(crate) fn print_answer(as_json: bool, answer: &Value, in_words: impl FnOnce(&Value) -> String) {
    match as_json {
        true => print_line!("{answer}"),
        false => print_line!("{}", in_words(answer)),
    }
}

/// The same, of a text with words of the catalogue in it, as [`words_lines`] writes them.
pub(crate) fn print_words_answer(
    as_json: bool,
    answer: &Value,
    in_words: impl FnOnce(&Value) -> String,
) {
    match as_json {
        true => print_line!("{answer}"),
        false => words_lines(&in_words(answer)),
    }
}

/// JSON for a person.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A member as it is shown in a line or a cell.
pub(crate) fn member_text(value: &Value, member: &str) -> String {
    match &value[member] {
        Value::String(s) => shown(s).into_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A Unix time in milliseconds, to the second: in the zone of this machine, or the one that `TZ`
/// names, with UTC beside it. Where the zone is UTC it stands once.
pub(crate) fn time_text(ms: i64) -> String {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);
    time_text_in(ms, &ZONE)
}

fn time_text_in(ms: i64, zone: &TimeZone) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(ms) else {
        return ms.to_string();
    };
    let here = time.to_zoned(zone.clone());
    if here.offset().is_zero() {
        return time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    }

    // The day of UTC where it is another one.
    let utc = match here.date() == time.to_zoned(TimeZone::UTC).date() {
        true => time.strftime("%H:%M:%SZ"),
        false => time.strftime("%Y-%m-%d %H:%M:%SZ"),
    };
    format!("{} ({utc})", here.strftime("%Y-%m-%d %H:%M:%S %:z"))
}

/// Through which time a crossing is heard, Unix milliseconds, as UTC; none where it never was.
pub(crate) fn heard_through_text(ms: i64) -> Option<String> {
    (ms > 0).then(|| time_text(ms))
}

/// A Unix time in seconds, as hubs tell it.
pub(crate) fn time_text_s(s: i64) -> String {
    time_text(s.saturating_mul(1_000))
}

/// A hub's time in seconds, or a dash where no hub said one.
pub(crate) fn hub_time_text(s: Option<i64>) -> String {
    s.map_or_else(|| "-".into(), time_text_s)
}

/// A Unix time in seconds as it stands in a file's name.
pub(crate) fn utc_file_stamp(s: i64) -> String {
    jiff::Timestamp::from_second(s).map_or_else(
        |_| s.to_string(),
        |t| t.strftime("%Y%m%dT%H%M%SZ").to_string(),
    )
}

/// Bytes in kilobytes of 1,024.
pub(crate) fn kb_text(bytes: u64) -> String {
    format!("{} KB", bytes / 1024)
}

/// Columns that a table is squeezed into at the least.
const COLUMNS_MIN: u16 = 20;

/// How wide the reader is, where the variable `COLUMNS` says it.
fn told_columns() -> Option<u16> {
    let told = std::env::var("COLUMNS").ok()?.parse().ok()?;
    (told > 0).then(|| COLUMNS_MIN.max(told))
}

/// A table as wide as the terminal, or as `COLUMNS` says, at most. Where neither is there, lines
/// are as long as they are.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    if let Some(columns) = told_columns() {
        table.set_width(columns);
    }
    table
}

/// A row of texts, of which others may have written any: none of them moves the cursor or begins
/// another row.
pub(crate) fn row<const N: usize>(cells: [String; N]) -> [String; N] {
    cells.map(|cell| shown(&cell).into_owned())
}

/// How far something has come: a bar where its length is known, hidden where nobody looks.
pub(crate) fn progress(quiet: bool, length: Option<u64>, template: &str) -> ProgressBar {
    let bar = match (quiet, length) {
        (true, _) => ProgressBar::hidden(),
        (false, Some(length)) => ProgressBar::new(length),
        (false, None) => ProgressBar::new_spinner(),
    };

    bar.set_style(ProgressStyle::with_template(template).expect("a fixed template"));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_time_stands_in_the_zone_of_the_place_with_utc_beside_it() {
        let baghdad = TimeZone::fixed(jiff::tz::offset(3));
        let afternoon_ms = 1_795_694_711_000;
        let in_zone = |ms, zone: &TimeZone| time_text_in(ms, zone);
        assert_eq!(
            in_zone(afternoon_ms, &baghdad),
            "2026-11-26 15:05:11 +03:00 (12:05:11Z)"
        );
        let night_ms = afternoon_ms + 10 * 3_600_000;
        assert_eq!(
            in_zone(night_ms, &baghdad),
            "2026-11-27 01:05:11 +03:00 (2026-11-26 22:05:11Z)"
        );
        assert_eq!(in_zone(afternoon_ms, &TimeZone::UTC), "2026-11-26 12:05:11");
        assert_eq!(in_zone(i64::MAX, &baghdad), i64::MAX.to_string());
    }

    #[test]
    fn what_would_move_the_cursor_or_turn_a_line_is_seen_as_what_it_is() {
        assert_eq!(shown("OF\n3\u{1b}[2J"), "OF\\u{a}3\\u{1b}[2J");
        assert_eq!(shown("11\u{202e}A\u{9b}"), "11\\u{202e}A\\u{9b}");
        assert_eq!(shown("٢٢ أ ١٢٣٤٥"), "٢٢ أ ١٢٣٤٥");
        assert_eq!(shown_lines("a\nb\rc"), "a\nb\\u{d}c");

        let json = serde_json::json!({"n": "x\u{9b}y\u{202e}z\u{7f}\u{1b}"});
        let printed = shown_json(&json.to_string()).into_owned();
        assert!(!printed.chars().any(is_hidden), "{printed}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&printed).unwrap(),
            json
        );
    }

    #[test]
    fn a_text_of_somebody_elses_begins_no_row_and_moves_no_cursor() {
        let mut table = table(["plate", "what"]);
        table.add_row(row(["11-A-1\n99-B-9".into(), "\u{1b}[2J\u{202e}x".into()]));
        let text = table.to_string();
        assert!(
            text.contains("11-A-1\\u{a}99-B-9") && text.contains("\\u{1b}[2J\\u{202e}x"),
            "{text}"
        );
    }

    fn sources(dir: &Path, out: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push((
                    path.display().to_string(),
                    std::fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }

    #[test]
    fn nothing_is_printed_by_what_panics_when_its_reader_has_gone() {
        let mut files = Vec::new();
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut files,
        );

        let panics = ["print", "println", "eprint", "eprintln"].map(|name| format!("{name}!("));
        let is_word =
            |before: Option<char>| before.is_some_and(|c| c.is_alphanumeric() || c == '_');

        for (path, text) in files {
            for macro_name in &panics {
                let found = text.match_indices(macro_name.as_str());
                let before = |at: usize| text.get(..at).and_then(|t| t.chars().next_back());
                let alone = found.filter(|(at, _)| !is_word(before(*at))).count();
                assert_eq!(alone, 0, "{path} uses {macro_name}");
            }
        }
    }
}
