//! Bundles: the blocks of a session in a file (`docs/bundles.md`).
//!
//! A part is one line of JSON, the manifest under its maker's seal, and behind it the body. The
//! body is encrypted by whoever calls this module; within it stand frames: what sessions say in
//! messages, blocks in one stream of the block codec, and an end that counts them.

use crate::{
    codec::{BlockDecoder, BlockEncoder},
    message::{MESSAGE_BYTES_MAX, Message, SyncError},
    seal::{self, Kind, Seal},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use thiserror::Error;
use wadi_log::{Block, Enrolment, LogError, LogId, LogKey, NodeId, hex, unhex};

const KIND: Kind = Kind {
    name: "bundle",
    format: "wadi.bundle/v1",
    unreadable: "bundle_unreadable",
    version: "bundle_version",
    changed: "bundle_changed",
};
/// Bytes of a part at most, its manifest included.
pub const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a manifest at most: some fifty thousand logs.
pub const FRONT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a frame at most: a message, or a block that does not compress.
const FRAME_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Bytes that the frames of a part inflate to at most. A part is filled by what it holds before
/// compression.
const INFLATED_BYTES_MAX: usize = 2 * BUNDLE_BYTES_MAX;

const END: u8 = 0;
const MESSAGE: u8 = 1;
const BLOCK: u8 = 2;

/// Why a bundle or a receipt is not taken, or not made. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct BundleError {
    /// A stable code.
    pub code: &'static str,
    /// The reason.
    pub why: String,
}

impl BundleError {
    /// An error.
    pub fn new(code: &'static str, why: impl ToString) -> Self {
        Self {
            code,
            why: why.to_string(),
        }
    }
}

fn unreadable(why: impl ToString) -> BundleError {
    BundleError::new(KIND.unreadable, why)
}

fn changed(why: impl ToString) -> BundleError {
    BundleError::new(KIND.changed, why)
}

/// A node in a manifest or a receipt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its id.
    pub node: String,
    /// Its name, for people.
    pub name: String,
}

impl Party {
    /// The node that is enrolled so.
    pub fn of(enrolment: &Enrolment) -> Self {
        Self {
            node: enrolment.node().to_string(),
            name: enrolment.name.clone(),
        }
    }

    /// Whether it is that node.
    pub fn is(&self, node: &NodeId) -> bool {
        self.node == node.to_string()
    }
}

/// A run of a log's entries in a part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRange {
    /// The log's origin.
    pub log: String,
    /// Position of the first entry.
    pub from: u64,
    /// The log's size after the last.
    pub to: u64,
    /// The maker keeps them for their author, and does not read them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carried: bool,
}

impl LogRange {
    /// The log.
    pub fn id(&self) -> Result<LogId, LogError> {
        LogId::from_origin(&self.log)
    }
}

/// How much of everything a part holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Counts {
    pub enrolments: u64,
    pub forks: u64,
    pub blocks: u64,
    pub entries: u64,
    pub cosignatures: u64,
    pub excerpts: u64,
}

/// What a part says of itself to anybody who holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `wadi.bundle/v1`; [`Manifest::seal`] fills it in.
    pub format: String,
    /// The bundle that this is a part of: 32 hexadecimal digits, random.
    pub bundle: String,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// Who made it.
    pub from: Party,
    /// Its maker's enrolment, encoded, in hexadecimal: so that a reader who never heard of the
    /// maker can judge it.
    pub enrolment: String,
    /// Whom it is encrypted to.
    #[serde(rename = "for")]
    pub to: Party,
    /// When, by its maker's clock, Unix seconds.
    pub made_s: i64,
    /// Runs of entries, the urgent lanes first.
    pub logs: Vec<LogRange>,
    /// How much there is.
    pub counts: Counts,
    /// Bytes of the body; filled in, too.
    pub bytes: u64,
    /// SHA-256 of the body, in hexadecimal; filled in, too.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of a body, on one line, under its maker's seal: the part is this line and the
    /// body behind it.
    pub fn seal(&mut self, body: &[u8], key: &LogKey) -> String {
        self.format = KIND.format.into();
        self.bytes = body.len() as u64;
        self.sha256 = hex(&Sha256::digest(body));
        seal::write(&KIND, self, key)
    }

    /// Reads the front of a part; the rest of it is the body. Who made it is known when the seal is
    /// checked.
    pub fn read(part: &[u8]) -> Result<(Self, Seal, &[u8]), BundleError> {
        let Some(end) = part.iter().take(FRONT_BYTES_MAX).position(|b| *b == b'\n') else {
            let begun =
                part.len() < FRONT_BYTES_MAX && part.starts_with(b"{\"format\":\"wadi.bundle/");
            let cut = BundleError::new(
                "bundle_cut",
                "the file ends within its manifest: copy it again",
            );

            return Err(if begun {
                cut
            } else {
                unreadable("this is no bundle of wadi: it begins with no manifest")
            });
        };

        let line = std::str::from_utf8(&part[..end])
            .map_err(|e| unreadable(format!("this is no bundle: {e}")))?;
        let (this, seal): (Self, Seal) = seal::read(&KIND, line)?;
        if this.part == 0
            || this.part > this.parts
            || unhex(&this.bundle).is_none_or(|id| id.len() != 16)
        {
            return Err(unreadable(format!(
                "part {} of {} of {:?}",
                this.part, this.parts, this.bundle
            )));
        }

        Ok((this, seal, &part[end + 1..]))
    }

    /// Its maker's enrolment, as the manifest shows it; the commission's root has to have signed
    /// it.
    pub fn maker(&self) -> Result<Enrolment, BundleError> {
        let bytes = unhex(&self.enrolment)
            .ok_or_else(|| unreadable("its maker's enrolment is not hexadecimal"))?;
        let maker = Enrolment::from_bytes(&bytes).map_err(unreadable)?;
        if !self.from.is(&maker.node()) {
            return Err(BundleError::new(
                "bundle_foreign",
                "the enrolment shown is not its maker's",
            ));
        }

        Ok(maker)
    }

    /// Checks that the body is the one that was sealed.
    pub fn check_body(&self, body: &[u8]) -> Result<(), BundleError> {
        let there = body.len() as u64;
        if there < self.bytes {
            let why = format!(
                "{there} of {} bytes are there: the file was cut short, copy it again",
                self.bytes
            );
            return Err(BundleError::new("bundle_cut", why));
        }

        if there > self.bytes {
            return Err(changed(format!(
                "{there} bytes are there, {} were sealed",
                self.bytes
            )));
        }

        if hex(&Sha256::digest(body)) != self.sha256 {
            return Err(changed(
                "its bytes are not those that were sealed: a bad stick, or somebody changed it",
            ));
        }

        Ok(())
    }
}

/// One piece of a body.
#[derive(Clone, PartialEq, Debug)]
pub enum Frame {
    /// Enrolments, fork proofs, a cosignature or an excerpt, as a session says them.
    Message(Message),
    /// A run of entries that ends at a checkpoint.
    Block(Block),
}

/// Writes the frames of one body, in order.
pub struct FrameWriter {
    encoder: BlockEncoder,
    frames: u64,
}

impl FrameWriter {
    /// A new body.
    pub fn new() -> Result<Self, SyncError> {
        Ok(Self {
            encoder: BlockEncoder::new()?,
            frames: 0,
        })
    }

    /// A message's frame.
    pub fn message(&mut self, message: &Message) -> Vec<u8> {
        self.frame(MESSAGE, &message.encode())
    }

    /// A block's frame.
    pub fn block(&mut self, block: &Block) -> Result<Vec<u8>, SyncError> {
        let bytes = self.encoder.encode(block)?;
        Ok(self.frame(BLOCK, &bytes))
    }

    /// The end, which says how many there were.
    pub fn end(mut self) -> Vec<u8> {
        let frames = self.frames;
        self.frame(END, &frames.to_be_bytes())
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        self.frames += 1;
        let length = u32::try_from(payload.len()).expect("messages and blocks are far smaller");
        [&[kind][..], &length.to_be_bytes()[..], payload].concat()
    }
}

/// Reads the frames of one body. Nothing that they claim is verified but their shape.
pub struct FrameReader<R> {
    from: R,
    decoder: BlockDecoder,
    frames: u64,
    left: usize,
    ended: bool,
}

impl<R: Read> FrameReader<R> {
    /// Reads a decrypted body.
    pub fn new(from: R) -> Result<Self, BundleError> {
        let decoder = BlockDecoder::new().map_err(unreadable)?;
        Ok(Self {
            from,
            decoder,
            frames: 0,
            left: INFLATED_BYTES_MAX,
            ended: false,
        })
    }

    /// The next frame; nothing behind the last, if all that were written have come.
    pub fn read(&mut self) -> Result<Option<Frame>, BundleError> {
        if self.ended {
            return Ok(None);
        }

        let mut head = [0; 5];
        self.from.read_exact(&mut head).map_err(unreadable)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;

        // The length is checked before anything is allocated for it.
        if length > FRAME_BYTES_MAX {
            return Err(unreadable(format!(
                "a frame of {length} bytes; the limit is {FRAME_BYTES_MAX}"
            )));
        }

        let mut payload = vec![0; length];
        self.from.read_exact(&mut payload).map_err(unreadable)?;
        let (frame, bytes) = match head[0] {
            END => return self.end(&payload),
            MESSAGE => (
                Frame::Message(Message::decode(&payload).map_err(unreadable)?),
                length,
            ),
            BLOCK => {
                let block = self.decoder.decode(&payload).map_err(unreadable)?;
                let bytes = block.entries.iter().map(Vec::len).sum::<usize>();
                (Frame::Block(block), bytes)
            }
            kind => {
                return Err(unreadable(format!(
                    "a frame of kind {kind}, which this version does not know"
                )));
            }
        };

        self.frames += 1;
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            unreadable(format!(
                "it inflates to more than {INFLATED_BYTES_MAX} bytes: no honest node made it"
            ))
        })?;

        Ok(Some(frame))
    }

    fn end(&mut self, payload: &[u8]) -> Result<Option<Frame>, BundleError> {
        if payload != self.frames.to_be_bytes() {
            return Err(unreadable(format!(
                "{} frames have come, and the end counts others",
                self.frames
            )));
        }

        if self.from.read(&mut [0]).map_err(unreadable)? != 0 {
            return Err(unreadable("something follows its end"));
        }

        self.ended = true;
        Ok(None)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use wadi_log::{
        Body, Change, Common, Entry, Epoch, Lane, Peaks, Put, Role, Scope, Value, VerifiedBlock,
    };

    pub(crate) fn enrolment(key: &LogKey, name: &str) -> Enrolment {
        let of = Enrolment {
            name: name.into(),
            role: Role::Hub,
            crossing: "HUB".parse().ok(),
            log_key: key.public(),
            tls_key: [0; 32],
            scope: Scope::all(),
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };

        of.issue(&LogKey::from_seed(&[9; 32])).unwrap()
    }
    pub(crate) fn party(key: &LogKey) -> Party {
        Party {
            node: key.node().to_string(),
            name: "somebody".into(),
        }
    }
    pub(crate) fn log(key: &LogKey) -> LogId {
        LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        }
    }

    fn block(key: &LogKey, note: &str) -> Block {
        let puts = vec![Put {
            key: "note".into(),
            value: Value::Text(note.into()),
        }];
        let change = Change {
            puts,
            ..Default::default()
        };

        let entry = Entry {
            common: Common::default(),
            body: Body::Change(change),
        };
        let made =
            VerifiedBlock::author(key, log(key), &Peaks::default(), &[entry], 0, vec![]).unwrap();
        let entries = made.entries().iter().map(|e| e.bytes().to_vec()).collect();

        Block {
            from: 0,
            entries,
            checkpoint: made.checkpoint().clone(),
        }
    }

    fn manifest(from: &LogKey, to: &LogKey) -> Manifest {
        Manifest {
            format: String::new(),
            bundle: "0".repeat(32),
            part: 1,
            parts: 2,
            from: party(from),
            enrolment: hex(&enrolment(from, "hub").to_bytes()),
            to: party(to),
            made_s: 100,
            logs: vec![LogRange {
                log: log(from).origin(),
                from: 0,
                to: 1,
                carried: false,
            }],
            counts: Counts {
                blocks: 1,
                entries: 1,
                ..Counts::default()
            },
            bytes: 0,
            sha256: String::new(),
        }
    }

    /// What becomes of a part, as an importer would read it.
    fn take(part: &[u8]) -> Result<Manifest, BundleError> {
        let (manifest, seal, body) = Manifest::read(part)?;
        seal.verify(&manifest.maker()?)?;
        manifest.check_body(body)?;
        Ok(manifest)
    }

    #[test]
    fn every_way_of_tampering_with_a_part_is_told() {
        let (hub, trb) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        let body: Vec<u8> = (0..500u32).flat_map(u32::to_be_bytes).collect();
        let mut said = manifest(&hub, &trb);
        let line = said.seal(&body, &hub);
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1);

        let good = [line.as_bytes(), &body[..]].concat();
        assert_eq!(take(&good).unwrap(), said);
        assert_eq!(said.logs[0].id().unwrap(), log(&hub));

        let edit =
            |from: &str, to: &str| [line.replacen(from, to, 1).as_bytes(), &body[..]].concat();
        let flipped = |at: usize| {
            let mut part = good.clone();
            part[at] ^= 1;
            part
        };

        let resealed = manifest(&hub, &trb).seal(&body, &trb);
        let stranger = {
            let mut said = manifest(&hub, &trb);
            said.from = party(&trb);
            said.seal(&body, &trb)
        };

        let cases: Vec<(&str, &str, Vec<u8>)> = vec![
            ("nothing", "bundle_unreadable", vec![]),
            (
                "something else",
                "bundle_unreadable",
                b"{\"kind\":\"passage\"}\n".to_vec(),
            ),
            (
                "cut within the manifest",
                "bundle_cut",
                good[..line.len() / 2].to_vec(),
            ),
            (
                "cut within the body",
                "bundle_cut",
                good[..good.len() - 1].to_vec(),
            ),
            (
                "a body that is gone",
                "bundle_cut",
                line.clone().into_bytes(),
            ),
            (
                "more behind the body",
                "bundle_changed",
                [&good[..], b"x"].concat(),
            ),
            (
                "the body's first byte",
                "bundle_changed",
                flipped(line.len()),
            ),
            (
                "the body's last byte",
                "bundle_changed",
                flipped(good.len() - 1),
            ),
            (
                "another part's body",
                "bundle_changed",
                [line.as_bytes(), &vec![7; body.len()][..]].concat(),
            ),
            (
                "another recipient",
                "bundle_changed",
                edit(&trb.node().to_string(), &hub.node().to_string()),
            ),
            (
                "another part",
                "bundle_changed",
                edit("\"part\":1", "\"part\":2"),
            ),
            (
                "another time",
                "bundle_changed",
                edit("\"made_s\":100", "\"made_s\":101"),
            ),
            (
                "other ranges",
                "bundle_changed",
                edit("\"to\":1", "\"to\":9"),
            ),
            (
                "a part that cannot be",
                "bundle_unreadable",
                edit("\"part\":1", "\"part\":3"),
            ),
            (
                "a later version",
                "bundle_version",
                edit("bundle/v1", "bundle/v2"),
            ),
            (
                "another format",
                "bundle_unreadable",
                edit("wadi.bundle/v1", "tar.bundle/v1"),
            ),
            (
                "a member nobody knows",
                "bundle_unreadable",
                edit("\"made_s\"", "\"more\":1,\"made_s\""),
            ),
            (
                "sealed by another",
                "bundle_changed",
                [resealed.as_bytes(), &body[..]].concat(),
            ),
            (
                "an enrolment that is not its maker's",
                "bundle_foreign",
                [stranger.as_bytes(), &body[..]].concat(),
            ),
        ];

        for (what, code, part) in cases {
            assert_eq!(take(&part).unwrap_err().code, code, "{what}");
        }
    }

    #[test]
    fn frames_come_back_in_order_and_what_is_missing_or_too_much_is_told() {
        let key = LogKey::from_seed(&[1; 32]);
        let frames = [
            Frame::Message(Message::Members(vec![enrolment(&key, "hub")])),
            Frame::Block(block(&key, "one")),
            Frame::Block(block(&key, "two")),
        ];

        let mut writer = FrameWriter::new().unwrap();
        let written: Vec<Vec<u8>> = frames
            .iter()
            .map(|f| match f {
                Frame::Message(m) => writer.message(m),
                Frame::Block(b) => writer.block(b).unwrap(),
            })
            .collect();

        let end = writer.end();
        let read = |body: &[u8]| {
            let mut reader = FrameReader::new(body)?;
            let mut out = Vec::new();
            while let Some(frame) = reader.read()? {
                out.push(frame);
            }

            assert!(reader.read()?.is_none());
            Ok::<_, BundleError>(out)
        };

        let body = [written.concat(), end.clone()].concat();
        assert_eq!(read(&body).unwrap(), frames);

        let huge = [&[BLOCK][..], &u32::MAX.to_be_bytes()].concat();
        for (what, body) in [
            ("cut short", body[..body.len() - 3].to_vec()),
            ("no end", written.concat()),
            (
                "a frame taken out",
                [&written[0][..], &written[1][..], &end[..]].concat(),
            ),
            ("something behind the end", [&body[..], &[0]].concat()),
            ("a frame of four gigabytes", huge),
            ("an unknown kind", vec![7, 0, 0, 0, 0]),
            ("no message", vec![MESSAGE, 0, 0, 0, 1, 255]),
            (
                "blocks in another order",
                [&written[0][..], &written[2][..], &written[1][..], &end[..]].concat(),
            ),
        ] {
            assert_eq!(
                read(&body).map_err(|e| e.code),
                Err("bundle_unreadable"),
                "{what}"
            );
        }
    }

    #[test]
    fn what_inflates_without_bound_is_refused() {
        let key = LogKey::from_seed(&[1; 32]);
        let mut writer = FrameWriter::new().unwrap();

        // Seven entries of 32 KiB each, again and again: a few hundred bytes a frame.
        let big = Block {
            from: 0,
            entries: vec![vec![0; 32 * 1024]; 7],
            checkpoint: block(&key, "x").checkpoint,
        };

        let checkpoint = {
            let mut head = big.checkpoint.checkpoint.clone();
            head.size = 7;
            key.sign(head)
        };

        let big = Block { checkpoint, ..big };
        let frames = INFLATED_BYTES_MAX / (7 * 32 * 1024) + 2;
        let mut body = Vec::new();
        for _ in 0..frames {
            body.extend(writer.block(&big).unwrap());
        }

        assert!(body.len() < 1 << 20, "{}", body.len());

        let mut reader = FrameReader::new(&body[..]).unwrap();
        let error = (0..frames).find_map(|_| reader.read().err()).unwrap();
        assert!(
            error.code == "bundle_unreadable" && error.why.contains("inflates"),
            "{error:?}"
        );
    }
}
