//! A record's history.

use super::ClaimAnswer;
use crate::answers::records::RefusalReasonAnswer;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A record's history.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryAnswer {
    /// The record's full id.
    record: String,
    /// Its entries, the oldest claim first, and none before what it is based on or follows in its
    /// log; `based_on` makes them a graph. A thousand at most.
    entries: Vec<HistoryLineAnswer>,
    /// The entry behind which the next page begins, as `after` takes it; null at the end.
    #[schema(required = true)]
    next_after: Option<String>,
    /// Of each field what was put into it, the oldest claim first: on the first page, of each the
    /// latest thousand.
    fields: BTreeMap<String, Vec<SettingAnswer>>,
    /// Of fields into which more was put, how many of the oldest were left out.
    left_out: Option<BTreeMap<String, u64>>,
    /// What was taken out because the token does not read it.
    withheld: Option<Vec<String>>,
}

/// One entry in a record's history.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryLineAnswer {
    /// The entry.
    entry: String,
    /// The node that wrote it.
    node: String,
    /// The officer.
    officer: String,
    /// The department's code.
    department: String,
    /// The device that said it.
    device: String,
    /// When, Unix milliseconds by its author's clock.
    claimed_ms: i64,
    /// When it happened, where that was told apart, Unix milliseconds.
    #[schema(required = true)]
    happened_ms: Option<i64>,
    /// When this node took it in, Unix milliseconds.
    received_ms: i64,
    /// Not before this hub time, Unix seconds: named by the checkpoint over it.
    #[schema(required = true)]
    not_before_s: Option<i64>,
    /// Not after this hub time, Unix seconds: cosigned by a hub.
    #[schema(required = true)]
    not_after_s: Option<i64>,
    /// local_only, carried or at_hub.
    safety: String,
    /// The nodes that cosigned a head over it.
    witnessed: Vec<String>,
    /// Whether it counts, and why not.
    stands: EntryStandsAnswer,
    /// Of an entry that decides, or is signed by its officer: how that signature stands.
    signature: Option<OfficerSignatureAnswer>,
    /// The entries that its author's screen showed.
    based_on: Vec<String>,
    /// The values that it puts, by field.
    puts: BTreeMap<String, Value>,
    /// The events that it says.
    events: Vec<Value>,
    /// At a decision: what its author could have known.
    knew: Option<KnewAnswer>,
}

/// Whether an entry counts.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryStandsAnswer {
    /// Whether it does.
    counts: bool,
    /// Why not: a stable code.
    code: Option<String>,
    /// Why not, in words.
    why: Option<String>,
    /// The fields whose values do not count, though the entry does.
    refused_fields: Option<BTreeMap<String, RefusalReasonAnswer>>,
}

/// An officer's own signature over what an entry says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfficerSignatureAnswer {
    /// signed, unsigned or bad.
    state: String,
    /// The fingerprint of the key that signed it.
    key: Option<String>,
    /// Why it does not hold: a stable code.
    code: Option<String>,
    /// Why it does not hold, in words.
    why: Option<String>,
}

/// What an officer's own key signs of a decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatementAnswer {
    /// The namespace of the signature (PROTOCOL.sshsig of OpenSSH), which is with SHA-512.
    namespace: String,
    /// What is signed, to its last byte: one line of canonical JSON (RFC 8785) and its end.
    statement: String,
    /// When, Unix milliseconds by the node's clock: it is said within a quarter of an hour.
    signed_at_ms: i64,
    /// The entries that the write has to be based on.
    based_on: Vec<String>,
    /// Fingerprints of the officer's keys that this node knows.
    keys: Vec<String>,
    /// What the policy asks of decisions: none, warn or required.
    signed_decisions: String,
}

/// What the author of a decision could have known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnewAnswer {
    /// Entries of this record that were made by others and that the screen did not show.
    not_shown: Vec<String>,
    /// Holds that concern the record.
    holds: Vec<KnownHoldAnswer>,
    /// Control logs, and how far they had been taken in: policies, officers, cuts.
    control: BTreeMap<String, u64>,
    /// Control logs of which the deciding node says that it had taken in more, and how much: what
    /// is held here does not bear it out, or not yet.
    claimed_control: BTreeMap<String, u64>,
}

/// A hold that concerned a record at a decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownHoldAnswer {
    /// The hold.
    hold: String,
    /// The entry that placed it.
    placed: String,
    /// Whether the deciding node had taken that in, as the root that it named bears out.
    taken_in: bool,
    /// Whether the deciding node says that it had, and what is held here does not bear it out, or
    /// not yet.
    claimed: bool,
}

/// One value that was put into a field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingAnswer {
    /// Text, a whole number, a flag or null.
    value: Value,
    /// The officer.
    officer: String,
    /// The department's code.
    #[schema(required = true)]
    department: Option<String>,
    /// When, Unix milliseconds by its author's clock.
    at_ms: i64,
    /// The entry.
    entry: String,
    /// What it took the place of, the first twenty.
    replaced: Vec<ClaimAnswer>,
    /// How many they are.
    replaced_count: u64,
    /// Whether it stands now.
    stands: bool,
    /// Entries whose values stand beside it and differ, the first twenty.
    contested_by: Vec<String>,
    /// How many they are.
    contested_count: u64,
    /// The key of its officer's own that signed its entry, by its fingerprint.
    signed_by: Option<String>,
    /// Why it does not count.
    refused: Option<RefusalReasonAnswer>,
}
