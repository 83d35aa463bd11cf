//! What has a meaning on this node alone.

use super::{
    DbRow, Engine,
    at_rest::{local_value, secret, secret_or_rot},
    cells::{cell, damaged, log_of, read_or_skip},
};
use crate::{
    LocalKey, LocalKeys, LocalScope, PeerRow, RefusalPage, RefusalPlace, RefusalRow, StoreError,
    at_rest::{CellCipher, SecretCell},
    lists::is_no_text,
    tables::{CARRIED, PEERS, REFUSALS},
};
use async_trait::async_trait;
use wadi_log::{LogId, NodeId};

/// A key's value decides who may do what: one that rotted is an error, and not a key that is not
/// there.
fn local_key(scope: &LocalScope, r: &DbRow, cipher: &CellCipher) -> Result<LocalKey, StoreError> {
    Ok(LocalKey {
        scope: scope.clone(),
        key: cell(r, "key")?,
        value: secret(r, cipher, local_value(&scope.as_str()))?,
    })
}

#[async_trait]
impl LocalKeys for Engine {
    async fn local(&self, scope: &LocalScope, key: &str) -> Result<Option<String>, StoreError> {
        if is_no_text(key) {
            return Ok(None);
        }

        let row = sqlx::query("SELECT value FROM local WHERE scope = $1 AND key = $2")
            .bind(scope.to_string())
            .bind(key.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|r| secret(&r, &self.cipher, local_value(&scope.as_str())))
            .transpose()
    }

    async fn local_all(&self, scope: &LocalScope) -> Result<Vec<LocalKey>, StoreError> {
        let rows = sqlx::query("SELECT key, value FROM local WHERE scope = $1 ORDER BY key")
            .bind(scope.to_string())
            .fetch_all(&self.readers)
            .await?;

        rows.iter()
            .map(|r| local_key(scope, r, &self.cipher))
            .collect()
    }

    async fn local_newest(
        &self,
        scope: &LocalScope,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<LocalKey>, StoreError> {
        let (bound, key) = match before {
            Some(key) => ("AND key < $2", key),
            None => ("AND key >= $2", ""),
        };
        let sql = format!(
            "SELECT key, value FROM local WHERE scope = $1 {bound} ORDER BY key DESC LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(scope.to_string())
            .bind(key.to_string())
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;

        rows.iter()
            .map(|r| local_key(scope, r, &self.cipher))
            .collect()
    }

    async fn local_count(&self, scope: &LocalScope) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM local WHERE scope = $1")
            .bind(scope.to_string())
            .fetch_one(&self.readers)
            .await?;
        Ok(count)
    }

    async fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        let rows = sqlx::query("SELECT node, json FROM peers")
            .fetch_all(&self.readers)
            .await?;
        let peer = |r: &DbRow| {
            Ok(PeerRow {
                node: NodeId::from_slice(cell(r, "node")?).map_err(damaged)?,
                json: secret_or_rot(r, &self.cipher, &PEERS, "json", "")?,
            })
        };

        // What is remembered of a peer saves bytes; without it everything is compared.
        Ok(rows.iter().filter_map(|r| read_or_skip(peer(r))).collect())
    }

    async fn refusals(&self, limit: u32) -> Result<Vec<RefusalRow>, StoreError> {
        let page = self.refusals_after(None, limit).await?;
        Ok(page.rows.into_iter().map(|(_, row)| row).collect())
    }

    async fn refusals_after(
        &self,
        after: Option<RefusalPlace>,
        limit: u32,
    ) -> Result<RefusalPage, StoreError> {
        let after = after.unwrap_or(RefusalPlace {
            at_ms: i64::MAX,
            id: i64::MAX,
        });

        // One more tells whether anything follows.
        let rows = sqlx::query(
            "SELECT id, subject, code, why, peer, at_ms, times FROM refusals \
             WHERE (at_ms, id) < ($1, $2) ORDER BY at_ms DESC, id DESC LIMIT $3",
        )
        .bind(after.at_ms)
        .bind(after.id)
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.readers)
        .await?;

        let place = |r: &DbRow| -> Result<RefusalPlace, StoreError> {
            Ok(RefusalPlace {
                at_ms: cell(r, "at_ms")?,
                id: cell(r, "id")?,
            })
        };
        let shown = rows.len().min(limit as usize);
        let page = &rows[..shown];
        let last = page.iter().rev().find_map(|r| place(r).ok());
        let placed = |r: &DbRow| Ok((place(r)?, refusal_row(r, &self.cipher)?));

        Ok(RefusalPage {
            rows: page
                .iter()
                .filter_map(|r| read_or_skip(placed(r)))
                .collect(),
            next: last.filter(|_| rows.len() > shown),
        })
    }

    async fn refusal(&self, subject: &str, code: &str) -> Result<Option<RefusalRow>, StoreError> {
        if is_no_text(subject) || is_no_text(code) {
            return Ok(None);
        }

        let row = sqlx::query(
            "SELECT subject, code, why, peer, at_ms, times FROM refusals \
             WHERE subject = $1 AND code = $2",
        )
        .bind(subject.to_string())
        .bind(code.to_string())
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| refusal_row(&r, &self.cipher)).transpose()
    }

    async fn carried_ranges(&self) -> Result<Vec<(LogId, u64, u64)>, StoreError> {
        let rows = sqlx::query("SELECT log, start, size FROM carried ORDER BY log, start")
            .fetch_all(&self.readers)
            .await?;
        let range = |r: &DbRow| {
            Ok((
                log_of(r, "log")?,
                cell::<i64>(r, "start")? as u64,
                cell::<i64>(r, "size")? as u64,
            ))
        };

        rows.iter().map(range).collect()
    }

    async fn carried_bytes(&self) -> Result<Vec<(LogId, u64)>, StoreError> {
        let sql = "SELECT log, CAST(sum(length(bytes) - CAST($1 AS BIGINT)) AS BIGINT) AS bytes \
                   FROM carried GROUP BY log";
        let rows = sqlx::query(sql)
            .bind(self.cipher.more_bytes())
            .fetch_all(&self.readers)
            .await?;
        let of = |r: &DbRow| {
            let bytes = cell::<i64>(r, "bytes")?;
            Ok((log_of(r, "log")?, u64::try_from(bytes).unwrap_or(0)))
        };

        rows.iter().map(of).collect()
    }

    async fn carried_block(&self, log: &LogId, from: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT bytes FROM carried WHERE log = $1 AND start = $2")
                .bind(log.to_bytes().to_vec())
                .bind(from as i64)
                .fetch_optional(&self.readers)
                .await?;

        // What rotted is no block: whoever gets it finds that.
        let at = SecretCell::new(&CARRIED, "bytes", "");
        let open = |bytes| self.cipher.open_bytes(at, bytes).unwrap_or_default();
        Ok(bytes.map(open))
    }
}

fn refusal_row(r: &DbRow, cipher: &CellCipher) -> Result<RefusalRow, StoreError> {
    Ok(RefusalRow {
        subject: cell(r, "subject")?,
        code: cell(r, "code")?,
        why: secret_or_rot(r, cipher, &REFUSALS, "why", "")?,
        peer: cell(r, "peer")?,
        at_ms: cell(r, "at_ms")?,
        times: cell::<i64>(r, "times")?.try_into().unwrap_or(0),
    })
}
