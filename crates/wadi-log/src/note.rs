//! Checkpoints and cosignatures as C2SP signed notes.
//!
//! A checkpoint's body is the C2SP tlog-checkpoint text: origin, size, root, then our extension
//! lines. It is signed as a signed note (algorithm byte 0x01) and countersigned as a timestamped
//! tlog-cosignature (0x04). On the wire and in the store a checkpoint travels as its parts; the
//! text is made again where it is checked.

use crate::{Crossing, Hash, Lane, LogError, LogId, NodeId, merkle::sha256, pb};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use prost::Message;
use std::fmt::Write;

/// Size and root of a log, the newest hub time its author had seen, and on control logs the sizes
/// of the epoch's other logs: who holds all of those holds everything the node had said by that hub
/// time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The log.
    pub log: LogId,
    /// Entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
    /// Unix seconds of hub time; 0 before the first contact.
    pub hub_time_s: i64,
    /// Lane, crossing and size of the epoch's other logs, ascending; empty on all but control logs.
    pub logs: Vec<(Lane, Crossing, u64)>,
}

impl Checkpoint {
    /// The signed text, ending in a newline.
    pub fn body(&self) -> String {
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.log.origin(),
            self.size,
            STANDARD.encode(self.root.0)
        );

        if self.hub_time_s != 0 {
            writeln!(text, "hub-time {}", self.hub_time_s).expect("a String grows");
        }

        if !self.logs.is_empty() {
            text.push_str("logs");
            for (lane, crossing, size) in &self.logs {
                write!(text, " {lane}/{crossing}={size}").expect("a String grows");
            }
            text.push('\n');
        }

        text
    }

    /// Reads a body back.
    pub fn from_body(body: &str) -> Result<Self, LogError> {
        let bad = |why: &str| LogError::malformed("checkpoint", why);
        let mut lines = body
            .strip_suffix('\n')
            .ok_or_else(|| bad("no final newline"))?
            .split('\n');
        let mut next = || lines.next().ok_or_else(|| bad("cut short"));
        let log = LogId::from_origin(next()?)?;
        let size = next()?.parse().map_err(|_| bad("size"))?;
        let root = STANDARD.decode(next()?).map_err(|_| bad("root"))?;
        let mut this = Self {
            log,
            size,
            root: Hash::from_slice(&root)?,
            hub_time_s: 0,
            logs: vec![],
        };

        for line in lines {
            if let Some(time) = line.strip_prefix("hub-time ") {
                this.hub_time_s = time.parse().map_err(|_| bad("hub time"))?;
            } else if let Some(logs) = line.strip_prefix("logs ") {
                for item in logs.split(' ') {
                    let (name, size) = item.split_once('=').ok_or_else(|| bad("logs"))?;
                    let (lane, crossing) = name.split_once('/').ok_or_else(|| bad("logs"))?;
                    this.logs.push((
                        lane.parse()?,
                        crossing.parse()?,
                        size.parse().map_err(|_| bad("logs"))?,
                    ));
                }
            }
        }

        this.check_logs()?;
        if this.body() == body {
            Ok(this)
        } else {
            Err(LogError::NotCanonical { what: "checkpoint" })
        }
    }

    /// The list of logs is short, ascending, and stands on control logs alone: the watermark relies
    /// on it.
    fn check_logs(&self) -> Result<(), LogError> {
        let ascending = self
            .logs
            .windows(2)
            .all(|w| (w[0].0, w[0].1) < (w[1].0, w[1].1));
        let fits =
            self.logs.iter().all(|(lane, ..)| *lane != Lane::Control) && self.logs.len() <= 256;
        if ascending && fits && (self.logs.is_empty() || self.log.lane == Lane::Control) {
            Ok(())
        } else {
            Err(LogError::malformed("checkpoint", "its list of logs"))
        }
    }

    fn cosigned_text(&self, time_s: u64) -> Vec<u8> {
        format!("cosignature/v1\ntime {time_s}\n{}", self.body()).into_bytes()
    }
}

/// A checkpoint with its author's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedCheckpoint {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// Ed25519 over [`Checkpoint::body`].
    pub signature: [u8; 64],
}

impl SignedCheckpoint {
    /// Checks the signature under the log's key.
    pub fn verify(&self, log_key: &[u8; 32]) -> Result<(), LogError> {
        if NodeId::of_key(log_key) != self.checkpoint.log.node {
            return Err(LogError::BadSignature {
                what: "checkpoint: the key is another node's",
            });
        }

        verify(
            log_key,
            self.checkpoint.body().as_bytes(),
            &self.signature,
            "checkpoint",
        )
    }

    /// The signed note: what any C2SP tool reads.
    pub fn note(&self, log_key: &[u8; 32], cosignatures: &[(Cosignature, [u8; 32])]) -> String {
        let origin = self.checkpoint.log.origin();
        let mut text = format!("{}\n", self.checkpoint.body());
        let mut line = |name: &str, id: [u8; 4], rest: &[&[u8]]| {
            let bytes = [&id[..], &rest.concat()].concat();
            writeln!(text, "— {name} {}", STANDARD.encode(bytes)).expect("a String grows");
        };

        line(
            &origin,
            note_key_id(&origin, 0x01, log_key),
            &[&self.signature],
        );

        for (c, key) in cosignatures {
            let name = witness_name(&c.witness);
            line(
                &name,
                note_key_id(&name, 0x04, key),
                &[&c.time_s.to_be_bytes(), &c.signature],
            );
        }

        text
    }

    /// The parts, as protobuf.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_pb(true).encode_to_vec()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LogError> {
        let parts =
            pb::Checkpoint::decode(bytes).map_err(|e| LogError::malformed("checkpoint", e))?;
        Self::from_pb(parts)
    }

    pub(crate) fn to_pb(&self, with_root: bool) -> pb::Checkpoint {
        let c = &self.checkpoint;
        pb::Checkpoint {
            log: c.log.to_bytes().to_vec(),
            size: c.size,
            root: if with_root { c.root.0.to_vec() } else { vec![] },
            hub_time_s: c.hub_time_s,
            logs: c
                .logs
                .iter()
                .map(|(lane, crossing, size)| pb::LogSize {
                    lane: *lane as u32,
                    crossing: crossing.to_string(),
                    size: *size,
                })
                .collect(),
            signature: self.signature.to_vec(),
        }
    }

    pub(crate) fn from_pb(p: pb::Checkpoint) -> Result<Self, LogError> {
        let lane = |n: u32| Lane::from_u8(u8::try_from(n).unwrap_or(u8::MAX));
        let logs = p
            .logs
            .iter()
            .map(|l| Ok((lane(l.lane)?, l.crossing.parse()?, l.size)));
        let checkpoint = Checkpoint {
            log: LogId::from_slice(&p.log)?,
            size: p.size,
            root: Hash::from_slice(&p.root)?,
            hub_time_s: p.hub_time_s,
            logs: logs.collect::<Result<_, LogError>>()?,
        };

        checkpoint.check_logs()?;
        let signature = p
            .signature
            .try_into()
            .map_err(|_| LogError::malformed("checkpoint", "signature length"))?;

        Ok(Self {
            checkpoint,
            signature,
        })
    }
}

/// A witness's statement, with its own time, that it stores a checkpoint and everything before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cosignature {
    /// The node that stores it.
    pub witness: NodeId,
    /// Unix seconds by the witness's clock.
    pub time_s: u64,
    /// Ed25519 over the tlog-cosignature text.
    pub signature: [u8; 64],
}

impl Cosignature {
    /// Checks the signature under the witness's key.
    pub fn verify(&self, checkpoint: &Checkpoint, witness_key: &[u8; 32]) -> Result<(), LogError> {
        if NodeId::of_key(witness_key) != self.witness {
            return Err(LogError::BadSignature {
                what: "cosignature: the key is another node's",
            });
        }

        verify(
            witness_key,
            &checkpoint.cosigned_text(self.time_s),
            &self.signature,
            "cosignature",
        )
    }

    /// Witness 16, time 8 (big endian), signature 64.
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            &self.witness.0[..],
            &self.time_s.to_be_bytes(),
            &self.signature,
        ]
        .concat()
    }

    /// Reads 88 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, LogError> {
        let bytes: &[u8; 88] = bytes
            .try_into()
            .map_err(|_| LogError::malformed("cosignature", "not 88 bytes"))?;
        Ok(Self {
            witness: NodeId::from_slice(&bytes[..16])?,
            time_s: u64::from_be_bytes(bytes[16..24].try_into().expect("8 bytes")),
            signature: bytes[24..].try_into().expect("64 bytes"),
        })
    }
}

/// The name under which a node countersigns.
pub(crate) fn witness_name(node: &NodeId) -> String {
    format!("wadi.node/v1/{node}")
}

/// C2SP signed-note: SHA-256(name ‖ 0x0A ‖ algorithm ‖ key), the first four bytes.
pub fn note_key_id(name: &str, algorithm: u8, key: &[u8; 32]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), b"\n", &[algorithm], key]);
    hash.0[..4].try_into().expect("4 of 32 bytes")
}

/// Splits a signed note into its body (with the final newline) and its signature lines: name and
/// bytes.
pub fn parse_note(text: &str) -> Result<(&str, Vec<(&str, Vec<u8>)>), LogError> {
    let bad = |why: &str| LogError::malformed("note", why);
    let at = text.rfind("\n\n").ok_or_else(|| bad("no blank line"))?;
    // Both ends of the line that is blank are letters of one byte.
    let (body, lines) = text.split_at(at + 1);
    let lines = lines
        .strip_prefix('\n')
        .ok_or_else(|| bad("no blank line"))?
        .strip_suffix('\n')
        .ok_or_else(|| bad("no final newline"))?;
    let signature = |line| {
        let line: &str = line;
        let (name, bytes) = line
            .strip_prefix("— ")
            .and_then(|l| l.split_once(' '))
            .ok_or_else(|| bad("line"))?;
        Ok((name, STANDARD.decode(bytes).map_err(|_| bad("base64"))?))
    };

    Ok((
        body,
        lines
            .split('\n')
            .map(signature)
            .collect::<Result<_, LogError>>()?,
    ))
}

/// A node's log key: signs checkpoints and cosignatures.
#[derive(Clone)]
pub struct LogKey(SigningKey);

impl LogKey {
    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The node that signs with it.
    pub fn node(&self) -> NodeId {
        NodeId::of_key(&self.public())
    }

    /// Signs a checkpoint of one of this node's own logs.
    pub fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        debug_assert_eq!(checkpoint.log.node, self.node());
        let signature = self.0.sign(checkpoint.body().as_bytes()).to_bytes();
        SignedCheckpoint {
            checkpoint,
            signature,
        }
    }

    /// Countersigns a checkpoint that this node stores.
    pub fn cosign(&self, checkpoint: &Checkpoint, time_s: u64) -> Cosignature {
        let signature = self.0.sign(&checkpoint.cosigned_text(time_s)).to_bytes();
        Cosignature {
            witness: self.node(),
            time_s,
            signature,
        }
    }

    /// Seals bytes: signs their SHA-256 under a context of their own, a format's name, so that no
    /// statement passes for one of another kind.
    pub fn seal(&self, context: &str, bytes: &[u8]) -> [u8; 64] {
        self.sign_bytes(&sealed_text(context, bytes))
    }

    /// The X25519 secret of this key, by the birational map between the two curves: what was
    /// encrypted to [`crate::Enrolment::x25519_public`] opens with it.
    pub fn x25519_secret(&self) -> [u8; 32] {
        self.0.to_scalar_bytes()
    }

    /// Signs a text that is none of a log of this node's: its first line says whose it is.
    pub fn sign_text(&self, text: &str) -> [u8; 64] {
        debug_assert!(!text.starts_with("wadi.log/"));
        self.sign_bytes(text.as_bytes())
    }

    /// A seed for another key, one for each context. It follows from this key's seed through a
    /// hash, and not from anything that is known of its signatures.
    pub fn derived_seed(&self, context: &str) -> [u8; 32] {
        let seed = self.0.to_bytes();
        sha256(&[b"wadi.derived/v1\n", context.as_bytes(), b"\n", &seed]).0
    }

    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

fn sealed_text(context: &str, bytes: &[u8]) -> Vec<u8> {
    debug_assert!(!context.contains('\n'));
    format!("{context}\n{}\n", sha256(&[bytes])).into_bytes()
}

/// Checks what [`LogKey::seal`] made with the key of this public one.
///
/// # Errors
///
/// [`LogError::BadSignature`] where another key signed, or other bytes under another context.
pub fn verify_seal(
    key: &[u8; 32],
    context: &str,
    bytes: &[u8],
    signature: &[u8; 64],
) -> Result<(), LogError> {
    verify(key, &sealed_text(context, bytes), signature, "seal")
}

/// The X25519 public key of a log key. A key of small order would encrypt to nobody, and is
/// refused.
pub(crate) fn x25519_public(key: &[u8; 32]) -> Result<[u8; 32], LogError> {
    let key = VerifyingKey::from_bytes(key).ok().filter(|k| !k.is_weak());
    let key =
        key.ok_or_else(|| LogError::malformed("log key", "no point of the curve's large group"))?;
    Ok(key.to_montgomery().to_bytes())
}

/// Whether a key signed these bytes, strictly (RFC 8032, 5.1.7).
pub fn verify_ed25519(key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    verify(key, bytes, signature, "text").is_ok()
}

pub(crate) fn verify(
    key: &[u8; 32],
    bytes: &[u8],
    signature: &[u8; 64],
    what: &'static str,
) -> Result<(), LogError> {
    // Strict: a signature that verifies here verifies everywhere, and under one key only (RFC 8032,
    // 5.1.7 and 8.4).
    VerifyingKey::from_bytes(key)
        .and_then(|k| k.verify_strict(bytes, &Signature::from_bytes(signature)))
        .map_err(|_| LogError::BadSignature { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    fn signed() -> (LogKey, SignedCheckpoint) {
        let key = LogKey::from_seed(&[5; 32]);
        let trb: Crossing = "TRB".parse().unwrap();
        let log = LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Control,
            crossing: trb,
        };

        let logs = vec![(Lane::Hold, trb, 2), (Lane::Passage, trb, 40)];
        let signed = key.sign(Checkpoint {
            log,
            size: 3,
            root: Hash([8; 32]),
            hub_time_s: 1_767_225_600,
            logs,
        });

        (key, signed)
    }

    // The signed note published with the Go implementation (golang.org/x/mod/sumdb/note, package
    // example).
    #[test]
    fn the_published_signed_note_verifies() {
        let text = "If you think cryptography is the answer to your problem,\nthen you don't know \
                    what your problem is.\n\
                    \n— PeterNeumann \
                    x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6\
                    KE6RyyBwJnAM=\n";
        let key = STANDARD
            .decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
            .unwrap();
        let key: [u8; 32] = key[1..].try_into().unwrap();
        let (body, lines) = parse_note(text).unwrap();
        let (name, bytes) = &lines[0];
        assert_eq!(bytes[..4], note_key_id(name, 0x01, &key));
        assert_eq!(bytes[..4], [0xc7, 0x4f, 0x20, 0xa3]);

        verify(
            &key,
            body.as_bytes(),
            bytes[4..].try_into().unwrap(),
            "note",
        )
        .unwrap();
    }

    #[test]
    fn a_checkpoint_is_a_note_that_reads_back() {
        let (key, signed) = signed();
        let cosignature = key.cosign(&signed.checkpoint, 1_767_225_601);
        let note = signed.note(&key.public(), &[(cosignature, key.public())]);
        let (body, lines) = parse_note(&note).unwrap();
        assert_eq!(Checkpoint::from_body(body).unwrap(), signed.checkpoint);
        assert_eq!(lines[0].0, signed.checkpoint.log.origin());
        assert_eq!(lines[1].1.len(), 4 + 8 + 64);

        signed.verify(&key.public()).unwrap();
        cosignature
            .verify(&signed.checkpoint, &key.public())
            .unwrap();
        assert_eq!(
            SignedCheckpoint::from_bytes(&signed.to_bytes()).unwrap(),
            signed
        );
        assert_eq!(
            Cosignature::from_slice(&cosignature.to_bytes()).unwrap(),
            cosignature
        );
    }

    #[test]
    fn no_part_of_a_checkpoint_changes_unseen() {
        let (key, signed) = signed();
        let changes: [fn(&mut Checkpoint); 4] = [
            |c| c.size += 1,
            |c| c.root.0[31] ^= 1,
            |c| c.hub_time_s += 1,
            |c| c.logs.truncate(1),
        ];

        for change in changes {
            let mut other = signed.clone();
            change(&mut other.checkpoint);
            assert_eq!(
                other.verify(&key.public()).unwrap_err().code(),
                "bad_signature"
            );
        }

        let stranger = LogKey::from_seed(&[6; 32]);
        assert!(signed.verify(&stranger.public()).is_err());

        let mut late = key.cosign(&signed.checkpoint, 10);
        late.time_s = 11;
        assert!(late.verify(&signed.checkpoint, &key.public()).is_err());
    }

    #[test]
    fn a_seal_holds_for_its_context_its_bytes_and_its_key() {
        let key = LogKey::from_seed(&[5; 32]);
        let stranger = LogKey::from_seed(&[6; 32]);
        let seal = key.seal("wadi.bundle/v1", b"text");
        verify_seal(&key.public(), "wadi.bundle/v1", b"text", &seal).unwrap();
        assert!(verify_seal(&key.public(), "wadi.receipt/v1", b"text", &seal).is_err());
        assert!(verify_seal(&key.public(), "wadi.bundle/v1", b"test", &seal).is_err());
        assert!(verify_seal(&stranger.public(), "wadi.bundle/v1", b"text", &seal).is_err());
    }

    #[test]
    fn a_key_that_encrypts_to_nobody_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(x25519_public(&identity).unwrap_err().code(), "malformed");
        assert_ne!(
            x25519_public(&LogKey::from_seed(&[5; 32]).public()).unwrap(),
            [0; 32]
        );
    }
}
