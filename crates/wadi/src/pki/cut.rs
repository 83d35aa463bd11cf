//! A cut that the commission's root signs, for a hub above all, which no hub can cut.

use super::{Ca, CaArgs, ca::nodes, print_text_or_json};
use crate::{failure::Failure, output};
use serde_json::{Value, json};
use std::path::Path;
use wadi_log::{Cut, CutTarget, Enrolment, Head, LogId, Reference, hex, unhex};

/// What is asked to be signed.
pub(super) struct AskedCut<'a> {
    pub(super) name: &'a str,
    pub(super) heads: Option<&'a Path>,
    pub(super) extends: &'a [String],
    pub(super) lift: bool,
    pub(super) successor: Option<&'a str>,
    pub(super) reason: String,
}

/// Writes the signed cut, in hexadecimal, a part a line.
pub(super) fn run(
    asked: AskedCut<'_>,
    file: &Path,
    force: bool,
    ca: &CaArgs,
    json: bool,
) -> Result<(), Failure> {
    output::check_free(file, force)?;
    let known = nodes(&ca.dir)?;
    let node_named = |wanted: &str| {
        let found = known.iter().find(|(name, _)| name == wanted);
        found.map(|(_, enrolment)| enrolment).ok_or_else(|| {
            let why = format!("no papers of {wanted:?} are in {}", ca.dir.display());
            Failure::usage("no_node", why)
        })
    };
    let enrolment = node_named(asked.name)?;
    let successor = asked.successor.map(node_named).transpose()?;

    let target = CutTarget::Node(enrolment.node());
    let heads = match asked.heads {
        None => Vec::new(),
        Some(path) => read_heads(path, &target)?,
    };
    let extends = asked.extends.iter().map(|text| reference(text));
    let mut extends = extends.collect::<Result<Vec<_>, _>>()?;
    extends.sort();
    extends.dedup();

    let cut = Cut {
        extends,
        lifted: asked.lift,
        successor: successor.map(Enrolment::node),
        ..Cut::of(target, heads, asked.reason)
    };
    let kept: u64 = cut.heads.iter().map(|head| head.size).sum();

    let opened = Ca::open(&ca.dir, &ca.passphrase(false)?)?;
    let parts = cut.in_parts().into_iter().map(|part| opened.sign_cut(part));
    let lines: Vec<String> = parts.map(|part| hex(&part.to_bytes())).collect();
    output::write(file, (lines.join("\n") + "\n").as_bytes())?;

    let what = match asked.lift {
        true => format!("What takes the cut of {} back", asked.name),
        false => format!(
            "The cut of {}, of which {kept} entries count on,",
            asked.name
        ),
    };
    let text = format!(
        "{what} is in {}. Take it to any node that others hear of, and say it there: \
         wadi say cut --signed {}",
        file.display(),
        file.display()
    );
    let value = json!({
        "node": enrolment.node().to_string(),
        "entries_that_count_on": kept,
        "lifted": asked.lift,
        "file": file.display().to_string(),
    });
    print_text_or_json(json, &text, &value);
    Ok(())
}

fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse()
        .map_err(|e| Failure::usage("bad_reference", format!("{text:?}: {e}")))
}

/// The heads out of what a node answered to the dry run of a cut.
fn read_heads(path: &Path, target: &CutTarget) -> Result<Vec<Head>, Failure> {
    let bad = |why: String| Failure::usage("bad_heads", format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let answer: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let rows = answer["would"]["logs"].as_array().ok_or_else(|| {
        bad("it is not the answer of `wadi say cut NAME --dry-run --json`".into())
    })?;

    let mut heads = Vec::with_capacity(rows.len());
    for row in rows {
        heads.push(head_of(row).ok_or_else(|| bad(format!("no head: {row}")))?);
    }

    let of_target = |log: &LogId| *target == CutTarget::Node(log.node);
    if let Some(foreign) = heads.iter().find(|head| !of_target(&head.log)) {
        return Err(bad(format!(
            "{} is another node's log",
            foreign.log.origin()
        )));
    }

    heads.sort();
    heads.dedup_by_key(|head| head.log);
    Ok(heads)
}

fn head_of(row: &Value) -> Option<Head> {
    let root: [u8; 32] = unhex(row["root"].as_str()?)?.try_into().ok()?;
    Some(Head {
        log: LogId::from_origin(row["log"].as_str()?).ok()?,
        size: row["counts_to"].as_u64()?,
        root: wadi_log::Hash(root),
    })
}
