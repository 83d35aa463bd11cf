//! Reads a database as it lies there for comparing it with another: records in the order of their
//! ids, a page at a time, each with the entries that are held of it.

use crate::{
    CopyReader, RecordRow, StoreError,
    at_rest::{CellCipher, SecretCell},
    audit::odd,
    tables::RECORDS,
};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::Row;
use wadi_log::{Enrolment, Hash, LogId, Peaks, RecordId, Reference, leaf_hash};

/// A record as two nodes compare it.
#[derive(Clone, PartialEq, Debug)]
pub struct CompareRow {
    /// Its id.
    pub id: RecordId,
    /// Its printed id.
    pub printed: String,
    /// Its lane's number.
    pub lane: u8,
    /// Its crossing.
    pub crossing: String,
    /// State and flags in one line.
    pub state: String,
    /// Digest of its document.
    pub document: Hash,
    /// The entries held of it, ascending.
    pub entries: Vec<Reference>,
}

impl CompareRow {
    /// A record's row with the entries held of it, in any order.
    pub fn new(row: RecordRow, mut entries: Vec<Reference>) -> Self {
        entries.sort();
        let RecordRow {
            id,
            printed,
            lane,
            crossing,
            state,
            digest,
            ..
        } = row;

        Self {
            id,
            printed,
            lane,
            crossing,
            state,
            document: digest,
            entries,
        }
    }
}

/// SHA-256 over entries' references, ascending: two holders of the same entries of a record have
/// the same.
pub fn entries_digest(entries: &[Reference]) -> Hash {
    let mut digest = Sha256::new();
    entries.iter().for_each(|r| digest.update(r.to_bytes()));
    Hash(digest.finalize().into())
}

/// The entry of a row of log, seq, leaf and bytes; nothing where the bytes do not have their hash:
/// a damaged entry is not held.
fn reference(
    row: &sqlx::sqlite::SqliteRow,
    cipher: &CellCipher,
) -> Result<Option<Reference>, StoreError> {
    let leaf = Hash::from_slice(row.get("leaf")).map_err(odd("leaf"))?;
    let log = LogId::from_slice(row.get("log")).map_err(odd("log"))?;
    let bytes = cipher.entry(row.get("bytes"));
    let reference = Reference {
        log,
        seq: row.get::<i64, _>("seq") as u64,
        leaf,
    };

    Ok((leaf_hash(&bytes) == leaf).then_some(reference))
}

impl CopyReader {
    /// The enrolment of the node whose database it is.
    pub async fn own_enrolment(&mut self) -> Result<Enrolment, StoreError> {
        let node = self.node().await?;
        let stored = self.audit().enrolments().await?;
        let own = stored
            .into_iter()
            .find(|(id, _)| node.is_some_and(|node| *id == node.0));
        let none =
            || StoreError::Database("it does not say whose it is: did its node ever run?".into());
        let (_, bytes) = own.ok_or_else(none)?;

        Enrolment::from_bytes(&bytes).map_err(odd("enrolment"))
    }

    /// Records after an id, in the order of their ids, with their entries.
    pub async fn compare_page(
        &mut self,
        after: &RecordId,
        limit: u32,
    ) -> Result<Vec<CompareRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, printed, lane, crossing, state, digest FROM records WHERE id > ?1 \
             ORDER BY id LIMIT ?2",
        )
        .bind(&after.0[..])
        .bind(i64::from(limit))
        .fetch_all(&mut self.0.conn)
        .await?;

        let mut out = Vec::with_capacity(rows.len());
        for row in &rows {
            out.push(CompareRow {
                id: RecordId::from_slice(row.get("id")).map_err(odd("record"))?,
                printed: row.get("printed"),
                lane: row.get::<i64, _>("lane") as u8,
                crossing: row.get("crossing"),
                state: row.get("state"),
                document: Hash::from_slice(row.get("digest")).map_err(odd("digest"))?,
                entries: Vec::new(),
            });
        }

        let Some(last) = out.last().map(|r| r.id) else {
            return Ok(out);
        };
        let cipher = self.0.cipher.clone();
        let mut entries = sqlx::query(
            "SELECT r.record, e.log, e.seq, e.leaf, e.bytes FROM record_entries r \
             JOIN entries e ON e.log = r.log AND e.seq = r.seq AND e.leaf = r.leaf \
             WHERE r.record > ?1 AND r.record <= ?2",
        )
        .bind(&after.0[..])
        .bind(&last.0[..])
        .fetch(&mut self.0.conn);

        while let Some(row) = entries.try_next().await? {
            let id = RecordId::from_slice(row.get("record")).map_err(odd("record"))?;
            // An entry may be held of a record that is none yet: its first entry has not come.
            if let Ok(at) = out.binary_search_by_key(&id, |r| r.id) {
                out[at].entries.extend(reference(&row, &cipher)?);
            }
        }

        out.iter_mut().for_each(|r| r.entries.sort());
        Ok(out)
    }

    /// One record as JSON, with the entries held of it.
    pub async fn compare_record(
        &mut self,
        id: &RecordId,
    ) -> Result<Option<(String, Vec<Reference>)>, StoreError> {
        let json: Option<String> = sqlx::query_scalar("SELECT json FROM records WHERE id = ?1")
            .bind(&id.0[..])
            .fetch_optional(&mut self.0.conn)
            .await?;
        let Some(json) = json else { return Ok(None) };
        let cell = SecretCell::new(&RECORDS, "json", "");
        let json = self.0.cipher.text_or_rot(cell, json);

        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes FROM record_entries r \
             JOIN entries e ON e.log = r.log AND e.seq = r.seq AND e.leaf = r.leaf \
             WHERE r.record = ?1",
        )
        .bind(&id.0[..])
        .fetch_all(&mut self.0.conn)
        .await?;

        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            entries.extend(reference(row, &self.0.cipher)?);
        }

        entries.sort();
        Ok(Some((json, entries)))
    }

    /// The root of a log's first `size` entries, where so many are held.
    pub async fn root_at(&mut self, log: &LogId, size: u64) -> Result<Option<Hash>, StoreError> {
        let mut leaves = sqlx::query(
            "SELECT leaf FROM entries WHERE log = ?1 AND seq < ?2 AND main = 1 ORDER BY seq",
        )
        .bind(log.to_bytes().to_vec())
        .bind(size.min(i64::MAX as u64) as i64)
        .fetch(&mut self.0.conn);

        let mut peaks = Peaks::default();
        while let Some(row) = leaves.try_next().await? {
            peaks.append(Hash::from_slice(row.get("leaf")).map_err(odd("leaf"))?);
        }

        Ok((peaks.size() == size).then(|| peaks.root()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::{Append, Batch, ProjectedRows, SqliteStore};
    use wadi_log::{Body, Change, Common, Entry, Epoch, Lane, LogKey, Put, Value, VerifiedBlock};

    fn row(first: &Reference) -> RecordRow {
        let id = RecordId::of_first(first);
        RecordRow {
            id,
            printed: id.print(first.log.crossing, first.log.lane),
            lane: first.log.lane as u8,
            crossing: first.log.crossing.to_string(),
            state: "ADMITTED".into(),
            open: false,
            contested: false,
            json: format!("{{\"record\":\"{id}\"}}"),
            digest: Hash(id.0),
            entries: 1,
            at_ms: 0,
            born_ms: 0,
            terms: vec![],
            waiting: vec![],
            changed: 0,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn pages_bring_every_record_once_with_the_entries_that_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let key = LogKey::from_seed(&[5; 32]);
        let log = LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        };

        let entry = |n: u32| {
            let put = Put {
                key: "note".into(),
                value: Value::Text(format!("truck {n}")),
            };

            Entry {
                common: Common::default(),
                body: Body::Change(Change {
                    puts: vec![put],
                    ..Default::default()
                }),
            }
        };

        let entries: Vec<Entry> = (0..40).map(entry).collect();
        let block =
            VerifiedBlock::author(&key, log, &Peaks::default(), &entries, 0, vec![]).unwrap();
        let references: Vec<Reference> = block.entries().iter().map(|e| e.reference()).collect();
        let mut about: Vec<(RecordId, Reference)> = references
            .iter()
            .map(|r| (RecordId::of_first(r), *r))
            .collect();

        // The first record has a second entry.
        about.push((RecordId::of_first(&references[0]), references[39]));
        let store = SqliteStore::open(dir.path(), key.node()).await.unwrap();
        let records = references[..39].iter().map(row).collect();
        let batch = Batch {
            append: Append {
                blocks: vec![block.clone()],
                ..Append::default()
            },
            project: ProjectedRows {
                about,
                records,
                ..ProjectedRows::default()
            },
            ..Batch::default()
        };

        store.commit(batch).await.unwrap();
        store.close().await;

        let path = dir.path().join("node.sqlite");
        let mut reader = CopyReader::open(&path, None).await.unwrap();
        let (mut all, mut after) = (Vec::new(), RecordId([0; 32]));
        loop {
            let page = reader.compare_page(&after, 7).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.id;
            all.extend(page);
        }

        assert_eq!(all.len(), 39);
        assert!(all.windows(2).all(|w| w[0].id < w[1].id));

        let first = RecordId::of_first(&references[0]);
        let found = all.iter().find(|r| r.id == first).unwrap();
        assert_eq!(found.entries, [references[0], references[39]]);
        assert_eq!(all.iter().map(|r| r.entries.len()).sum::<usize>(), 40);

        let (json, entries) = reader.compare_record(&first).await.unwrap().unwrap();
        assert_eq!((json.contains("record"), &entries), (true, &found.entries));
        assert_ne!(entries_digest(&entries), entries_digest(&entries[..1]));
        assert!(
            reader
                .compare_record(&RecordId([7; 32]))
                .await
                .unwrap()
                .is_none()
        );

        assert_eq!(
            reader.root_at(&log, 40).await.unwrap(),
            Some(block.peaks().root())
        );
        assert_eq!(reader.root_at(&log, 41).await.unwrap(), None);
        assert_eq!(
            reader.own_enrolment().await.unwrap_err().code(),
            "database_error"
        );

        drop(reader);

        // An entry whose bytes no longer have their hash is not held.
        let mut conn = crate::sqlite::open_to_move(&path, key.node())
            .await
            .unwrap();
        sqlx::query("UPDATE entries SET bytes = x'00' WHERE seq = 39")
            .execute(&mut conn)
            .await
            .unwrap();
        drop(conn);

        let mut reader = CopyReader::open(&path, None).await.unwrap();
        let (_, entries) = reader.compare_record(&first).await.unwrap().unwrap();
        assert_eq!(entries, [references[0]]);
    }
}
