//! Records, their terms, what waits, and findings: what follows from entries.

use super::{Arg, WriteConnection, hexes, json_list, last_of_each, reference};
use crate::{
    AboutRow, Batch, StoreError,
    at_rest::SecretCell,
    scope_sums::{RecordPart, note_going},
    tables::{self, Rows},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{RecordId, Reference};

/// Rows of what is waited for that one statement takes away at most.
const WAITING_ROWS: u64 = 1_000;

/// Which record each entry is about, and entries of a kind.
pub(super) async fn write_index(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut rows = Rows::of(&tables::RECORD_ENTRIES);
    for (record, entry) in batch.project.about.iter().collect::<BTreeSet<_>>() {
        reference(rows.bytes(record.0), entry);
    }

    conn.insert(rows, "ON CONFLICT DO NOTHING").await?;

    let mut rows = Rows::of(&tables::SEEN);
    for entry in batch.project.seen.iter().collect::<BTreeSet<_>>() {
        reference(&mut rows, entry);
    }

    conn.insert(rows, "ON CONFLICT DO NOTHING").await
}

pub(super) async fn write_records(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    if batch.project.records.is_empty() {
        return Ok(());
    }

    let ids = hexes(batch.project.records.iter().map(|r| r.id.0));
    note_going(conn, &ids).await?;

    let mut cursor = newest_change(conn).await?;
    let mut rows = Rows::of(&tables::RECORDS);
    for r in &batch.project.records {
        cursor += 1;
        rows.bytes(r.id.0)
            .text(&r.printed)
            .int(i64::from(r.lane))
            .text(&r.crossing)
            .text(&r.state);

        rows.flag(r.open)
            .flag(r.contested)
            .text(&r.json)
            .bytes(r.digest.0)
            .int(i64::from(r.entries));

        rows.int(r.at_ms).int(r.born_ms).int(cursor);
    }

    conn.known().changed = Some(cursor);
    if let Some(moved) = &mut conn.known().moved {
        for r in &batch.project.records {
            let part = RecordPart {
                id: &r.id.0,
                digest: &r.digest.0,
                state: &r.state,
            };
            moved.add((r.lane, r.crossing.clone()), &part);
        }
    }

    let conflict = "ON CONFLICT (id) DO UPDATE SET printed = excluded.printed, \
                    lane = excluded.lane, crossing = excluded.crossing, state = excluded.state, \
                    open = excluded.open, contested = excluded.contested, json = excluded.json, \
                    digest = excluded.digest, entries = excluded.entries, at_ms = excluded.at_ms, \
                    born_ms = excluded.born_ms, changed = excluded.changed";
    conn.insert(rows, conflict).await?;

    write_terms(conn, batch, cursor, &ids).await
}

/// Takes away what is waited for by records, some rows a statement: what undoes a statement lies in
/// memory until it is done, and one record may wait for thousands of entries.
async fn end_waiting(conn: &mut dyn WriteConnection, ids: &str) -> Result<(), StoreError> {
    let sql = format!(
        "DELETE FROM waiting WHERE (log, seq, leaf) IN (SELECT log, seq, leaf FROM waiting \
         WHERE record IN (SELECT unhex(j.value ->> 0) FROM {}) LIMIT {WAITING_ROWS})",
        conn.each()
    );
    loop {
        let gone = conn.execute(&sql, &[Arg::Text(ids)]).await?;
        if gone > 0 {
            conn.known().waiting = None;
        }
        if gone < WAITING_ROWS {
            return Ok(());
        }
    }
}

/// The cursor of the newest change; that of a transaction's own is in no table yet.
async fn newest_change(conn: &mut dyn WriteConnection) -> Result<i64, StoreError> {
    if let Some(changed) = conn.known().changed {
        return Ok(changed);
    }

    let mut rows = conn
        .rows("SELECT value FROM meta WHERE key = 'changed'", &[])
        .await?;
    match rows.first_mut() {
        Some(row) => row.int("value"),
        None => Err(StoreError::Malformed("it has no cursor of changes".into())),
    }
}

/// Whether any entry waits for another: mostly none does.
async fn anything_waits(conn: &mut dyn WriteConnection) -> Result<bool, StoreError> {
    if let Some(known) = conn.known().waiting {
        return Ok(known);
    }

    let found = conn.rows("SELECT log FROM waiting LIMIT 1", &[]).await?;
    let any = !found.is_empty();
    conn.known().waiting = Some(any);
    Ok(any)
}

/// Whether any term that went is remembered.
async fn any_term_gone(conn: &mut dyn WriteConnection) -> Result<bool, StoreError> {
    if let Some(known) = conn.known().terms_gone {
        return Ok(known);
    }

    let found = conn
        .rows("SELECT record FROM terms_gone LIMIT 1", &[])
        .await?;
    let any = !found.is_empty();
    conn.known().terms_gone = Some(any);
    Ok(any)
}

/// A term of a record as it lies there, with the time it was born.
type TermRow = (Vec<u8>, String, String, i64);

/// Terms seldom change: what is there is read, and only the difference is written. They are
/// compared as they lie there, so that what rotted is a difference. A hub remembers what went until
/// it has looked at the records that were held together by it.
async fn write_terms(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
    last_cursor: i64,
    ids: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT t.record, t.what, t.value, t.born_ms FROM {} \
         JOIN terms t ON t.record = unhex(j.value ->> 0)",
        conn.each()
    );
    let mut held: BTreeSet<TermRow> = BTreeSet::new();
    for mut row in conn.rows(&sql, &[Arg::Text(ids)]).await? {
        held.insert((
            row.bytes("record")?,
            row.text("what")?,
            row.text("value")?,
            row.int("born_ms")?,
        ));
    }

    let cipher = conn.cipher().clone();
    let mut now: BTreeMap<TermRow, &str> = BTreeMap::new();
    for r in &batch.project.records {
        now.extend(r.terms.iter().map(|(what, value)| {
            let stored = cipher.term(what, value).into_owned();
            let term = (r.id.0.to_vec(), what.clone(), stored, r.born_ms);
            (term, value.as_str())
        }));
    }

    let mut rows = Rows::of(&tables::TERMS);
    let new = now.iter().filter(|(term, _)| !held.contains(term));
    for ((record, what, _, born_ms), value) in new {
        rows.bytes(&record[..])
            .text(what)
            .text(*value)
            .int(*born_ms);
    }

    conn.insert(rows, "ON CONFLICT DO NOTHING").await?;
    let mut gone = Rows::of(&tables::TERMS_GONE);
    for (record, what, value, born_ms) in held.iter().filter(|term| !now.contains_key(term)) {
        let sql =
            "DELETE FROM terms WHERE what = $1 AND value = $2 AND born_ms = $3 AND record = $4";
        let term = [
            Arg::Text(what),
            Arg::Text(value),
            Arg::Int(*born_ms),
            Arg::Bytes(record),
        ];
        conn.execute(sql, &term).await?;

        // One that rotted held nothing together.
        let at = SecretCell::new(&tables::TERMS, "value", what);
        if let Some(value) = cipher.open_text(at, value.clone()) {
            gone.bytes(&record[..])
                .text(what)
                .text(value)
                .int(*born_ms)
                .int(0);
        }
    }

    if batch.remember_gone {
        remember_gone(conn, batch, last_cursor, gone).await?;
    }

    Ok(())
}

/// Whatever went of a record, now and earlier, belongs to its newest change.
async fn remember_gone(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
    last_cursor: i64,
    gone: Rows,
) -> Result<(), StoreError> {
    if gone.len() > 0 {
        conn.known().terms_gone = Some(true);
        conn.insert(gone, "ON CONFLICT DO NOTHING").await?;
    }
    if !any_term_gone(conn).await? {
        return Ok(());
    }

    let first_cursor = last_cursor - batch.project.records.len() as i64 + 1;
    let cursors: BTreeMap<RecordId, i64> = batch
        .project
        .records
        .iter()
        .zip(first_cursor..)
        .map(|(r, cursor)| (r.id, cursor))
        .collect();
    let cursors: Vec<(String, i64)> = cursors
        .into_iter()
        .map(|(id, cursor)| (id.to_string(), cursor))
        .collect();

    let sql = format!(
        "UPDATE terms_gone SET changed = c.cursor FROM (SELECT unhex(j.value ->> 0) AS record, \
         CAST(j.value ->> 1 AS BIGINT) AS cursor FROM {}) AS c WHERE terms_gone.record = c.record",
        conn.each()
    );
    conn.execute(&sql, &[Arg::Text(&json_list(&cursors))])
        .await?;

    Ok(())
}

/// A row of what waits as it lies there: the entry's log, position and hash, its record, and what
/// it waits for, empty for nothing that has a name.
type WaitingRow = (Vec<u8>, i64, Vec<u8>, Vec<u8>, Vec<u8>);

/// A record may wait for thousands of entries, and be written anew with each that comes: what is
/// there is read, and only the difference is written.
pub(super) async fn write_waiting(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    let now = waiting_now(batch);
    let mut held: BTreeSet<WaitingRow> = BTreeSet::new();
    if !batch.project.records.is_empty() && anything_waits(conn).await? {
        let ids = hexes(batch.project.records.iter().map(|r| r.id.0));
        match held_waiting(conn, &ids).await {
            Ok(rows) => held = rows,
            // One that rotted has no key to be taken away by: all of them are written anew.
            Err(StoreError::Malformed(_)) => end_waiting(conn, &ids).await?,
            Err(error) => return Err(error),
        }
    }

    let keys: BTreeSet<(&[u8], i64, &[u8])> = now
        .iter()
        .map(|(log, seq, leaf, ..)| (&log[..], *seq, &leaf[..]))
        .collect();
    for (log, seq, leaf, ..) in &held {
        if !keys.contains(&(&log[..], *seq, &leaf[..])) {
            let sql = "DELETE FROM waiting WHERE log = $1 AND seq = $2 AND leaf = $3";
            let key = [Arg::Bytes(log), Arg::Int(*seq), Arg::Bytes(leaf)];
            conn.execute(sql, &key).await?;
            conn.known().waiting = None;
        }
    }

    let mut rows = Rows::of(&tables::WAITING);
    let new: Vec<&WaitingRow> = now.difference(&held).collect();
    for (log, seq, leaf, record, missing) in &new {
        rows.bytes(&log[..]).int(*seq).bytes(&leaf[..]);
        rows.bytes(&record[..])
            .bytes_or_none((!missing.is_empty()).then(|| missing.clone()));
    }
    if new.is_empty() {
        return Ok(());
    }

    conn.known().waiting = Some(true);
    let conflict = "ON CONFLICT (log, seq, leaf) DO UPDATE SET record = excluded.record, \
                    missing = excluded.missing";
    conn.insert(rows, conflict).await
}

/// What waits by a batch: of an entry that is named twice the last word.
fn waiting_now(batch: &Batch) -> BTreeSet<WaitingRow> {
    let of_records = batch.project.records.iter().flat_map(|r| {
        let waiting = r.waiting.iter();
        waiting.map(|(entry, missing)| (*entry, (r.id, *missing)))
    });
    let others = batch.project.waiting.iter();
    let others = others.map(|w| (w.entry, (w.record, w.missing)));
    let all: BTreeMap<Reference, (RecordId, Option<Reference>)> =
        of_records.chain(others).collect();

    let row = |(entry, (record, missing)): (Reference, (RecordId, Option<Reference>))| {
        let missing = missing.map_or(Vec::new(), |m| m.to_bytes().to_vec());
        let log = entry.log.to_bytes().to_vec();
        (
            log,
            entry.seq as i64,
            entry.leaf.0.to_vec(),
            record.0.to_vec(),
            missing,
        )
    };
    all.into_iter().map(row).collect()
}

/// What is waited for by these records.
async fn held_waiting(
    conn: &mut dyn WriteConnection,
    ids: &str,
) -> Result<BTreeSet<WaitingRow>, StoreError> {
    let sql = format!(
        "SELECT w.log, w.seq, w.leaf, w.record, COALESCE(w.missing, unhex('')) AS missing FROM {} \
         JOIN waiting w ON w.record = unhex(j.value ->> 0)",
        conn.each()
    );
    let mut held = BTreeSet::new();
    for mut row in conn.rows(&sql, &[Arg::Text(ids)]).await? {
        held.insert((
            row.bytes("log")?,
            row.int("seq")?,
            row.bytes("leaf")?,
            row.bytes("record")?,
            row.bytes("missing")?,
        ));
    }
    Ok(held)
}

pub(super) async fn write_findings(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut rows = Rows::of(&tables::FINDINGS);
    for f in last_of_each(&batch.findings.changed, |f| &f.id) {
        rows.text(&f.id)
            .text(&f.rule)
            .int(i64::from(f.severity))
            .text(&f.phase)
            .text(&f.state)
            .text(&f.crossing);

        rows.text(&f.assignee)
            .bytes(f.anchor.0)
            .text(&f.evidence)
            .int(f.at_ms)
            .int(f.due_ms)
            .text(&f.json);

        rows.text(&f.disposition).int(f.decided_ms);
    }

    let conflict = "ON CONFLICT (id) DO UPDATE SET rule = excluded.rule, \
                    severity = excluded.severity, phase = excluded.phase, state = excluded.state, \
                    crossing = excluded.crossing, assignee = excluded.assignee, \
                    anchor = excluded.anchor, evidence = excluded.evidence, \
                    at_ms = excluded.at_ms, due_ms = excluded.due_ms, json = excluded.json, \
                    disposition = excluded.disposition, decided_ms = excluded.decided_ms";
    conn.insert(rows, conflict).await?;
    write_courses(conn, batch).await?;

    if !batch.findings.gone.is_empty() {
        let gone: Vec<[&String; 1]> = batch.findings.gone.iter().map(|id| [id]).collect();
        let sql = format!(
            "DELETE FROM findings WHERE id IN (SELECT j.value ->> 0 FROM {})",
            conn.each()
        );
        conn.execute(&sql, &[Arg::Text(&json_list(&gone))]).await?;
    }

    if let Some(cursor) = batch.project.gone_seen
        && any_term_gone(conn).await?
    {
        let sql = "DELETE FROM terms_gone WHERE changed <= $1";
        if conn.execute(sql, &[Arg::Int(cursor)]).await? > 0 {
            conn.known().terms_gone = None;
        }
    }

    Ok(())
}

/// What changed findings are about, and what became of all: of one that is gone, that too. What it
/// was about stays, for whoever counts by it.
async fn write_courses(conn: &mut dyn WriteConnection, batch: &Batch) -> Result<(), StoreError> {
    let changed = last_of_each(&batch.findings.changed, |f| &f.id);
    if !changed.is_empty() {
        let ids: Vec<[&String; 1]> = changed.iter().map(|f| [&f.id]).collect();
        let sql = format!(
            "DELETE FROM finding_about WHERE finding IN (SELECT j.value ->> 0 FROM {})",
            conn.each()
        );
        conn.execute(&sql, &[Arg::Text(&json_list(&ids))]).await?;
    }

    let mut about = Rows::of(&tables::FINDING_ABOUT);
    let each = |a: &AboutRow| (a.what.clone(), a.value.clone(), a.finding.clone());
    for a in last_of_each(&batch.findings.about, each) {
        about.text(&a.what).text(&a.value).text(&a.finding);
    }
    conn.insert(about, "ON CONFLICT DO NOTHING").await?;

    let mut courses = Rows::of(&tables::FINDING_COURSES);
    for f in changed {
        courses.text(&f.id).text(&f.rule).text(&f.crossing);
        courses.int(batch.at_ms).int(f.decided_ms).int(0);
        courses.text(&f.disposition);
    }

    // When it was found first stays.
    let conflict = "ON CONFLICT (id) DO UPDATE SET rule = excluded.rule, \
                    crossing = excluded.crossing, decided_ms = excluded.decided_ms, \
                    gone_ms = 0, disposition = excluded.disposition";
    conn.insert(courses, conflict).await?;

    if !batch.findings.gone.is_empty() {
        let gone: Vec<[&String; 1]> = batch.findings.gone.iter().map(|id| [id]).collect();
        let sql = format!(
            "UPDATE finding_courses SET gone_ms = $2 WHERE id IN (SELECT j.value ->> 0 FROM {})",
            conn.each()
        );
        let list = json_list(&gone);
        conn.execute(&sql, &[Arg::Text(&list), Arg::Int(batch.at_ms)])
            .await?;
    }

    Ok(())
}
