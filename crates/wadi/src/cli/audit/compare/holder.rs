//! One of the two nodes that are compared: running, or its database as it lies there.

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    config::Config,
    failure::Failure,
    pki::read_store_key,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
};
use wadi_log::{Crossing, Enrolment, Hash, Lane, LogId, RecordId, Scope, Tip, unhex};
use wadi_store::{CompareRow, CopyReader, StoreError, StoreKey, entries_digest};

/// Records read at once: of a running node, as many as it gives …
pub(super) const LIVE_PAGE_RECORDS: u32 = 500;
/// … and of a database.
pub(super) const PAGE_RECORDS: u32 = 2_000;

/// What both nodes may take: what lies outside is neither's to lack.
pub(super) struct BothScopes(pub(super) Scope, pub(super) Scope);

impl BothScopes {
    pub(super) fn may_hold(&self, lane: Lane, crossing: Crossing) -> bool {
        self.0.takes(lane, crossing) && self.1.takes(lane, crossing)
    }
}

/// A record as it is compared at first.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct ComparedRecord {
    pub(super) id: RecordId,
    pub(super) printed: String,
    pub(super) lane: Lane,
    pub(super) crossing: Crossing,
    pub(super) state: String,
    pub(super) document: String,
    pub(super) entries: String,
}

impl ComparedRecord {
    pub(super) fn of(row: CompareRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id,
            lane: Lane::from_u8(row.lane)?,
            crossing: row.crossing.parse()?,
            document: row.document.to_string(),
            entries: entries_digest(&row.entries).to_string(),
            printed: row.printed,
            state: row.state,
        })
    }

    pub(super) fn of_json(row: &Value) -> Option<Self> {
        let text = |member: &str| row[member].as_str().map(String::from);
        Some(Self {
            id: row["record"].as_str()?.parse().ok()?,
            printed: text("id")?,
            lane: row["lane"].as_str()?.parse().ok()?,
            crossing: row["crossing"].as_str()?.parse().ok()?,
            state: text("state")?,
            document: text("document")?,
            entries: text("entries_digest")?,
        })
    }
}

/// The key of a database that lies encrypted, by the configuration beside it.
fn key_beside(file: &Path) -> Result<Option<StoreKey>, Failure> {
    let dir = file.parent().unwrap_or(Path::new("."));
    match Config::read(&dir.join("node.toml")) {
        Ok(config) => read_store_key(&config.papers),
        Err(_) => Ok(None),
    }
}

/// A record whole: the entries held of it, and what they come to.
pub(super) struct RecordDetail {
    pub(super) entries: BTreeSet<String>,
    pub(super) record: Value,
}

pub(super) enum HolderSide {
    /// A running node.
    Live(Client),
    /// A database as it lies there.
    Lying(CopyReader),
}

/// One of the two nodes.
pub(super) struct ComparedNode {
    pub(super) named: String,
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) logs: BTreeMap<LogId, Tip>,
    pub(super) side: HolderSide,
    pub(super) page: VecDeque<ComparedRecord>,
    pub(super) after: RecordId,
    pub(super) ended: bool,
}

pub(super) fn bad_answer() -> Failure {
    Failure::new(
        "bad_answer",
        "the node's answer does not read: is it of another version?",
    )
}

pub(super) async fn get_json(client: &Client, path: String) -> Result<Value, Failure> {
    let client = client.clone();
    let asked = tokio::task::spawn_blocking(move || client.get(&path)).await;
    asked.map_err(|e| Failure::new("panicked", e.to_string()))?
}

pub(super) fn hash_of(text: &Value) -> Option<Hash> {
    Hash::from_slice(&unhex(text.as_str()?)?).ok()
}

pub(super) fn tip_of(log: &Value) -> Option<(LogId, Tip)> {
    let id = LogId::from_origin(log["log"].as_str()?).ok()?;
    Some((
        id,
        Tip {
            size: log["size"].as_u64()?,
            root: hash_of(&log["root"])?,
        },
    ))
}

impl ComparedNode {
    pub(super) async fn open(
        named: &str,
        token: Option<&str>,
        config: &Path,
    ) -> Result<Self, Failure> {
        let path = Path::new(named);
        let is_config = path.extension().is_some_and(|e| e == "toml");
        if named.starts_with("http://") || named.starts_with("https://") || is_config {
            let (config, url) = if is_config {
                (path, None)
            } else {
                (config, Some(named.to_string()))
            };

            let at = NodeAt {
                config: config.into(),
                url,
                token: token.map(String::from),
                token_file: None,
            };

            return Self::live(named, Client::at(&at)?).await;
        }

        let file = if path.is_dir() {
            path.join("node.sqlite")
        } else {
            path.to_path_buf()
        };

        if !file.is_file() {
            let why = format!(
                "{} is not there; name a node by its data directory, its node.toml (a hub on \
                 PostgreSQL, too) or its URL",
                file.display()
            );
            return Err(Failure::usage("no_database", why));
        }

        let mut reader = match CopyReader::open(&file, None).await {
            Err(StoreError::Encrypted) => {
                let key = key_beside(&file)?;
                CopyReader::open(&file, key.as_ref()).await?
            }
            opened => opened?,
        };
        let enrolment = reader.own_enrolment().await?;
        let logs = reader.logs().await?.into_iter().collect();

        Ok(Self::new(named, enrolment, logs, HolderSide::Lying(reader)))
    }

    pub(super) async fn live(named: &str, client: Client) -> Result<Self, Failure> {
        let about = get_json(&client, "/v1/compare/logs".into()).await?;
        let enrolment = about["enrolment"]
            .as_str()
            .and_then(unhex)
            .and_then(|b| Enrolment::from_bytes(&b).ok());
        let logs = about["logs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(tip_of)
            .collect::<Option<_>>();

        match (enrolment, logs) {
            (Some(enrolment), Some(logs)) => {
                Ok(Self::new(named, enrolment, logs, HolderSide::Live(client)))
            }
            _ => Err(bad_answer()),
        }
    }

    pub(super) fn new(
        named: &str,
        enrolment: Enrolment,
        mut logs: BTreeMap<LogId, Tip>,
        side: HolderSide,
    ) -> Self {
        // Holding nothing of a log and not knowing it are the same.
        logs.retain(|_, tip| tip.size > 0);
        Self {
            named: named.into(),
            name: enrolment.name,
            scope: enrolment.scope,
            logs,
            side,
            page: VecDeque::new(),
            after: RecordId([0; 32]),
            ended: false,
        }
    }

    /// The next record that both may take, in the order of ids.
    pub(super) async fn next(
        &mut self,
        both: &BothScopes,
    ) -> Result<Option<ComparedRecord>, Failure> {
        loop {
            while let Some(row) = self.page.pop_front() {
                if both.may_hold(row.lane, row.crossing) {
                    return Ok(Some(row));
                }
            }

            if self.ended {
                return Ok(None);
            }

            let rows: Vec<ComparedRecord> = match &mut self.side {
                HolderSide::Live(client) => {
                    let page = get_json(
                        client,
                        format!("/v1/compare?after={}&limit={LIVE_PAGE_RECORDS}", self.after),
                    )
                    .await?;

                    let rows = page["records"].as_array().ok_or_else(bad_answer)?;
                    rows.iter()
                        .map(ComparedRecord::of_json)
                        .collect::<Option<_>>()
                        .ok_or_else(bad_answer)?
                }
                HolderSide::Lying(reader) => {
                    let rows = reader.compare_page(&self.after, PAGE_RECORDS).await?;
                    rows.into_iter()
                        .map(ComparedRecord::of)
                        .collect::<Result<_, _>>()?
                }
            };

            // Out of order, the two could not be read side by side, and without an end.
            for row in &rows {
                if row.id <= self.after {
                    return Err(bad_answer());
                }
                self.after = row.id;
            }

            self.ended = rows.is_empty();
            self.page.extend(rows);
        }
    }

    pub(super) async fn detail(&mut self, id: &RecordId) -> Result<RecordDetail, Failure> {
        let none = || RecordDetail {
            entries: BTreeSet::new(),
            record: Value::Null,
        };

        match &mut self.side {
            HolderSide::Live(client) => match get_json(client, format!("/v1/compare/{id}")).await {
                Ok(found) => {
                    let entries = found["entries"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str);

                    Ok(RecordDetail {
                        entries: entries.map(String::from).collect(),
                        record: found["record"].clone(),
                    })
                }
                // It was there a moment ago.
                Err(failure) if failure.code == "no_such_record" => Ok(none()),
                Err(failure) => Err(failure),
            },
            HolderSide::Lying(reader) => {
                Ok(reader
                    .compare_record(id)
                    .await?
                    .map_or_else(none, |(json, entries)| RecordDetail {
                        entries: entries.iter().map(ToString::to_string).collect(),
                        record: serde_json::from_str(&json).unwrap_or_default(),
                    }))
            }
        }
    }

    /// The root of a log's first entries; nothing where they are not all held.
    pub(super) async fn root_at(
        &mut self,
        log: &LogId,
        size: u64,
    ) -> Result<Option<Hash>, Failure> {
        if let Some(tip) = self.logs.get(log).filter(|t| t.size == size) {
            return Ok(Some(tip.root));
        }

        match &mut self.side {
            HolderSide::Live(client) => {
                let path = format!(
                    "/v1/compare/root?log={}&size={size}",
                    percent_encode(&log.origin())
                );
                match get_json(client, path).await {
                    Ok(found) => Ok(hash_of(&found["root"])),
                    Err(failure) if failure.code == "not_held" => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
            HolderSide::Lying(reader) => Ok(reader.root_at(log, size).await?),
        }
    }
}
