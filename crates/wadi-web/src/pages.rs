//! How much one answer lists: where its caller names no limit, as much as a weak line carries in a
//! moment.

use crate::{Problem, problem::unprocessable};
use serde_json::Value;

/// Bytes of a list's answer at most, where its caller names no limit.
pub(crate) const PAGE_BYTES: usize = 50_000;
/// Rows of such an answer at most.
pub(crate) const PAGE_ROWS: u32 = 100;
/// Rows of an answer at most, whatever its caller names.
pub(crate) const ROWS_MAX: u32 = 500;

/// Rows to read for a caller who named this limit. One who asks for more than there can be in an
/// answer is told so, and does not take a part for the whole.
pub(crate) fn rows(limit: Option<u32>) -> Result<u32, Problem> {
    rows_or(limit, PAGE_ROWS)
}

/// The same, with another number of rows where no limit is named.
pub(crate) fn rows_or(limit: Option<u32>, rows: u32) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(rows);
    if (1..=ROWS_MAX).contains(&limit) {
        return Ok(limit);
    }

    let why = format!("limit: {limit} is not from 1 to {ROWS_MAX}; the cursor leads to the rest");
    Err(unprocessable("bad_limit", why))
}

/// How many of these rows go into an answer beside what else it says: all, where its caller named
/// a limit; else as many as fit, and one at least, so that whoever follows the cursor gets on.
pub(crate) fn fitting<'r>(
    rows: impl ExactSizeIterator<Item = &'r Value>,
    beside: &Value,
    limit: Option<u32>,
) -> usize {
    if limit.is_some() {
        return rows.len();
    }

    let mut bytes = beside.to_string().len();
    let fits = |row: &Value| {
        // And the comma before the next.
        bytes += row.to_string().len() + 1;
        bytes <= PAGE_BYTES
    };

    let any = rows.len().min(1);
    rows.map(fits).take_while(|fits| *fits).count().max(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_without_a_limit_ends_before_it_is_too_long_and_holds_one_row_at_least() {
        let rows = vec![json!("x".repeat(1_000)); 100];
        let beside = json!({"records": [], "next_before": null});
        let shown = fitting(rows.iter(), &beside, None);
        let answer = json!({"records": rows[..shown], "next_before": null});
        let with_next = json!({"records": rows[..=shown], "next_before": null});
        assert!(answer.to_string().len() <= PAGE_BYTES);
        assert!(with_next.to_string().len() > PAGE_BYTES - 2);

        assert_eq!(fitting(rows.iter(), &beside, Some(500)), 100);
        assert_eq!(fitting([].iter(), &beside, None), 0);

        let huge = [json!("x".repeat(PAGE_BYTES)), json!(1)];
        assert_eq!(fitting(huge.iter(), &beside, None), 1);
    }
}
