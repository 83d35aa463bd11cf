//! Resyncs, bundles, and what comparing two nodes needs.

use super::{ChainVerdictAnswer, RecordAnswer, ScrubAnswer};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Resyncs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResyncsAnswer {
    /// The newest first.
    resyncs: Vec<ResyncAnswer>,
    /// How far everything held was read through.
    scrub: ScrubAnswer,
}

/// A resync: its plan, how far it has come, and what came of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResyncAnswer {
    /// Its id.
    id: String,
    /// planning, planned, ordered, shipping, comparing, mending, verifying, paused, cancelled,
    /// done or failed.
    state: String,
    /// The node that carries it out.
    node: String,
    /// With whom it compares.
    peer: String,
    /// Why.
    reason: String,
    /// Who planned it.
    planned_by: String,
    /// The token that named that person, where it is nobody's own; empty where it is theirs.
    planned_by_token: String,
    /// Who approved it.
    approved_by: String,
    /// The same of who approved it.
    approved_by_token: String,
    /// When it was made, Unix milliseconds.
    made_ms: i64,
    /// When it last changed, Unix milliseconds.
    changed_ms: i64,
    /// The order's entry, where a hub gave one.
    #[schema(required = true)]
    order: Option<String>,
    /// Whether the peer was there to be compared with.
    compared: bool,
    /// Entries that were read through.
    scrubbed_entries: u64,
    /// Logs that are alike.
    equal_logs: u64,
    /// Logs that are not.
    logs: Vec<ResyncLogAnswer>,
    /// Logs known to be forked when it was planned, by origin.
    forked: Vec<String>,
    /// Entries that wait for others.
    waiting: i64,
    /// Refusals kept.
    refused: i64,
    /// Records that stood otherwise than their entries say.
    rederived: u64,
    /// Entries to send.
    send_entries: u64,
    /// Entries to fetch.
    fetch_entries: u64,
    /// Entries that are damaged.
    damaged_entries: u64,
    /// Bytes that comparing took, both ways.
    compare_bytes: u64,
    /// Bytes to send, about.
    send_bytes: u64,
    /// Bytes to fetch, about.
    fetch_bytes: u64,
    /// Seconds that they take at the link's provisioned rate; null where that is not known.
    #[schema(required = true)]
    seconds: Option<f64>,
    /// What it waits for, in words.
    waits_for: String,
    /// How far each run of entries has come.
    progress: Vec<ResyncProgressAnswer>,
    /// Who held it up, let it go on or ended it, the last ones.
    steered: Vec<ResyncSteeredAnswer>,
    /// What was found at the end.
    outcome: Value,
}

/// Somebody steered a resync.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResyncSteeredAnswer {
    /// pause, resume or cancel.
    act: String,
    /// Who.
    by: String,
    /// The token that named that person, where it is nobody's own; empty where it is theirs.
    by_token: String,
    /// When, Unix milliseconds.
    at_ms: i64,
}

/// One log in a plan.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResyncLogAnswer {
    /// The log's origin.
    log: String,
    /// ahead, behind, forked or damaged.
    state: String,
    /// Entries held here.
    mine: u64,
    /// Entries held by the peer; null where that was not compared.
    #[schema(required = true)]
    theirs: Option<u64>,
    /// Runs of entries concerned: from a position, to a position.
    ranges: Vec<[u64; 2]>,
    /// How many entries those are.
    entries: u64,
    /// For damage: missing, rotten or replaced entries.
    kinds: Vec<String>,
}

/// How far one run of entries has come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResyncProgressAnswer {
    /// The log's origin.
    log: String,
    /// First position.
    from: u64,
    /// Position after the last.
    to: u64,
    /// Entries of it that are in place.
    done: u64,
}

/// Whether this node and a peer hold the same.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyAnswer {
    /// The peer.
    peer: String,
    /// Whether they do.
    equal: bool,
    /// Through when, hub time, Unix seconds.
    through_s: i64,
    /// Logs compared.
    logs: u64,
    /// Logs that differ.
    logs_differing: u64,
    /// Lanes of crossings compared.
    scopes: u64,
    /// Those that differ.
    scopes_differing: Vec<String>,
    /// Entries and records that are wrong on this disk.
    wrong_here: u64,
    /// Whether this disk was read through for it.
    read_through: bool,
    /// Bytes that comparing took, both ways.
    bytes: u64,
}

/// In what this node and a peer differ.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DifferencesAnswer {
    /// The peer.
    peer: String,
    /// The logs that differ.
    logs: Vec<DifferingLogAnswer>,
    /// Records of which the peer lacks entries.
    records: Vec<DifferingRecordAnswer>,
    /// Whether there are more of them.
    has_more: bool,
    /// Bytes that asking the peer took, both ways.
    bytes: u64,
}

/// A log of which both hold other entries.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DifferingLogAnswer {
    /// The log.
    log: String,
    /// Its lane.
    lane: String,
    /// Its crossing.
    crossing: String,
    /// `ahead`: this node holds more; `behind`: the peer does; `forked`: each holds another branch.
    state: String,
    /// Entries held here.
    here: u64,
    /// Entries that the peer holds.
    there: u64,
}

/// A record of which the peer lacks entries.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DifferingRecordAnswer {
    /// The record.
    record: String,
    /// Its printed id.
    id: String,
    /// Its kind.
    kind: String,
    /// Its crossing.
    crossing: String,
    /// Its state here.
    state_here: String,
    /// Its state there; null where the peer has no such record.
    #[schema(required = true)]
    state_there: Option<String>,
    /// Entries that the peer lacks.
    lacking: u64,
    /// The fields that differ.
    fields: Vec<DifferingFieldAnswer>,
    /// Types of the events that the peer lacks.
    events: Vec<String>,
    /// What the token does not read of it.
    withheld: Vec<String>,
}

/// A field that differs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DifferingFieldAnswer {
    /// The field.
    field: String,
    /// Its value here, all of them where it is contested; null where it has none.
    here: Value,
    /// Its value there.
    there: Value,
}

/// A bundle that was planned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleAnswer {
    /// Its id.
    bundle: String,
    /// The node that is to read it.
    #[serde(rename = "for")]
    to: String,
    /// Its parts, from 1 on.
    parts: u32,
    /// Entries in it.
    entries: u64,
    /// Logs in it.
    logs: u64,
    /// Cosignatures in it.
    cosignatures: u64,
    /// Records handed over, in it.
    excerpts: u64,
    /// Who had it made.
    by: String,
    /// The token that named that person, where it is nobody's own; empty where it is theirs.
    by_token: String,
    /// Logs that are not in it, and why.
    left_out: Vec<LeftOutAnswer>,
}

/// A log that is not in a bundle.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeftOutAnswer {
    /// The log's origin.
    log: String,
    /// The stable code.
    code: String,
    /// The reason.
    why: String,
}

/// What became of a part of a bundle.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleTakenAnswer {
    /// The bundle's id.
    bundle: String,
    /// The part.
    part: u32,
    /// How many there are.
    parts: u32,
    /// The node that made it.
    from: String,
    /// Who had it taken in.
    by: String,
    /// The token that named that person, where it is nobody's own; empty where it is theirs.
    by_token: String,
    /// Entries that are held now.
    taken: u64,
    /// Entries that were held before.
    already: u64,
    /// Entries that wait for what lies before them.
    waits: u64,
    /// Entries that were refused.
    refused: u64,
    /// Cosignatures taken in.
    cosignatures: u64,
    /// Records handed over, taken in.
    excerpts: u64,
    /// What waits.
    waiting: Vec<BundleWaitsAnswer>,
    /// What was not taken.
    not_taken: Vec<NotTakenAnswer>,
}

/// Entries that wait for what lies before them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleWaitsAnswer {
    /// The log's origin.
    log: String,
    /// Entries held of it.
    held: u64,
    /// From this position on.
    from: u64,
    /// To this one.
    to: u64,
}

/// Something that was not taken in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotTakenAnswer {
    /// What.
    subject: String,
    /// The stable code.
    code: String,
}

/// Who made bundles at this node, and who took some in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleActsAnswer {
    /// Lines, the newest first.
    acts: Vec<BundleActAnswer>,
    /// Where the next page begins; null after the last.
    #[schema(required = true)]
    before: Option<u64>,
    /// What reading the chain found, where that was asked for.
    #[schema(required = true)]
    verified: Option<ChainVerdictAnswer>,
}

/// A bundle that was made, or a part of one that was handed in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleActAnswer {
    /// Its number.
    n: u64,
    /// The hash of the line before.
    prev: String,
    /// When it was, Unix milliseconds.
    at_ms: i64,
    /// made, taken_in or not_taken_in.
    act: String,
    /// The person.
    by: String,
    /// The token that named that person, where it is nobody's own; empty where it is theirs.
    by_token: String,
    /// The bundle's id; empty where it was not taken in.
    bundle: String,
    /// The node that it is for, or that made it; empty where it was not taken in.
    node: String,
    /// The part that was taken in.
    #[schema(required = true)]
    part: Option<u32>,
    /// How many parts it has.
    #[schema(required = true)]
    parts: Option<u32>,
    /// Entries in it, or those of the part that were new.
    entries: u64,
    /// Why it was not taken in.
    #[schema(required = true)]
    code: Option<String>,
}

/// A receipt: what a node holds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptAnswer {
    /// Always wadi.receipt/v1.
    format: String,
    /// Who holds it.
    by: PartyAnswer,
    /// For whom it is.
    #[serde(rename = "for")]
    to: PartyAnswer,
    /// When it was made, hub time, Unix seconds.
    made_s: i64,
    /// The logs, each with its size and root.
    logs: Vec<HeldLogAnswer>,
    /// Cosignatures that the reader may not have heard of.
    cosigned: Vec<WitnessAnswer>,
    /// Its maker's signature over all that stands before it, in hexadecimal.
    signature: String,
}

/// A checkpoint and a cosignature over it, both encoded, in hexadecimal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessAnswer {
    /// The checkpoint.
    checkpoint: String,
    /// The cosignature.
    cosignature: String,
}

/// A node that made a receipt, or for which it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartyAnswer {
    /// Its id.
    node: String,
    /// Its name.
    name: String,
}

/// A log as it is held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldLogAnswer {
    /// The log's origin.
    log: String,
    /// Its entries.
    size: u64,
    /// Its root.
    root: String,
}

/// The logs that a node holds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogsAnswer {
    /// The node's name.
    node: String,
    /// Its enrolment, in hexadecimal.
    enrolment: String,
    /// The logs.
    logs: Vec<HeldLogAnswer>,
}

/// A page of records in the order of their ids.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComparePageAnswer {
    /// The records.
    records: Vec<CompareLineAnswer>,
}

/// What a record comes to here.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompareLineAnswer {
    /// The full id.
    record: String,
    /// The id for people.
    id: String,
    /// The lane.
    lane: String,
    /// The crossing.
    crossing: String,
    /// The state.
    state: String,
    /// The digest of its document.
    document: String,
    /// Entries held of it.
    entries: u64,
    /// The digest over those.
    entries_digest: String,
}

/// One record as every holder of its entries has it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompareRecordAnswer {
    /// The record.
    record: RecordAnswer,
    /// The entries held of it.
    entries: Vec<String>,
}

/// The root of a log's first entries.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogRootAnswer {
    /// The log's origin.
    log: String,
    /// How many entries.
    size: u64,
    /// Their root.
    root: String,
}
