//! Findings of the reconciler.

use super::{
    DbRow, EACH, Engine,
    at_rest::secret_or_rot,
    cells::{bound, cell, id_list, read_or_skip, record_id, record_row},
};
use crate::{
    CaseFilter, CaseRow, CourseFilter, CourseRow, FindingFilter, FindingIndex, FindingRow,
    RecordRow, StoreError,
    at_rest::CellCipher,
    lists::{self, FINDING_COLUMNS},
    tables::{FINDING_ABOUT, FINDINGS},
};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use wadi_log::RecordId;

fn finding_row(r: &DbRow, cipher: &CellCipher) -> Result<FindingRow, StoreError> {
    Ok(FindingRow {
        id: cell(r, "id")?,
        rule: cell(r, "rule")?,
        severity: cell::<i64>(r, "severity")? as u8,
        phase: cell(r, "phase")?,
        state: cell(r, "state")?,
        crossing: cell(r, "crossing")?,
        assignee: secret_or_rot(r, cipher, &FINDINGS, "assignee", "")?,
        anchor: record_id(r, "anchor")?,
        evidence: cell(r, "evidence")?,
        at_ms: cell(r, "at_ms")?,
        due_ms: cell(r, "due_ms")?,
        json: secret_or_rot(r, cipher, &FINDINGS, "json", "")?,
        disposition: cell(r, "disposition")?,
        decided_ms: cell(r, "decided_ms")?,
    })
}

fn case_row(r: &DbRow, what: &str, cipher: &CellCipher) -> Result<CaseRow, StoreError> {
    Ok(CaseRow {
        value: secret_or_rot(r, cipher, &FINDING_ABOUT, "value", what)?,
        findings: cell(r, "findings")?,
        undecided: cell(r, "undecided")?,
        firm: cell(r, "firm")?,
        last_ms: cell(r, "last_ms")?,
    })
}

fn course_row(r: &DbRow) -> Result<CourseRow, StoreError> {
    Ok(CourseRow {
        id: cell(r, "id")?,
        rule: cell(r, "rule")?,
        crossing: cell(r, "crossing")?,
        found_ms: cell(r, "found_ms")?,
        decided_ms: cell(r, "decided_ms")?,
        gone_ms: cell(r, "gone_ms")?,
        disposition: cell(r, "disposition")?,
    })
}

#[async_trait]
impl FindingIndex for Engine {
    async fn finding(&self, id: &str) -> Result<Option<FindingRow>, StoreError> {
        if lists::is_no_text(id) {
            return Ok(None);
        }

        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {FINDING_COLUMNS} FROM findings f WHERE f.id = $1"
        )))
        .bind(id.to_string())
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| finding_row(&r, &self.cipher)).transpose()
    }

    async fn findings_of(&self, anchors: &[RecordId]) -> Result<Vec<FindingRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {FINDING_COLUMNS} FROM {EACH} \
             JOIN findings f ON f.anchor = unhex(j.value ->> 0) ORDER BY f.id",
        )))
        .bind(id_list(anchors))
        .fetch_all(&self.readers)
        .await?;

        Ok(rows
            .iter()
            .filter_map(|r| read_or_skip(finding_row(r, &self.cipher)))
            .collect())
    }

    async fn findings(&self, f: &FindingFilter) -> Result<Vec<FindingRow>, StoreError> {
        let listing = lists::findings(&self.cipher.finding_filter(f));
        let rows = bound(listing).fetch_all(&self.readers).await?;
        Ok(rows
            .iter()
            .filter_map(|r| read_or_skip(finding_row(r, &self.cipher)))
            .collect())
    }

    async fn finding_counts(
        &self,
        f: &FindingFilter,
    ) -> Result<Vec<(String, String, String, i64)>, StoreError> {
        let listing = bound(lists::finding_counts(&self.cipher.finding_filter(f)));
        let rows = listing.fetch_all(&self.readers).await?;
        let count = |r: &DbRow| {
            Ok((
                cell(r, "rule")?,
                cell(r, "phase")?,
                cell(r, "state")?,
                cell(r, "count")?,
            ))
        };
        Ok(rows.iter().filter_map(|r| read_or_skip(count(r))).collect())
    }

    async fn cases(&self, f: &CaseFilter) -> Result<Vec<CaseRow>, StoreError> {
        let listing = lists::cases(&self.cipher.case_filter(f));
        let rows = bound(listing).fetch_all(&self.readers).await?;
        Ok(rows
            .iter()
            .filter_map(|r| read_or_skip(case_row(r, &f.what, &self.cipher)))
            .collect())
    }

    async fn case_records(
        &self,
        what: &str,
        value: &str,
        limit: u32,
    ) -> Result<Vec<(RecordRow, i64)>, StoreError> {
        let stored = self.cipher.about(what, value);
        let listing = bound(lists::case_records(what, &stored, limit));
        let rows = listing.fetch_all(&self.readers).await?;
        let cited = |r: &DbRow| Ok((record_row(r, &self.cipher)?, cell(r, "findings")?));
        Ok(rows.iter().filter_map(|r| read_or_skip(cited(r))).collect())
    }

    async fn finding_courses(&self, f: &CourseFilter) -> Result<Vec<CourseRow>, StoreError> {
        let rows = bound(lists::courses(f)).fetch_all(&self.readers).await?;
        Ok(rows
            .iter()
            .filter_map(|r| read_or_skip(course_row(r)))
            .collect())
    }

    async fn course_officers(&self, f: &CourseFilter) -> Result<Vec<(String, String)>, StoreError> {
        let listing = bound(lists::course_officers(f));
        let rows = listing.fetch_all(&self.readers).await?;
        let named = |r: &DbRow| {
            let officer = secret_or_rot(r, &self.cipher, &FINDING_ABOUT, "value", "officer")?;
            Ok((cell(r, "finding")?, officer))
        };
        Ok(rows.iter().filter_map(|r| read_or_skip(named(r))).collect())
    }

    async fn contested_records(&self, f: &CourseFilter) -> Result<Vec<RecordRow>, StoreError> {
        let rows = bound(lists::contested(f)).fetch_all(&self.readers).await?;
        Ok(rows
            .iter()
            .filter_map(|r| read_or_skip(record_row(r, &self.cipher)))
            .collect())
    }

    async fn findings_overdue(&self, through_ms: i64) -> Result<i64, StoreError> {
        let row = sqlx::query(lists::OVERDUE)
            .bind(through_ms)
            .fetch_one(&self.readers)
            .await?;
        cell(&row, "count")
    }
}
