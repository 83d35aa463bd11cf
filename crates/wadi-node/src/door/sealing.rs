//! What is encrypted to a node: bundles, and what neighbours carry for a hub.
//!
//! A node has one key on record, its Ed25519 log key. What is encrypted to it goes to the X25519
//! key that the birational map makes of it, so that whoever knows an enrolment can address it, and
//! no second key has to be enrolled or kept.

use crate::door::Door;
use age::stream::StreamReader;
use bech32::{Bech32, Hrp};
use std::{
    fmt::Display,
    io::{Read, Write},
};
use wadi_log::{Block, Enrolment, LogKey, NodeId, Role};
use wadi_sync::{
    BLOCK_FRAME_BYTES_MAX, BlockDecoder, BlockEncoder, CodecVersion, HeldParts, Range, Reliance,
    SealedBlock,
};

/// Hubs that a block is sealed to, at most: each costs some hundred bytes.
const HUBS_MAX: usize = 4;

/// age takes its keys as text only (Bech32, BIP-173), in these two forms.
const PUBLIC: Hrp = Hrp::parse_unchecked("age");
const SECRET: Hrp = Hrp::parse_unchecked("age-secret-key-");

fn told(why: impl Display) -> String {
    why.to_string()
}

/// The recipient that a node is.
pub(crate) fn recipient(node: &Enrolment) -> Result<age::x25519::Recipient, String> {
    let key = node.x25519_public().map_err(told)?;
    let text = bech32::encode::<Bech32>(PUBLIC, &key).map_err(told)?;
    text.parse().map_err(|e: &str| e.into())
}

/// The identity that opens what is encrypted to the owner of a log key.
pub(crate) fn identity(key: &LogKey) -> Result<age::x25519::Identity, String> {
    let text = bech32::encode_upper::<Bech32>(SECRET, &key.x25519_secret()).map_err(told)?;
    text.parse().map_err(|e: &str| e.into())
}

/// Opens what is encrypted to the owner of a log key.
pub(crate) fn open_body<'b>(
    body: &'b [u8],
    key: &LogKey,
) -> Result<StreamReader<&'b [u8]>, String> {
    let identity = identity(key)?;
    let decryptor = age::Decryptor::new_buffered(body).map_err(told)?;
    decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(told)
}

/// Seals a block of this node's to hubs: whoever carries it can neither read nor change it.
///
/// # Errors
///
/// Why it cannot be: there is no hub to seal it to, or a frame does not take it.
pub(crate) fn seal_block(
    block: &Block,
    key: &LogKey,
    hubs: &[Enrolment],
) -> Result<SealedBlock, String> {
    let recipients: Vec<_> = hubs
        .iter()
        .take(HUBS_MAX)
        .filter_map(|hub| recipient(hub).ok())
        .collect();
    if recipients.is_empty() {
        return Err("no hub is known that it could be sealed to".into());
    }

    let mut encoder = BlockEncoder::of_version(CodecVersion::Columns).map_err(told)?;
    let frame = encoder.encode_with(block, &HeldParts::default(), Reliance::Nothing);
    let to = recipients.iter().map(|r| r as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(to).map_err(told)?;
    let mut out = encryptor.wrap_output(Vec::new()).map_err(told)?;
    out.write_all(&frame.map_err(told)?).map_err(told)?;
    let body = out.finish().map_err(told)?;

    let head = &block.checkpoint.checkpoint;
    let range = Range {
        log: head.log,
        from: block.from,
        to: head.size,
    };
    let sealed = SealedBlock::seal(range, body, key);
    match sealed.encode().len() <= BLOCK_FRAME_BYTES_MAX {
        true => Ok(sealed),
        false => Err("it is too large to be carried".into()),
    }
}

/// Opens a block that was sealed to the owner of a log key. Nothing of it is verified but that it
/// is the one that its seal names.
///
/// # Errors
///
/// Why it does not open. Its author made it so, where its seal is whole.
pub(crate) fn open_block(sealed: &SealedBlock, key: &LogKey) -> Result<Block, String> {
    let reader = open_body(&sealed.body, key)?;
    let mut frame = Vec::new();
    let most = BLOCK_FRAME_BYTES_MAX as u64;
    reader.take(most).read_to_end(&mut frame).map_err(told)?;

    let mut decoder = BlockDecoder::new().map_err(told)?;
    let block = decoder.decode(&frame).map_err(told)?;
    match sealed.names(&block) {
        true => Ok(block),
        false => Err("it holds other entries than its seal names".into()),
    }
}

/// Why a block that was carried here is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SealFault {
    /// Its author is not known here.
    UnknownAuthor,
    /// It was changed on its way.
    Broken,
    /// It bears its author's seal and does not open.
    Unreadable,
}

impl SealFault {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownAuthor => "not_enrolled",
            Self::Broken => "carried_seal_broken",
            Self::Unreadable => "carried_unreadable",
        }
    }
}

impl Door {
    /// The hubs that what is carried for them is sealed to.
    pub(crate) fn hubs(&self) -> Vec<Enrolment> {
        self.with_control(|c| {
            let hubs = c.enrolments().filter(|e| e.role == Role::Hub);
            hubs.filter(|e| !c.is_cut(&e.node())).cloned().collect()
        })
    }

    /// Opens what a node carried here for its author. Where it does not open, it is noted who is at
    /// fault: who carried it, or who sealed it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) async fn open_carried(
        &self,
        sealed: &SealedBlock,
        carrier: &NodeId,
    ) -> Result<Block, SealFault> {
        let log = sealed.log();
        let author = self.with_control(|c| c.enrolment(&log.node).cloned());
        let Some(author) = author else {
            return Err(SealFault::UnknownAuthor);
        };

        let carrier_name = self.name_of(carrier);
        let (fault, why) = if !sealed.is_sealed_by(&author.log_key) {
            let why = format!(
                "what {carrier_name} carried of {} is not what {} sealed: it was changed on the \
                 way; nothing is lost, {} holds it",
                log.origin(),
                author.name,
                author.name
            );
            (SealFault::Broken, why)
        } else {
            match open_block(sealed, &self.keys.log_key) {
                Ok(block) => return Ok(block),
                Err(why) => {
                    let why = format!(
                        "what {} sealed of {} does not open here: {why}",
                        author.name,
                        log.origin()
                    );
                    (SealFault::Unreadable, why)
                }
            }
        };

        let at_fault = match fault {
            SealFault::Broken => carrier.to_string(),
            _ => log.node.to_string(),
        };
        self.note_refusal(at_fault, fault.code().into(), why, carrier.to_string())
            .await;
        Err(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{
        Body, Change, Common, Entry, Epoch, Lane, LogId, Peaks, Put, Scope, Value, VerifiedBlock,
    };

    fn enrolled(seed: u8, role: Role) -> Enrolment {
        Enrolment {
            name: format!("node{seed}"),
            role,
            crossing: None,
            log_key: LogKey::from_seed(&[seed; 32]).public(),
            tls_key: [0; 32],
            scope: Scope::all(),
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        }
    }

    fn block(key: &LogKey) -> Block {
        let log = LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "QAM".parse().unwrap(),
        };
        let entry = Entry {
            common: Common::default(),
            body: Body::Change(Change {
                puts: vec![Put {
                    key: "plate".into(),
                    value: Value::Text("33-C-00007".into()),
                }],
                ..Change::default()
            }),
        };
        let made = VerifiedBlock::author(key, log, &Peaks::default(), &[entry], 0, vec![]).unwrap();
        Block {
            from: 0,
            entries: made.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: made.checkpoint().clone(),
        }
    }

    #[test]
    fn each_hub_opens_what_is_sealed_and_nobody_else_reads_a_word_of_it() {
        let qam = LogKey::from_seed(&[2; 32]);
        let hubs = [enrolled(8, Role::Hub), enrolled(9, Role::Hub)];
        let block = block(&qam);
        assert!(has(&block.entries[0], b"33-C-00007"));

        let sealed = seal_block(&block, &qam, &hubs).unwrap();
        for seed in [8, 9] {
            let opened = open_block(&sealed, &LogKey::from_seed(&[seed; 32]));
            assert_eq!(opened, Ok(block.clone()));
        }
        for stranger in [2, 3] {
            assert!(open_block(&sealed, &LogKey::from_seed(&[stranger; 32])).is_err());
        }

        let bytes = sealed.encode();
        assert!(!has(&bytes, b"33-C-00007") && !has(&bytes, b"plate"));
        assert!(seal_block(&block, &qam, &[]).is_err(), "there is no hub");
    }

    #[test]
    fn a_seal_that_names_other_entries_than_it_holds_opens_nothing() {
        let qam = LogKey::from_seed(&[2; 32]);
        let hub = enrolled(8, Role::Hub);
        let sealed = seal_block(&block(&qam), &qam, &[hub]).unwrap();
        let range = Range {
            to: sealed.range.to + 1,
            ..sealed.range
        };
        let lie = SealedBlock::seal(range, sealed.body, &qam);
        let why = open_block(&lie, &LogKey::from_seed(&[8; 32])).unwrap_err();
        assert!(why.contains("other entries"), "{why}");
    }

    fn has(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|w| w == part)
    }
}
