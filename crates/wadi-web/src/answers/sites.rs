//! How a node stands.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a node and its peers stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SitesAnswer {
    /// The node's name.
    node: String,
    /// Its id.
    id: String,
    /// hub, crossing or observer.
    role: String,
    /// Its crossing; empty where it has none.
    crossing: String,
    /// Its clock, Unix milliseconds.
    now_ms: i64,
    /// The newest hub time that it has heard, Unix seconds.
    hub_time_s: i64,
    /// Records held.
    records: u64,
    /// Entries held.
    entries: u64,
    /// Entries that wait for others.
    waiting: u64,
    /// Refusals kept.
    refused: u64,
    /// Findings.
    findings: u64,
    /// Pending findings whose time is past. A hub's alone.
    overdue: u64,
    /// Through which time each crossing is received, Unix milliseconds. A hub's alone.
    watermarks: BTreeMap<String, i64>,
    /// Bytes carried for others.
    carried_bytes: u64,
    /// Entries of this node's own logs that no hub has cosigned.
    unsent: u64,
    /// Age of the oldest of those, milliseconds; null where all are safe.
    #[schema(required = true)]
    oldest_unsent_ms: Option<i64>,
    /// What is degraded, and why.
    alarms: Vec<String>,
    /// How many alarms there are, by what they are about.
    alarm_kinds: BTreeMap<String, u64>,
    /// How many of the alarms put in doubt what is kept.
    integrity_alarms: u64,
    /// What is given up for want of room on the disk.
    #[schema(required = true)]
    degraded: Option<DegradedAnswer>,
    /// The digest over what every node holds.
    digest: String,
    /// How far everything held was read through.
    scrub: ScrubAnswer,
    /// What is held of each lane of each crossing.
    scopes: Vec<ScopeAnswer>,
    /// How each peer stands.
    peers: Vec<PeerAnswer>,
    /// The version of this node's software.
    software: String,
    /// When its own certificate ends, Unix seconds; null where it has none.
    #[schema(required = true)]
    certificate_ends_s: Option<i64>,
    /// By how much its clock is ahead of the hub's time, seconds, behind where it is less than
    /// nought; null where no hub was heard since this start.
    #[schema(required = true)]
    clock_ahead_s: Option<i64>,
    /// When what no hub holds yet is expected to be there; null where all is, or nobody knows.
    #[schema(required = true)]
    expected_at_hub: Option<ExpectedAnswer>,
    /// The same by lane, of those of which no hub holds all, the most urgent first.
    unsent_by_lane: Vec<LaneUnsentAnswer>,
    /// The logs that were forked, by origin.
    forks: Vec<String>,
    /// What was cut, and why.
    cuts: Vec<String>,
    /// What was refused last.
    last_refused: Vec<LastRefusedAnswer>,
    /// What each member costs this node, and how it stands.
    costs: Vec<MemberCostAnswer>,
    /// How the country log stands; null before it has a checkpoint, and where none is kept.
    #[schema(required = true)]
    country_log: Option<CountryLogAnswer>,
    /// The lists that are not shown to a token that does not read every kind and crossing; to such
    /// a one, watermarks, scopes and peers are those that it reads, and of alarms their kinds.
    withheld: Option<Vec<String>>,
}

/// How the country log of a hub stands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountryLogAnswer {
    /// Its origin.
    origin: String,
    /// Leaves under the newest checkpoint.
    leaves: u64,
    /// Their root, hexadecimal.
    root: String,
    /// How many witnesses cosigned the newest checkpoint.
    cosigned: u64,
    /// Leaves under the newest checkpoint that any witness cosigned; null where none did.
    #[schema(required = true)]
    cosigned_leaves: Option<u64>,
    /// How each witness that is asked stands.
    witnesses: Vec<CountryWitnessAnswer>,
}

/// How a witness of the country log stands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountryWitnessAnswer {
    /// Its name, as its key has it.
    name: String,
    /// Whether it cosigned the newest checkpoint.
    has_cosigned: bool,
    /// Why it did not, when it was asked last; null where it did, or was not asked yet.
    #[schema(required = true)]
    trouble: Option<String>,
}

/// What a member costs the node.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberCostAnswer {
    /// Its name.
    node: String,
    /// Its id.
    id: String,
    /// open, slowed (its link is read more slowly) or paused (its blocks are refused for now).
    state: String,
    /// Which budget is used up; null where none is.
    #[schema(required = true)]
    over: Option<String>,
    /// In how long that ends if it costs nothing more, seconds; null where none is used up.
    #[schema(required = true)]
    again_in_s: Option<u64>,
    /// What it has this node hold in memory.
    memory: MemberMemoryAnswer,
    /// Each budget.
    budgets: Vec<CostUseAnswer>,
}

/// What a member has this node hold in memory: buffers, windows and streams of its links.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberMemoryAnswer {
    /// Bytes now, about.
    held: u64,
    /// The most that it may be, bytes.
    most: u64,
}

/// How much of a budget is used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostUseAnswer {
    /// Which.
    budget: String,
    /// What was used since the node's start.
    used: u64,
    /// What is left now.
    left: u64,
    /// What it may be at once.
    burst: u64,
}

/// What is given up for want of room on the disk.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DegradedAnswer {
    /// How far it has come.
    level: String,
    /// Why.
    why: String,
    /// Bytes that are free.
    free_bytes: u64,
    /// Bytes kept back for such a day.
    ballast_bytes: u64,
}

/// How far everything held was read through, and what was found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScrubAnswer {
    /// Whether it is under way.
    running: bool,
    /// When it began, Unix milliseconds.
    began_ms: i64,
    /// When it ended, Unix milliseconds.
    ended_ms: i64,
    /// Entries read.
    entries: u64,
    /// Entries held when it began.
    of: u64,
    /// Entries that are damaged or missing.
    damaged: u64,
    /// Where those lie.
    damage: Vec<Value>,
    /// Hashes of trees that were made again.
    remade: u64,
    /// Records that stood otherwise than their entries say.
    rederived: u64,
    /// What is wrong with the database itself.
    structure: Vec<String>,
}

/// What is held of a lane of a crossing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeAnswer {
    /// The lane.
    lane: String,
    /// The crossing.
    crossing: String,
    /// Records.
    records: u64,
    /// Entries.
    entries: u64,
    /// Digest over the logs' sizes and roots.
    entries_digest: String,
    /// Digest over the documents.
    documents_digest: String,
    /// Digest over the states.
    states_digest: String,
}

/// How a peer stands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerAnswer {
    /// Its name.
    node: String,
    /// hub, crossing or observer; null where it is not enrolled.
    #[schema(required = true)]
    role: Option<String>,
    /// Its crossing; null where it has none.
    #[schema(required = true)]
    crossing: Option<String>,
    /// Whether it is in contact.
    connected: bool,
    /// up, dark, flapping, or unknown where it never was in contact.
    link: String,
    /// Contacts that began within the hour.
    contacts_in_hour: u64,
    /// For how long its link is dark as a rule: nine of ten times it was no longer, milliseconds;
    /// null where no habit is known.
    #[schema(required = true)]
    usual_dark_ms: Option<i64>,
    /// Whether its link is dark no longer than as a rule; null where it is in contact, or no habit
    /// is known.
    #[schema(required = true)]
    dark_as_usual: Option<bool>,
    /// When its link is expected to be up, by the same hour of earlier weeks or days; null while it
    /// is up, or where those say nothing.
    #[schema(required = true)]
    next_contact: Option<ExpectedAnswer>,
    /// When the certificate ends that it showed last, Unix seconds; null where it showed none.
    #[schema(required = true)]
    certificate_ends_s: Option<i64>,
    /// The version of its software, as it said last; null where it never did.
    #[schema(required = true)]
    software: Option<String>,
    /// What is still to go over, by lane; null while it is dark.
    #[schema(required = true)]
    backlog: Option<Vec<LaneBacklogAnswer>>,
    /// In how long it will lack nothing, as fast as it goes now, or went last, milliseconds; null
    /// where nothing is known of that.
    #[schema(required = true)]
    caught_up_in_ms: Option<i64>,
    /// When it last was, Unix milliseconds; 0 where never.
    last_contact_ms: i64,
    /// Entries that it lacks; null while it is dark, for nobody knows.
    #[schema(required = true)]
    unsent: Option<u64>,
    /// Whether both hold the same; null while it is dark.
    #[schema(required = true)]
    in_step: Option<bool>,
    /// Bytes of blocks sent to it.
    sent_bytes: u64,
    /// What went over its link today and this month.
    traffic: TrafficAnswer,
    /// The time there and back, milliseconds; null while it is dark.
    #[schema(required = true)]
    rtt_ms: Option<u64>,
    /// What went wrong last.
    last_error: String,
    /// How each of several links with it stands; empty where there is one, of which all that stands
    /// above is. Of several it is all of them together.
    links: Vec<PeerLinkAnswer>,
    /// What asks for somebody there, as it told in its control log; a hub's alone.
    alarms: Vec<PeerAlarmAnswer>,
    /// How far the chains go that it keeps for itself, as it told in its control log last.
    chains: Vec<ToldChainAnswer>,
}

/// How one of several links with a peer stands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerLinkAnswer {
    /// Its name.
    name: String,
    /// flat or metered.
    cost: String,
    /// urgent, bulk or all.
    purpose: String,
    /// Whether it is in contact.
    connected: bool,
    /// up, dark, flapping, or unknown where it never was in contact.
    link: String,
    /// The lanes that this node sends over it now.
    sends: Vec<String>,
    /// When it is expected to be up; null while it is, or where nothing is known of that.
    #[schema(required = true)]
    next_contact: Option<ExpectedAnswer>,
    /// When it last was, Unix milliseconds; 0 where never.
    last_contact_ms: i64,
    /// Bytes of blocks sent over its connection.
    sent_bytes: u64,
    /// Its rate as this node's configuration has it, bits a second; null where it says none.
    #[schema(required = true)]
    rate_bits_s: Option<u64>,
    /// The time there and back, milliseconds; null while it is dark.
    #[schema(required = true)]
    rtt_ms: Option<u64>,
    /// What went over it today and this month.
    traffic: TrafficAnswer,
    /// What went wrong last.
    last_error: String,
}

/// How far a chain of a node's goes. Lines that were changed after that do not lead to this head.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToldChainAnswer {
    /// looks: who was shown personal data; sign_ins: who signed in; bundles: who made a bundle or
    /// took one in.
    chain: String,
    /// The number of its newest line then.
    lines: u64,
    /// SHA-256 of that line, in hexadecimal.
    head: String,
}

/// When something is expected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedAnswer {
    /// When, this node's clock, Unix milliseconds.
    at_ms: i64,
    /// What it rests on: `hour_of_week`, `hour_of_day`, or `pace` of a link that is up.
    by: String,
    /// By how much such estimates were wrong before, half of them by no more, milliseconds; null
    /// where none was made.
    #[schema(required = true)]
    wrong_by_ms: Option<i64>,
}

/// What is still to go over of a lane. What is more urgent goes before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaneBacklogAnswer {
    /// The lane.
    lane: String,
    /// Entries that the peer lacks.
    to_send: u64,
    /// In how long it will have them, milliseconds; null where nothing is known of that.
    #[schema(required = true)]
    sent_in_ms: Option<i64>,
    /// Entries that this node lacks.
    to_fetch: u64,
    /// In how long they will be here, milliseconds; null where nothing is known of that.
    #[schema(required = true)]
    fetched_in_ms: Option<i64>,
}

/// What of a lane no hub holds yet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaneUnsentAnswer {
    /// The lane.
    lane: String,
    /// Entries of this node's own logs that no hub has cosigned.
    unsent: u64,
    /// When the last of them is expected at a hub; null where nobody knows.
    #[schema(required = true)]
    expected_at_hub: Option<ExpectedAnswer>,
}

/// When a node was in contact with another one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactsAnswer {
    /// The other node's name.
    node: String,
    /// This node's clock, Unix milliseconds.
    now_ms: i64,
    /// For how long the link is dark as a rule, milliseconds; null where no habit is known.
    #[schema(required = true)]
    usual_dark_ms: Option<i64>,
    /// The contacts that are remembered, the oldest first.
    contacts: Vec<ContactAnswer>,
    /// What the other node lacked, the oldest first.
    backlog: Vec<BacklogThenAnswer>,
    /// What went over the link in the last days, the oldest first.
    days: Vec<DayTrafficAnswer>,
}

/// What went over a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficAnswer {
    /// Bytes on the wire since midnight UTC by this node's clock, by what they were for:
    /// `handshake`, `frontier`, `blocks_control`, `blocks_hold`, `blocks_customs`,
    /// `blocks_passage`, `blocks_site`, `acknowledgements`, `cosignatures`, `excerpts`, `carried`,
    /// `mending`, and `packets` for headers, keep-alives and what was sent again. What is not named
    /// is nothing.
    day: BTreeMap<String, WayBytesAnswer>,
    /// Bytes on the wire this calendar month, UTC.
    month: WayBytesAnswer,
    /// Bytes that may go over it in a month, both ways; null where the configuration names none.
    #[schema(required = true)]
    month_bytes_max: Option<u64>,
}

/// What went over a link in a day.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayTrafficAnswer {
    /// When the day began, Unix milliseconds.
    began_ms: i64,
    /// Bytes on the wire, by what they were for, as in a peer's `traffic`.
    by: BTreeMap<String, WayBytesAnswer>,
}

/// Bytes each way.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WayBytesAnswer {
    /// Bytes sent.
    sent: u64,
    /// Bytes received.
    received: u64,
}

/// One contact.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactAnswer {
    /// When it began, Unix milliseconds.
    began_ms: i64,
    /// When it ended, or was looked at last.
    ended_ms: i64,
    /// Bytes sent on the wire.
    sent_bytes: u64,
    /// Bytes received on the wire.
    received_bytes: u64,
}

/// What a node lacked at a time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacklogThenAnswer {
    /// When, Unix milliseconds.
    at_ms: i64,
    /// Entries that it lacked.
    unsent: u64,
}

/// Something that asks for somebody at another node.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerAlarmAnswer {
    /// What it is about.
    about: String,
    /// Why, and what to do; left out where what alarms say is withheld.
    text: Option<String>,
    /// Since when, Unix milliseconds.
    since_ms: i64,
}

/// Something that was refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LastRefusedAnswer {
    /// What was.
    subject: String,
    /// The stable code.
    code: String,
    /// The reason.
    why: String,
    /// When last, Unix milliseconds.
    at_ms: i64,
    /// How often.
    times: u64,
}

/// That the process answers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthAnswer {
    /// ok or degraded.
    status: String,
    /// What is given up for want of room on the disk.
    degraded: Option<DegradedAnswer>,
    /// Tasks that cannot work, and why.
    troubles: Option<BTreeMap<String, String>>,
    /// What asks for somebody, by what it is about.
    alarms: Option<Vec<String>>,
}

/// That the node can work.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadyAnswer {
    /// Always `ready`.
    status: String,
    /// Records held.
    records: u64,
    /// What is given up for want of room on the disk.
    #[schema(required = true)]
    degraded: Option<DegradedAnswer>,
}
