//! `wadi audit evidence FINDING`: the finding, and an evidence file of each record it rests on.

use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    output,
    print::{pretty, print_answer},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};
use wadi_log::RecordId;

/// Hexadecimal digits of a finding's id.
const FINDING_DIGITS: usize = 32;
/// The finding's own file in the directory.
const FINDING_FILE: &str = "finding.json";

/// Whether this is a finding's id: a record's has more digits, or a crossing's code before it.
pub(super) fn is_finding(id: &str) -> bool {
    id.len() == FINDING_DIGITS && id.bytes().all(|c| c.is_ascii_hexdigit())
}

/// Writes the directory. Every record is there before the finding: a directory with the finding in
/// it is whole.
pub(super) fn pack_finding(
    id: &str,
    dir: &Path,
    force: bool,
    at: &NodeAt,
    json: bool,
) -> Result<Exit, Failure> {
    if dir.exists() && !dir.is_dir() {
        let why = format!(
            "{} is a file: name a directory for a finding",
            dir.display()
        );
        return Err(Failure::usage("not_a_directory", why));
    }

    output::check_free(&dir.join(FINDING_FILE), force)?;
    let client = Client::at(at)?;
    let finding = client.get(&format!("/v1/findings/{id}"))?;
    let mut records = BTreeSet::new();
    cited(&finding, &mut records);

    std::fs::create_dir_all(dir)
        .map_err(|e| Failure::new("unwritable", format!("{}: {e}", dir.display())))?;
    let mut bytes = 0;
    for record in &records {
        let file = dir.join(format!("{record}.evidence"));
        output::check_free(&file, force)?;
        let text = client.get_text(&format!("/v1/records/{record}/evidence"))?;
        bytes += text.len();
        output::write(&file, text.as_bytes())?;
    }

    output::write(&dir.join(FINDING_FILE), pretty(&finding).as_bytes())?;
    let value = json!({
        "directory": dir.display().to_string(),
        "finding": id,
        "records": records,
        "bytes": bytes,
    });
    print_answer(json, &value, |_| {
        format!(
            "{} records in {}, {bytes} bytes; check each with: wadi audit verify-evidence",
            records.len(),
            dir.display()
        )
    });

    Ok(Exit::Done)
}

/// The printed ids of all records that are named somewhere in a finding.
fn cited(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if RecordId::check_printed(text).is_ok() => {
            out.insert(text.clone());
        }
        Value::Array(all) => all.iter().for_each(|one| cited(one, out)),
        Value::Object(members) => members.values().for_each(|one| cited(one, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_wherever_they_are_named() {
        let one = RecordId([7; 32]).print("TRB".parse().unwrap(), wadi_log::Lane::Passage);
        let other = RecordId([8; 32]).print("TRB".parse().unwrap(), wadi_log::Lane::Hold);
        let finding = json!({
            "record": one,
            "evidence": {"holds": [{"hold": other}], "value": "11A00042"},
            "text": format!("{one} left while {other} was open"),
        });

        let mut found = BTreeSet::new();
        cited(&finding, &mut found);
        assert_eq!(found, BTreeSet::from([one, other]));
    }

    #[test]
    fn a_finding_is_told_from_a_record_by_its_id() {
        assert!(is_finding("1e6069cc0eb702d8fa7ff7ce99b2c744"));
        assert!(!is_finding(&"0".repeat(64)));
        assert!(!is_finding("TRB-P-1NAZ630PAYKST"));
    }
}
