//! A database to spoil: what is written into it, and what it looks like on the disk.

use super::*;

pub(super) const PAGE: usize = 8192;
pub(super) const FRAME: usize = 24 + PAGE;
/// Bytes of text in an entry: within a page, about a page's share, over one overflow page, over
/// several.
pub(super) const LENGTHS: [usize; 8] = [40, 300, 1_700, 1_900, 2_100, 5_000, 8_300, 29_000];

pub(super) fn random() -> StdRng {
    let seed = std::env::var("WADI_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("WADI_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

pub(super) fn entry(r: &mut StdRng, length: usize) -> Entry {
    let text: String = (0..length)
        .map(|_| char::from(r.random_range(b'a'..=b'z')))
        .collect();
    let part = |(n, part): (usize, &[u8])| Put {
        key: format!("note.{n}"),
        value: Value::Text(String::from_utf8_lossy(part).into_owned()),
    };
    let puts = text
        .as_bytes()
        .chunks(15_000)
        .enumerate()
        .map(part)
        .collect();

    Entry {
        common: Common::default(),
        body: Body::Change(Change {
            puts,
            ..Default::default()
        }),
    }
}

pub(super) fn enrolment(name: &str, key: &LogKey) -> Enrolment {
    let trb: Crossing = "TRB".parse().unwrap();
    Enrolment {
        name: name.into(),
        role: Role::Crossing,
        crossing: Some(trb),
        log_key: key.public(),
        tls_key: [0; 32],
        scope: Scope::of_crossing(trb),
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    }
    .issue(&LogKey::from_seed(&[1; 32]))
    .unwrap()
}

pub(super) struct Author {
    pub(super) key: LogKey,
    pub(super) log: LogId,
    pub(super) peaks: Peaks,
    pub(super) entries: Vec<VerifiedEntry>,
    pub(super) head: Option<SignedCheckpoint>,
}

impl Author {
    pub(super) fn new(seed: u8, lane: Lane) -> Self {
        let key = LogKey::from_seed(&[seed; 32]);
        let log = LogId {
            node: key.node(),
            epoch: Epoch([seed; 8]),
            lane,
            crossing: "TRB".parse().unwrap(),
        };

        Self {
            key,
            log,
            peaks: Peaks::default(),
            entries: Vec::new(),
            head: None,
        }
    }

    pub(super) fn block(&mut self, entries: &[Entry]) -> VerifiedBlock {
        let block =
            VerifiedBlock::author(&self.key, self.log, &self.peaks, entries, 0, vec![]).unwrap();
        self.peaks = block.peaks().clone();
        self.entries.extend(block.entries().iter().cloned());
        self.head = Some(block.checkpoint().clone());
        block
    }

    pub(super) fn batch(&mut self, r: &mut StdRng, n: usize) -> Batch {
        let entries: Vec<Entry> = (0..1 + n % 3)
            .map(|m| entry(r, LENGTHS[(n + m) % LENGTHS.len()]))
            .collect();
        let blocks = vec![self.block(&entries)];
        let own_heads = vec![(
            self.log,
            Tip {
                size: self.peaks.size(),
                root: self.peaks.root(),
            },
        )];

        Batch {
            at_ms: 1,
            own_heads,
            append: Append {
                blocks,
                ..Append::default()
            },
            ..Batch::default()
        }
    }
}

/// A node's directory, twice: as a power cut leaves it, a first part of the database moved into the
/// file and a second in the WAL alone; and as it is after a stop in order.
pub(super) struct Image {
    pub(super) dir: tempfile::TempDir,
    pub(super) own: Author,
    pub(super) other: Author,
    /// Bytes of the WAL after each commit, and own entries by then.
    pub(super) wal: Vec<(u64, usize)>,
}

impl Image {
    pub(super) fn cut(&self) -> PathBuf {
        self.dir.path().join("cut")
    }

    pub(super) fn stopped(&self) -> PathBuf {
        self.dir.path().join("stopped")
    }
}

pub(super) fn local(scope: LocalScope, key: &str, value: &str) -> LocalKey {
    LocalKey {
        scope,
        key: key.into(),
        value: value.into(),
    }
}

pub(super) async fn image(r: &mut StdRng) -> Image {
    let dir = tempfile::tempdir().unwrap();
    let (stopped, cut) = (dir.path().join("stopped"), dir.path().join("cut"));
    std::fs::create_dir_all(&stopped).unwrap();
    std::fs::create_dir_all(&cut).unwrap();

    let (mut own, mut other) = (Author::new(5, Lane::Passage), Author::new(6, Lane::Hold));
    let store = SqliteStore::open(&stopped, own.key.node()).await.unwrap();
    for n in 0..40 {
        store.commit(own.batch(r, n)).await.unwrap();
    }

    let blocks = other.batch(r, 2).append.blocks;
    store
        .commit(Batch {
            at_ms: 1,
            append: Append {
                blocks,
                ..Append::default()
            },
            ..Batch::default()
        })
        .await
        .unwrap();

    let checkpoint = own.head.clone().unwrap();
    let cosignature = LogKey::from_seed(&[9; 32]).cosign(&checkpoint.checkpoint, 20);
    let batch = Batch {
        at_ms: 1,
        append: Append {
            cosignatures: vec![CosignedHead {
                checkpoint,
                cosignature,
            }],
            enrolments: vec![enrolment("trb", &own.key), enrolment("trb-2", &other.key)],
            ..Append::default()
        },
        local: LocalState {
            keys: vec![
                local(LocalScope::Token, "k", "{}"),
                local(LocalScope::Import, "gone", "v"),
            ],
            ..LocalState::default()
        },
        ..Batch::default()
    };

    store.commit(batch).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&stopped, own.key.node()).await.unwrap();
    let local_gone = vec![(LocalScope::Import, "gone".to_string())];
    let batch = Batch::from(LocalState {
        keys: vec![local(LocalScope::Import, "came", "v")],
        keys_gone: local_gone,
        ..LocalState::default()
    });

    store.commit(batch).await.unwrap();
    let mut wal = Vec::new();
    for n in 0..20 {
        store.commit(own.batch(r, n)).await.unwrap();
        let bytes = std::fs::metadata(stopped.join("node.sqlite-wal"))
            .unwrap()
            .len();
        wal.push((bytes, own.entries.len()));
    }

    for name in ["node.sqlite", "node.sqlite-wal", "anchor"] {
        std::fs::copy(stopped.join(name), cut.join(name)).unwrap();
    }

    store.close().await;
    Image {
        dir,
        own,
        other,
        wal,
    }
}
