//! The machine-readable zone of a travel document, as readers send it: ICAO Doc 9303, parts 4
//! (TD3), 5 (TD1), 6 (TD2) and 7 (MRV-A and MRV-B).
//!
//! A zone is read and checked where it is captured and never stored. Line breaks, blanks, small
//! letters and what readers put for the filler are made one; a letter that stands for a digit, or a
//! digit for a letter, is never put right: its check digit tells.

use super::{country::country_doubt, letters::takes_no_room};
use mrz::{Checks, Format, MrzData, MrzDate, MrzError, ParseOptions, Sex};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

/// How many lines a zone has, and how long each is.
const SHAPES: [(usize, usize); 3] = [(2, 44), (2, 36), (3, 30)];
/// Characters of a zone as it is sent; whatever is longer is none.
const CHARS_MAX: usize = 512;
/// Bytes of the same where every character of it is escaped, three times over.
const ESCAPED_MAX: usize = 16 * CHARS_MAX;
/// How often a zone may have been escaped, once by each program that it came through.
const ESCAPED_TIMES: usize = 3;
/// Characters that programs name in XML and HTML, in small letters.
const NAMED: [(&str, char); 6] = [
    ("&lt", '<'),
    ("&amp", '&'),
    ("&laquo", '«'),
    ("&lsaquo", '‹'),
    ("&nbsp", ' '),
    ("&newline", '\n'),
];
/// The first letter of a visa's zone.
const VISA: char = 'V';
const DAY_MS: i64 = 86_400_000;
/// What a first line has at least: its document's type and state, and a letter of a name.
const FIRST_LINE: usize = 6;
/// What the second line of a visa has at least: all up to the check digit of its expiry.
const VISA_DIGITS: usize = 28;
/// What the first line of a card has at least: all up to the check digit of its number.
const TD1_DIGITS: usize = 15;

/// What the check of a machine-readable zone came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    is_visa: bool,
    wrong: Vec<String>,
    doubts: Vec<String>,
}

impl Zone {
    /// Reads and checks a zone. What is in date is judged by the time given, Unix milliseconds.
    pub fn read(text: &str, now_ms: i64) -> Self {
        let mut zone = Self {
            is_visa: false,
            wrong: Vec::new(),
            doubts: Vec::new(),
        };

        let text = match plain(text) {
            Ok(text) => text,
            Err(why) => {
                zone.wrong.push(why);
                return zone;
            }
        };

        // Whose a zone is that does not read depends on it, too.
        let first = rows(&text, "<", "").into_iter().next();
        zone.is_visa = first.is_some_and(|first| first.starts_with(VISA));

        let lines = match lines(&text) {
            Ok(lines) => lines,
            Err(why) => {
                zone.wrong.push(why);
                return zone;
            }
        };

        let today = date(now_ms);
        match parse(&lines, today.year) {
            Ok(data) => zone.judge(&data, &lines, today),
            Err(error) => zone
                .wrong
                .push(format!("the machine-readable zone does not read: {error}")),
        }

        zone
    }

    /// Whether it is a visa's, which lies beside a document and is none.
    pub fn is_visa(&self) -> bool {
        self.is_visa
    }

    /// Whether its check failed.
    pub fn failed(&self) -> bool {
        !self.wrong.is_empty()
    }

    /// What is wrong about it, and what is strange, in sentences.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.wrong.iter().chain(&self.doubts).map(String::as_str)
    }

    fn judge(&mut self, data: &MrzData, lines: &[String], today: mrz::Date) {
        let disagree = disagreeing(&data.checks);
        if !disagree.is_empty() {
            let letters = letters_for_digits(data.format, lines);
            self.wrong.push(format!(
                "a check digit of the machine-readable zone does not agree: {}{letters}",
                disagree.join(", ")
            ));
        }

        for (what, day) in [
            ("birth", data.date_of_birth),
            ("expiry", data.date_of_expiry),
        ] {
            if let Some(why) = impossible_day(day) {
                self.wrong.push(format!(
                    "the date of {what} in the machine-readable zone {why}"
                ));
            }
        }

        let (birth, expiry) = (
            data.date_of_birth.calendar(),
            data.date_of_expiry.calendar(),
        );
        if let (Some(birth), Some(expiry)) = (birth, expiry)
            && expiry.to_epoch_days() < birth.to_epoch_days()
        {
            self.wrong
                .push("the document expired before its holder was born".into());
        }

        if expiry.is_some_and(|day| day.to_epoch_days() < today.to_epoch_days()) {
            self.doubts
                .push(format!("the document expired on {}", data.date_of_expiry));
        }

        // No check digit covers it. X stands on some documents where the standard has a filler.
        if let Sex::NonConformant(letter) = data.sex
            && letter != 'X'
        {
            self.doubts.push(format!(
                "the sex in the machine-readable zone is {letter}, and none of M, F and a filler"
            ));
        }

        // Who issued it and whose citizen the holder is: one code, mostly.
        let codes = BTreeSet::from([&data.issuing_country, &data.nationality]);
        self.doubts
            .extend(codes.into_iter().filter_map(|code| country_doubt(code)));
    }
}

/// Zones as they were sent, where lines came each for itself put together again: a line alone is no
/// zone of any document.
pub fn whole_zones(sent: &[&str]) -> Vec<String> {
    let shapes: Vec<Option<(usize, usize)>> = sent.iter().map(|text| shape_of_line(text)).collect();
    let mut out = Vec::new();
    let mut at = 0;

    while let Some(text) = sent.get(at) {
        let shape = shapes.get(at).copied().flatten();
        let lines = shape.map_or(1, |(lines, _)| lines);
        let is_of_one = |of: &[Option<(usize, usize)>]| of.iter().all(|other| *other == shape);
        let together = shapes.get(at..at + lines).is_some_and(is_of_one);

        match sent.get(at..at + lines).filter(|_| together) {
            Some(parts) => {
                out.push(parts.join("\n"));
                at += lines;
            }
            None => {
                out.push(text.to_string());
                at += 1;
            }
        }
    }

    out
}

/// The shape of the document of which a text is one line, and no more.
fn shape_of_line(text: &str) -> Option<(usize, usize)> {
    let rows = rows(&plain(text).ok()?, "<", "");
    let [row] = rows.as_slice() else {
        return None;
    };
    let length = row.chars().count();
    SHAPES.into_iter().find(|(_, chars)| *chars == length)
}

/// Which zones are whose: of each traveller, in the order given, whether a zone of theirs failed.
/// A visa belongs to the document that it lies beside, the one before it; with a wrong visa beside
/// a right passport the check failed. Where there are visas alone, each is of one traveller. Where
/// there is one traveller all zones are theirs. An error says why nobody can tell.
pub fn zones_failed(travellers: usize, zones: &[Zone]) -> Result<Vec<bool>, String> {
    let documents = zones.iter().filter(|zone| !zone.is_visa).count();
    if zones.is_empty() {
        return Ok(Vec::new());
    }

    if travellers == 0 {
        return Err(format!(
            "{} machine-readable zones, and the hash of no traveller's document beside them: \
             nobody can tell whose they are, and no check is recorded",
            zones.len()
        ));
    }

    if travellers == 1 {
        return Ok(vec![zones.iter().any(Zone::failed)]);
    }

    if documents == travellers {
        let mut failed: Vec<bool> = Vec::new();
        let mut before_the_first = false;
        for zone in zones {
            if !zone.is_visa {
                failed.push(zone.failed());
            } else if let Some(last) = failed.last_mut() {
                *last |= zone.failed();
            } else {
                before_the_first |= zone.failed();
            }
        }

        if let Some(first) = failed.first_mut() {
            *first |= before_the_first;
        }
        return Ok(failed);
    }

    let visas = zones.len() - documents;
    if documents == 0 && visas == travellers {
        return Ok(zones.iter().map(Zone::failed).collect());
    }

    Err(format!(
        "{documents} machine-readable zones of documents and {travellers} travellers: nobody can \
         tell whose they are, and no check is recorded"
    ))
}

fn date(ms: i64) -> mrz::Date {
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = ms.div_euclid(DAY_MS);
    let day = epoch
        .checked_add(jiff::Span::new().try_days(days).unwrap_or_default())
        .unwrap_or(epoch);

    let part = |number: i8| u32::from(number.unsigned_abs());

    mrz::Date::new(i32::from(day.year()), part(day.month()), part(day.day()))
}

/// The text of a zone as it was before programs escaped it, in the characters of a zone where they
/// have others for them.
fn plain(text: &str) -> Result<String, String> {
    let too_long = || {
        format!("a machine-readable zone has 72 to 90 characters, and not more than {CHARS_MAX}")
    };
    let mut text: String = text.chars().filter(|c| !takes_no_room(*c)).collect();
    if text.len() > ESCAPED_MAX {
        return Err(too_long());
    }

    for _ in 0..ESCAPED_TIMES {
        text = unescaped(&text);
    }

    match text.chars().count() > CHARS_MAX {
        true => Err(too_long()),
        false => Ok(text.nfkc().collect()),
    }
}

/// A text in which each character that was escaped stands as it is. No zone has a character with
/// which an escape begins.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let (character, bytes) = escape(rest).unwrap_or((next, next.len_utf8()));
        out.push(character);
        rest = rest.get(bytes..).unwrap_or_default();
    }

    out
}

/// The character that a text begins with as an escape of JSON, XML, HTML, a URL or mail, and the
/// bytes of that escape.
fn escape(text: &str) -> Option<(char, usize)> {
    let coded = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let is_hexadecimal = digits.bytes().all(|c| c.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok()?;
        Some((char::from_u32(code).filter(|_| is_hexadecimal)?, to))
    };

    match text.as_bytes() {
        [b'\\', b'n' | b'N' | b'r' | b'R', ..] => Some(('\n', 2)),
        [b'\\', b't' | b'T', ..] => Some((' ', 2)),
        [b'\\', b'u' | b'U', ..] => coded(2, 6),
        [b'\\', b'x' | b'X', ..] => coded(2, 4),
        [b'\\', b'\\', ..] => Some(('\\', 2)),
        // Beyond ASCII it would be a byte of a character.
        [b'%' | b'=', ..] => coded(1, 3).filter(|(c, _)| c.is_ascii()),
        [b'&', b'#', ..] => numbered(text),
        [b'&', ..] => named(text),
        _ => None,
    }
}

/// The same of a character that stands by its number, as `&#60;` or `&#x3C;`.
fn numbered(text: &str) -> Option<(char, usize)> {
    /// Digits of a number, zeros before it among them.
    const DIGITS_MAX: usize = 8;
    let rest = text.strip_prefix("&#")?;
    let (radix, digits) = match rest.strip_prefix(['x', 'X']) {
        Some(digits) => (16, digits),
        None => (10, rest),
    };

    let (digits, _) = digits.split_once(';')?;
    let is_number =
        (1..=DIGITS_MAX).contains(&digits.len()) && digits.chars().all(|c| c.is_digit(radix));
    let code = u32::from_str_radix(digits, radix)
        .ok()
        .filter(|_| is_number)?;

    let mark = usize::from(radix == 16);
    Some((char::from_u32(code)?, "&#;".len() + mark + digits.len()))
}

/// The same of a character that stands by its name, as `&lt;`, whose end may be missing.
fn named(text: &str) -> Option<(char, usize)> {
    let begins = |name: &str| {
        let begun = text.get(..name.len());
        begun.is_some_and(|begun| begun.eq_ignore_ascii_case(name))
    };
    let (name, c) = NAMED.into_iter().find(|(name, _)| begins(name))?;

    let end = usize::from(text.get(name.len()..)?.starts_with(';'));
    Some((c, name.len() + end))
}

/// The lines of a zone, each as long as its document has it.
fn lines(text: &str) -> Result<Vec<String>, String> {
    // Readers that put a blank for the filler send lines of full length; others only part groups.
    // One « is read for one filler or for two: whichever makes lines of a document.
    let ways = [("<<", ""), ("<", ""), ("<<", "<"), ("<", "<")];
    let read = ways.map(|(chevrons, blank)| rows(text, chevrons, blank));
    if let Some(lines) = read.iter().find_map(|rows| shaped(rows)) {
        return Ok(lines);
    }

    // Where fillers stand as blanks, a row without blanks has lost them.
    let mut filled = read.each_ref().map(|rows| filled_up(rows));
    if !text.contains('<') {
        filled.rotate_left(3);
    }
    if let Some(lines) = filled.into_iter().flatten().next() {
        return Ok(lines);
    }

    let lengths: Vec<String> = read[0]
        .iter()
        .map(|row| row.chars().count().to_string())
        .collect();
    Err(format!(
        "a machine-readable zone has two lines of 44 or 36 characters or three of 30; found {}",
        if lengths.is_empty() {
            "none".into()
        } else {
            lengths.join(" + ")
        }
    ))
}

/// The rows of a text in the letters of a zone; those that hold nothing are left out.
fn rows(text: &str, chevrons: &str, blank: &str) -> Vec<String> {
    let is_break = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{1C}'
                ..='\u{1E}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };

    let row = |row: &str| -> String {
        let mut out = String::new();
        for c in row.chars() {
            match c {
                '«' | '≪' => out.push_str(chevrons),
                '‹' | '〈' | '⟨' | '˂' => out.push('<'),
                c if c.is_whitespace() => out.push_str(blank),
                // Controls that frame a transmission, and whatever takes no room.
                c if c.is_control() || takes_no_room(c) => {}
                c => out.push(c.to_ascii_uppercase()),
            }
        }
        out
    };

    let rows = text.split(is_break).map(row);
    rows.filter(|row| !row.chars().all(|c| c == '<')).collect()
}

/// The rows as lines of a document: as they are, or, where they were broken elsewhere or not at
/// all, cut anew.
fn shaped(rows: &[String]) -> Option<Vec<String>> {
    let is_shape = |(lines, chars): &(usize, usize)| {
        rows.len() == *lines && rows.iter().all(|row| row.chars().count() == *chars)
    };
    if SHAPES.iter().any(is_shape) {
        return Some(rows.to_vec());
    }

    let whole: Vec<char> = rows.iter().flat_map(|row| row.chars()).collect();
    let (_, chars) = SHAPES
        .into_iter()
        .find(|(lines, chars)| lines * chars == whole.len())?;

    Some(
        whole
            .chunks(chars)
            .map(|line| line.iter().collect())
            .collect(),
    )
}

/// The rows of a document whose fillers at the ends of lines were cut off, as whatever trims texts
/// does. Of a line that ends with a check digit nothing is cut off.
fn filled_up(rows: &[String]) -> Option<Vec<String>> {
    let length = |row: &String| row.chars().count();
    let (least, chars) = match rows {
        [a, b] if a.starts_with(VISA) => {
            let longest = length(a).max(length(b));
            (
                vec![FIRST_LINE, VISA_DIGITS],
                if longest > 36 { 44 } else { 36 },
            )
        }
        [_, b] => (vec![FIRST_LINE, length(b)], length(b)),
        [_, b, _] => (vec![TD1_DIGITS, length(b), 1], length(b)),
        _ => return None,
    };

    let is_shape = SHAPES.contains(&(rows.len(), chars));
    let mut each = rows.iter().zip(least);
    let fits = each.all(|(row, least)| (least..=chars).contains(&length(row)));
    (is_shape && fits).then(|| rows.iter().map(|row| format!("{row:<<chars$}")).collect())
}

fn parse(lines: &[String], year: i32) -> Result<MrzData, MrzError> {
    let options = ParseOptions::default().with_pivot_yy(year.rem_euclid(100).unsigned_abs());
    match lines {
        [a, b, c] => mrz::parse_td1_with(a, b, c, &options),
        [a, b] => {
            let (is_visa, is_large) = (a.starts_with(VISA), a.chars().count() == 44);
            match (is_visa, is_large) {
                (true, true) => mrz::parse_mrv_a_with(a, b, &options),
                (true, false) => mrz::parse_mrv_b_with(a, b, &options),
                (false, true) => mrz::parse_td3_with(a, b, &options),
                (false, false) => mrz::parse_td2_with(a, b, &options),
            }
        }
        _ => Err(MrzError::NotFound),
    }
}

/// Whose check digits do not agree.
fn disagreeing(checks: &Checks) -> Vec<&'static str> {
    let all = [
        ("document number", checks.document_number),
        ("date of birth", checks.date_of_birth),
        ("date of expiry", checks.date_of_expiry),
        ("personal number", checks.personal_number),
        ("the whole", checks.composite),
    ];

    let wrong = all.into_iter().filter(|(_, agrees)| *agrees == Some(false));
    wrong.map(|(what, _)| what).collect()
}

/// Where a letter stands and only a digit or a filler may: the end of a sentence, empty for none.
fn letters_for_digits(format: Format, lines: &[String]) -> String {
    // The check digit of the number, then birth and expiry with theirs; lines and places from 0.
    let places: &[(usize, usize, usize)] = match format {
        Format::Td1 => &[(0, 14, 15), (1, 0, 7), (1, 8, 15)],
        _ => &[(1, 9, 10), (1, 13, 20), (1, 21, 28)],
    };

    let mut found = Vec::new();
    for (line, from, to) in places {
        let chars = lines.get(*line).map(|l| l.chars()).into_iter().flatten();
        for (place, c) in chars.enumerate().take(*to).skip(*from) {
            if c.is_ascii_alphabetic() {
                found.push(format!("{c} in line {}, place {}", line + 1, place + 1));
            }
        }
    }

    if found.is_empty() {
        return String::new();
    }
    format!(
        "; a letter stands where a digit belongs: {}",
        found.join(", ")
    )
}

/// Why a date is none, where it is not unknown, as a part of it may be.
fn impossible_day(day: MrzDate) -> Option<String> {
    match day {
        MrzDate::OutOfCalendar(_) => Some(format!("is no day: {day}")),
        MrzDate::Malformed(_) => Some(format!("is no date: {day}")),
        MrzDate::PartiallyUnknown(_) => {
            let text = day.to_string();
            let part = |n: usize| text.get(n..n + 2).and_then(|p| p.parse::<u8>().ok());
            let is_wrong = part(2).is_some_and(|month| !(1..=12).contains(&month))
                || part(4).is_some_and(|day| !(1..=31).contains(&day));
            is_wrong.then(|| format!("is no day: {text}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
