//! Tokens for releases while dark: which this node holds, and what each was spent on.

use crate::{api::Reads, door::error::NodeError};
use serde_json::{Value as Json, json};
use std::cmp::Reverse;
use wadi_record::term;

/// Records that one token was spent on that are listed: one, unless somebody cheated.
const SPENT_MAX: u32 = 100;

impl Reads {
    /// All tokens for releases that this node holds, those that ended or were spent among them,
    /// those that end last first.
    pub async fn release_tokens(&self) -> Result<Vec<Json>, NodeError> {
        let mut all: Vec<_> = self.door.with_control(|c| {
            let held = c.release_tokens();
            held.map(|(reference, issued)| (*reference, issued.clone()))
                .collect()
        });
        all.sort_by_key(|(reference, issued)| (Reverse(issued.token.expires_s), *reference));

        let mut out = Vec::with_capacity(all.len());
        for (reference, issued) in all {
            let token = issued.token;
            let id = reference.leaf.to_string();
            let store = &self.door.store;
            let spent = store.by_term("token", &term(&id), None, SPENT_MAX).await?;
            let spent: Vec<String> = spent.into_iter().map(|row| row.printed).collect();
            out.push(json!({
                "token": id,
                "crossing": token.crossing.map(|c| c.to_string()),
                "department": token.department,
                "officer": token.officer,
                "scope": token.scope,
                "expires_s": token.expires_s,
                "reason": token.reason,
                "issued_by": issued.officer,
                "issued_for": issued.department,
                "by_token": issued.by_token,
                "spent_on": spent,
            }));
        }

        Ok(out)
    }
}
