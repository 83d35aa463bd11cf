//! What is in force: policy, officers, members, tokens.

use crate::{Token, TokenScope};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a control fact came to: its entries, or, of a dry run, what it would change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlAnswer {
    /// The entries that were written.
    entries: Option<Vec<String>>,
    /// Whether it was only asked about.
    dry_run: Option<bool>,
    /// What it would change; its `warnings`, where there are any, are those of the act.
    would: Option<Value>,
    /// What looks wrong about what was written, as a list of a policy that is empty now.
    warnings: Option<Vec<String>>,
}

/// The policy in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyAnswer {
    /// Its revision; 0 where the hub said none yet.
    revision: u64,
    /// The entry that said it; null where no hub said one yet.
    #[schema(required = true)]
    entry: Option<String>,
    /// Who said it.
    #[schema(required = true)]
    by: Option<String>,
    /// The token that named that person, where it is nobody's own; empty where it is theirs.
    #[schema(required = true)]
    by_token: Option<String>,
    /// When it was said, Unix milliseconds by the hub's clock.
    #[schema(required = true)]
    since_ms: Option<i64>,
    /// The policy, whole.
    policy: Value,
    /// What it is by default.
    default: Value,
    /// What of it is not the default, each value alone.
    not_default: Vec<PolicyValueAnswer>,
}

/// A value of the policy that is not the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyValueAnswer {
    /// Which: of members that are objects with the member's name behind a dot.
    key: String,
    /// The default; null where there is none.
    from: Value,
    /// What stands in its place; null where nothing does.
    to: Value,
}

/// Officers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfficersAnswer {
    /// Those whom a hub registered.
    officers: Vec<OfficerAnswer>,
}

/// An officer whom a hub registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfficerAnswer {
    /// The service number.
    officer: String,
    /// The department's code.
    department: String,
    /// The crossing; null where it is none alone.
    #[schema(required = true)]
    crossing: Option<String>,
    /// Whether they may do what needs a supervisor.
    supervisor: bool,
    /// Whether the registration has ended.
    revoked: bool,
    /// The name.
    name: String,
    /// How often it was changed.
    revision: u64,
    /// The keys of their own that may sign decisions, those taken back among them.
    keys: Vec<OfficerKeyAnswer>,
}

/// A key of an officer's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfficerKeyAnswer {
    /// What people compare, as `ssh-keygen -l` prints it.
    fingerprint: String,
    /// The line of an OpenSSH public key.
    key: String,
    /// Whether it signs no longer.
    taken_back: bool,
    /// How often it was named or taken back.
    revision: u64,
}

/// The members of the network.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembersAnswer {
    /// Every node that is enrolled.
    members: Vec<MemberAnswer>,
}

/// A node that is enrolled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberAnswer {
    /// Its name.
    node: String,
    /// Its id.
    id: String,
    /// hub, crossing or observer.
    role: String,
    /// Its crossing.
    #[schema(required = true)]
    crossing: Option<String>,
    /// When its enrolment was issued, Unix seconds.
    issued_s: i64,
    /// Whether it was cut.
    cut: bool,
    /// Whether one of its logs was forked.
    forked: bool,
    /// When its crossing was closed, Unix seconds.
    #[schema(required = true)]
    closed_s: Option<i64>,
    /// Whether a hub declared it a spare and nothing of it is held: nobody waits for it.
    spare: bool,
}

/// Acts on membership.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberActsAnswer {
    /// The oldest first.
    acts: Vec<MemberActAnswer>,
    /// The cursor of the next page; null at the end.
    #[schema(required = true)]
    next_after: Option<String>,
}

/// An act on the membership of a node or a crossing, or on what counts of one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberActAnswer {
    /// Its entry; of papers that no hub said, the node and the serial number.
    id: String,
    /// When it was said, by the clock of the node that said it; of papers that no hub said, when
    /// they were issued. Unix milliseconds.
    at_ms: i64,
    /// enrolled, cut, uncut, admitted, closed, spare or spare_ended.
    act: String,
    /// The node's name; null where it is not about one, or nobody enrolled it.
    #[schema(required = true)]
    node: Option<String>,
    /// The node's id.
    #[schema(required = true)]
    node_id: Option<String>,
    /// The node's role.
    #[schema(required = true)]
    role: Option<String>,
    /// The node's crossing, or the one that was closed.
    #[schema(required = true)]
    crossing: Option<String>,
    /// Of an enrolment: a larger one replaces a smaller one.
    #[schema(required = true)]
    serial: Option<u64>,
    /// Of the cut of one log: its origin.
    #[schema(required = true)]
    log: Option<String>,
    /// Of a closure: since when, Unix seconds.
    #[schema(required = true)]
    closed_s: Option<i64>,
    /// Of a cut: entries that count on; of an admission: entries that it lets count.
    #[schema(required = true)]
    entries: Option<u64>,
    /// Of a cut: the node that goes on in the place of the one that is cut.
    #[schema(required = true)]
    successor: Option<String>,
    /// The person in whose name it was said; empty where a node did by itself, or the root signed
    /// papers.
    by: String,
    /// The token that named that person, where it is nobody's own: the name is its bearer's claim.
    /// Empty where the token is that person's.
    by_token: String,
    /// The node in whose log it stands; empty for papers that no hub said.
    said_at: String,
    /// Whether that node is a hub: then its clock is the hub's time.
    by_hub: bool,
    /// Whether the commission's root signed it.
    root_signed: bool,
    /// Whether it counts: what a hub said past its own cut does not.
    counts: bool,
    /// Why, as whoever said it wrote.
    reason: String,
    /// The entry that says it; null for papers that no hub said.
    #[schema(required = true)]
    entry: Option<String>,
    /// Earlier acts that it replaces or ends.
    replaces: Vec<String>,
}

/// Tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokensAnswer {
    /// The tokens known here, without the tokens themselves.
    tokens: Vec<Token>,
}

/// What tokens were shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenReadsAnswer {
    /// Each token.
    reads: Vec<TokenReadsLineAnswer>,
}

/// How often one token was shown what not everybody reads.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenReadsLineAnswer {
    /// The token's name.
    token: String,
    /// The person who bears it.
    person: String,
    /// What its bearer may say.
    scope: TokenScope,
    /// Records in which it was shown who a traveller is.
    persons: u64,
    /// Records in which it was shown what a lookout seeks.
    lookouts: u64,
    /// When it was last used, to the hour, Unix milliseconds.
    #[schema(required = true)]
    last_used_ms: Option<i64>,
}

/// A token that was issued.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuedTokenAnswer {
    /// The token: it is shown this once.
    token: String,
    /// Its name.
    name: String,
    /// The person who bears it.
    person: String,
    /// When it ends, Unix milliseconds; null where it does not.
    #[schema(required = true)]
    expires_ms: Option<i64>,
    /// What looks wrong about its end: by which clock it was reckoned.
    warnings: Vec<String>,
}

/// Tokens for releases while dark.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseTokensAnswer {
    /// Those that end last first.
    release_tokens: Vec<ReleaseTokenAnswer>,
}

/// A token for a release while dark.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseTokenAnswer {
    /// Its id.
    token: String,
    /// The crossing where it may be spent; null where that is any.
    #[schema(required = true)]
    crossing: Option<String>,
    /// The department whose officers may spend it.
    department: String,
    /// The one officer who may; empty where any of the department may.
    officer: String,
    /// A type of hold, or the full id of one hold.
    scope: String,
    /// When it ends, hub time, Unix seconds.
    expires_s: i64,
    /// Why it was issued.
    reason: String,
    /// The person or the officer who issued it.
    issued_by: String,
    /// For which department: HUB, or SEC for holds that SEC lets go.
    issued_for: String,
    /// The token that named that person, where it is nobody's own; empty where it is theirs.
    by_token: String,
    /// The holds that it was spent on.
    spent_on: Vec<String>,
    /// `spent_on`, where it was spent on holds of crossings that the token does not read.
    withheld: Option<Vec<String>>,
}

/// A token for a release that was issued.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuedReleaseTokenAnswer {
    /// Its id.
    token: String,
    /// When it ends, hub time, Unix seconds.
    expires_s: i64,
    /// What looks wrong about its end: by which clock it was reckoned.
    warnings: Vec<String>,
}

/// A token that was revoked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokedTokenAnswer {
    /// Its name.
    revoked: String,
}

/// A device whose counter begins anew.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceAnewAnswer {
    /// The device.
    device: String,
    /// How often that was done.
    begun_anew: u64,
}

/// Who speaks, and with whom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhoAnswer {
    /// The person, else the officer, else the token's name: as acts that are signed carry it.
    name: String,
    /// The token's name.
    token: String,
    /// officer, device, operator or reader.
    is: String,
    /// The person who bears the token; empty where nobody does.
    person: String,
    /// The officer's service number; empty where it is no officer's.
    officer: String,
    /// The officer's department; empty where it is no officer's.
    department: String,
    /// The device; empty where it is no device's.
    device: String,
    /// The account whose session it is; null where it is none.
    #[schema(required = true)]
    account: Option<String>,
    /// When the token ends, Unix milliseconds; null where it does not.
    #[schema(required = true)]
    expires_ms: Option<i64>,
    /// The language of its bearer, as ar; null where none was chosen.
    #[schema(required = true)]
    language: Option<String>,
    /// The node's name.
    node: String,
    /// hub, crossing or observer.
    role: String,
    /// The node's crossing; empty where it has none.
    crossing: String,
    /// The node's clock, Unix milliseconds.
    now_ms: i64,
    /// A number for each part of what the node shows. It is another one once the part changed: see
    /// `/v1/live`.
    live: BTreeMap<String, u64>,
}
