//! Every function that reads bytes from elsewhere before anything of them is verified, by name.
//!
//! The fuzz targets beside this file and `integration-tests/tests/decoders.rs` both take this list:
//! what is added here is fuzzed and tested. A decoder may refuse whatever it is given. It may not
//! panic, and what it takes it has to write the same again.

use std::sync::OnceLock;
use wadi_log::{
    Block, Checkpoint, Cosignature, Crossing, Enrolment, Entry, Epoch, ForkProof, Lane, LogId,
    LogKey, NodeId, Peaks, Reading, RecordId, Reference, Role, RootKey, Scope, SignedCheckpoint,
    parse_note, verify_block, verify_evidence,
};
use wadi_sync::{
    BlockDecoder, BlockEncoder, CodecVersion, FrameReader, Manifest, Message, Receipt, SealedBlock,
    decode_plain, encode_plain, fits_frame,
};

/// A name, which its fuzz target has too, and what it does with bytes.
pub type Decoder = (&'static str, fn(&[u8]));

/// The list.
pub const DECODERS: &[Decoder] = &[
    ("entry", entry),
    ("block", block),
    ("block_frame", block_frame),
    ("sealed_block", sealed_block),
    ("checkpoint", checkpoint),
    ("note", note),
    ("cosignature", cosignature),
    ("enrolment", enrolment),
    ("fork_proof", fork_proof),
    ("message", message),
    ("bundle_manifest", bundle_manifest),
    ("bundle_body", bundle_body),
    ("receipt", receipt),
    ("evidence", evidence),
    ("names", names),
];

/// Gives bytes to one decoder of the list.
#[allow(
    dead_code,
    reason = "the fuzz targets ask by name, the test walks the list"
)]
pub fn decode(name: &str, bytes: &[u8]) {
    let (_, decoder) = DECODERS
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no decoder {name}"));
    decoder(bytes);
}

/// The commission's root of these inputs.
pub fn root() -> LogKey {
    LogKey::from_seed(&[1; 32])
}

/// The log key of the member that says what these inputs say.
pub fn key() -> LogKey {
    LogKey::from_seed(&[2; 32])
}

/// That member: what is read further is judged as its own.
pub fn author() -> &'static Enrolment {
    static AUTHOR: OnceLock<Enrolment> = OnceLock::new();
    AUTHOR.get_or_init(|| {
        let crossing: Crossing = "TRB".parse().expect("a crossing");
        let draft = Enrolment {
            name: "trb".into(),
            role: Role::Crossing,
            crossing: Some(crossing),
            log_key: key().public(),
            tls_key: [3; 32],
            scope: Scope::of_crossing(crossing),
            serial: 1,
            issued_s: 1_767_225_600,
            root_signature: [0; 64],
        };
        draft.issue(&root()).expect("a good enrolment")
    })
}

/// A block's frame in each version of the codec, the first of its stream.
#[allow(dead_code, reason = "the test spoils them, the fuzz targets do not")]
pub fn block_frames(block: &Block) -> Vec<Vec<u8>> {
    let frame = |version| {
        let mut encoder = BlockEncoder::of_version(version).expect("a context");
        encoder.encode(block).expect("a good block")
    };
    CodecVersion::ALL.map(frame).into()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn entry(bytes: &[u8]) {
    if let Ok(Reading::Entry(entry)) = Entry::read(bytes) {
        assert_eq!(entry.encode().as_deref(), Ok(bytes), "one encoding");
    }
}

fn block(bytes: &[u8]) {
    let Ok(block) = decode_plain(bytes) else {
        return;
    };

    let again = decode_plain(&encode_plain(&block));
    assert_eq!(again.as_ref(), Ok(&block));
    let _ = verify_block(block, &Peaks::default(), author());
}

fn block_frame(bytes: &[u8]) {
    let mut decoder = BlockDecoder::new().expect("a context");
    // Two frames on one stream: the second one meets the context that the first one left.
    let (one, two) = bytes.split_at(bytes.len() / 2);
    let _ = decoder.decode(bytes);
    let _ = decoder.decode(one);
    if let Ok(block) = decoder.decode(two) {
        assert!(fits_frame(&block), "it could not be sent on");
    }
}

fn sealed_block(bytes: &[u8]) {
    if let Ok(sealed) = SealedBlock::decode(bytes) {
        let again = SealedBlock::decode(&sealed.encode());
        assert_eq!(again.as_ref(), Ok(&sealed));
        let _ = sealed.is_sealed_by(&author().log_key);
    }
}

fn checkpoint(bytes: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::from_bytes(bytes) {
        assert_eq!(
            SignedCheckpoint::from_bytes(&signed.to_bytes()).as_ref(),
            Ok(&signed)
        );
        let _ = signed.verify(&author().log_key);
    }
}

fn note(bytes: &[u8]) {
    let Ok((body, _)) = parse_note(text(bytes)) else {
        return;
    };
    if let Ok(checkpoint) = Checkpoint::from_body(body) {
        assert_eq!(checkpoint.body(), body);
    }
}

fn cosignature(bytes: &[u8]) {
    if let Ok(cosignature) = Cosignature::from_slice(bytes) {
        assert_eq!(cosignature.to_bytes(), bytes);
    }
}

fn enrolment(bytes: &[u8]) {
    if let Ok(enrolment) = Enrolment::from_bytes(bytes) {
        assert_eq!(enrolment.to_bytes(), bytes, "one encoding");
        let _ = enrolment.verify(&RootKey(root().public()));
    }
}

fn fork_proof(bytes: &[u8]) {
    if let Ok(proof) = ForkProof::from_bytes(bytes) {
        assert_eq!(
            ForkProof::from_bytes(&proof.to_bytes()).as_ref(),
            Ok(&proof)
        );
        let _ = proof.verify(author());
        let _ = proof.agreed();
    }
}

fn message(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
    }
}

fn bundle_manifest(bytes: &[u8]) {
    let Ok((manifest, seal, body)) = Manifest::read(bytes) else {
        return;
    };

    let _ = manifest.maker();
    let _ = seal.verify(author());
    let _ = manifest.check_body(body);
    for range in &manifest.logs {
        let _ = range.id();
    }
}

fn bundle_body(bytes: &[u8]) {
    let mut frames = FrameReader::new(bytes).expect("a context");
    while let Ok(Some(_)) = frames.read() {}
}

fn receipt(bytes: &[u8]) {
    if let Ok((receipt, seal)) = Receipt::read(text(bytes)) {
        let _ = receipt.held();
        let _ = receipt.cosignatures();
        let _ = seal.verify(author());
    }
}

fn evidence(bytes: &[u8]) {
    let _ = verify_evidence(bytes, &RootKey(root().public()));
}

/// Names of nodes, epochs, lanes, crossings, logs, references and records, as people and JSON say
/// them.
fn names(bytes: &[u8]) {
    let text = text(bytes);
    let _ = text.parse::<NodeId>();
    let _ = text.parse::<Epoch>();
    let _ = text.parse::<Lane>();
    let _ = text.parse::<Crossing>();
    let _ = text.parse::<RecordId>();
    let _ = RecordId::check_printed(text);

    if let Ok(log) = LogId::from_origin(text) {
        assert_eq!(LogId::from_origin(&log.origin()), Ok(log));
    }

    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse(), Ok(reference));
    }
}
