//! An officer's own signature over what an entry decides.
//!
//! A node signs whatever its users say. Where an officer has a key of their own, a file or a card
//! behind `ssh-agent`, it signs a statement of what the entry says, in a form that people and
//! programs can make again from the entry: one line of canonical JSON (RFC 8785). The signature
//! stands in the entry as an event of its own, `decision.signed`: under the node's signature with
//! the rest, and kept and merged by nodes that know nothing of it.
//!
//! Judged by the keys that the author's node had taken in, as everything is: what comes later moves
//! nothing, in whatever order it comes.

use crate::{
    authority::{Judge, Refusal},
    events::SIGNATURE_EVENT,
    judged_change::JudgedChange,
    project::value_json,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use wadi_log::{
    Change, Common, Crossing, Lane, NodeId, Put, RecordId, Reference, SshKey, SshSignature, Value,
    defence,
};

/// What a key signs with: a signature for anything else of OpenSSH's is none of a decision.
pub const DECISION_NAMESPACE: &str = "wadi-decision@wadi.example";

/// What to do about a decision without one, as `decision_unsigned` says it.
pub const SIGN_IT: &str = "sign it with the officer's own key: `wadi record event … --ssh-agent`, \
                           or `--sign-key FILE`";

/// How long after it was signed a statement may be said, milliseconds: long enough to type the PIN
/// of a card, too short to keep a signed decision for another day.
pub const SIGNED_WITHIN_MS: i64 = 15 * 60 * 1_000;
/// How far a node's clock may have gone back in between, milliseconds.
const CLOCK_STEP_MS: i64 = 60 * 1_000;
/// JSON holds no larger whole number exactly.
const JSON_INT_MAX: u64 = 1 << 53;

/// What the policy asks of decisions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignedDecisions {
    /// Nothing: they may be signed.
    #[default]
    None,
    /// Whoever writes one without is told.
    Warn,
    /// One without does not count.
    Required,
}

/// What a signature is over.
#[derive(Clone, PartialEq, Debug)]
pub struct DecisionStatement<'a> {
    /// The node that says it.
    pub node: NodeId,
    /// The crossing and the lane of the record.
    pub crossing: Crossing,
    /// The same.
    pub lane: Lane,
    /// The record.
    pub record: RecordId,
    /// The entries that the officer's screen showed, ascending.
    pub based_on: &'a [Reference],
    /// The puts, keys ascending.
    pub puts: &'a [Put],
    /// The events as canonical text; a signature's own among them is left out.
    pub events: &'a [String],
    /// Who says it, for which department, and when it happened.
    pub common: &'a Common,
    /// When it is signed, by the node's clock, Unix milliseconds.
    pub signed_at_ms: i64,
}

impl DecisionStatement<'_> {
    /// The line that is signed, with its end.
    ///
    /// # Errors
    ///
    /// `decision_signature`, where it cannot be said exactly: an event that is no canonical JSON
    /// object, or a number beyond 2^53.
    pub fn text(&self) -> Result<String, Refusal> {
        let events: Option<Vec<Json>> = self
            .events
            .iter()
            .filter(|event| !is_signature(event))
            .map(|event| canonical(event).map(Json::Object))
            .collect();
        let is_exact = |value: &Value| match value {
            Value::Int(n) => n.unsigned_abs() <= JSON_INT_MAX,
            _ => true,
        };
        let events = events.filter(|_| self.puts.iter().all(|put| is_exact(&put.value)));
        let events = events.ok_or_else(|| bad("it says what JSON cannot hold exactly"))?;

        let puts: Map<String, Json> = self
            .puts
            .iter()
            .map(|put| (put.key.clone(), value_json(&put.value)))
            .collect();
        let based_on: Vec<String> = self.based_on.iter().map(ToString::to_string).collect();

        let statement = json!({
            "based_on": based_on,
            "crossing": self.crossing.to_string(),
            "department": self.common.department,
            "device": self.common.device,
            "events": events,
            "happened_at_ms": self.common.happened_ms,
            "happened_source": self.common.happened_source,
            "lane": self.lane.name(),
            "node": self.node.to_string(),
            "officer": self.common.officer,
            "puts": puts,
            "record": self.record.to_string(),
            "signed_at_ms": self.signed_at_ms,
            "statement": "wadi-decision/v1",
        });
        let text = serde_json_canonicalizer::to_string(&statement);
        text.map(|text| text + "\n")
            .map_err(|_| bad("it says what JSON cannot hold exactly"))
    }
}

/// The members of an event, where its text is the one canonical text of an object.
fn canonical(event: &str) -> Option<Map<String, Json>> {
    let Ok(Json::Object(members)) = serde_json::from_str(event) else {
        return None;
    };
    let again = serde_json_canonicalizer::to_string(&members).ok()?;
    (again == event).then_some(members)
}

fn is_signature(event: &str) -> bool {
    event.contains(SIGNATURE_EVENT)
        && canonical(event).is_some_and(|members| {
            members.get("type").and_then(Json::as_str) == Some(SIGNATURE_EVENT)
        })
}

fn bad(why: &str) -> Refusal {
    Refusal {
        code: "decision_signature",
        why: format!("the officer's own signature does not hold: {why}"),
    }
}

/// What an entry's own signature comes to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum OfficerSignature {
    /// It has none.
    None,
    /// By this key of its officer.
    By(SshKey),
    /// It has one that does not hold.
    Bad(Refusal),
}

impl OfficerSignature {
    /// The signature of an entry, checked.
    pub(crate) fn of(said: &JudgedChange) -> Self {
        let own = own_signature(&said.reference, &said.common, &said.change);
        match own {
            None => Self::None,
            Some(Err(refusal)) => Self::Bad(refusal),
            Some(Ok(signature)) => match is_of_officer(said, &signature) {
                Ok(()) => Self::By(signature.key),
                Err(refusal) => Self::Bad(refusal),
            },
        }
    }

    pub(crate) fn key(&self) -> Option<SshKey> {
        match self {
            Self::By(key) => Some(*key),
            Self::None | Self::Bad(_) => None,
        }
    }

    /// What it does to one event of the entry that is permitted otherwise.
    pub(crate) fn judge(&self, judge: &Judge, event: &str) -> Result<(), Refusal> {
        let lets_go = crate::event_type(event).is_some_and(|t| t.lets_go());
        let required = judge.policy.signed_decisions == SignedDecisions::Required
            && !defence::off("signed-decisions");

        match self {
            Self::Bad(refusal) if event == SIGNATURE_EVENT || lets_go && required => {
                Err(refusal.clone())
            }
            Self::None if lets_go && required => Err(Refusal {
                code: "decision_unsigned",
                why: format!(
                    "the policy asks for the officer's own signature on a decision, and this one \
                     has none; {SIGN_IT}"
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// An officer's own signature in an entry, read and checked over what the entry says. Whether the
/// key is the officer's is for the reader to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnSignature {
    /// By which key.
    pub key: SshKey,
    /// When it was made, as it says itself, Unix milliseconds.
    pub signed_at_ms: i64,
    /// Whether it is over what the entry says.
    pub holds: bool,
}

/// The officer's own signature in an entry that somebody proved; none where there is none.
///
/// # Errors
///
/// Why it is none, where something stands there that does not read as one.
pub fn own_signature(
    reference: &Reference,
    common: &Common,
    change: &Change,
) -> Option<Result<OwnSignature, Refusal>> {
    let mut all = change.events.iter().filter(|event| is_signature(event));
    let first = canonical(all.next()?)?;
    if all.next().is_some() {
        return Some(Err(bad("there is more than one")));
    }

    Some(checked(reference, common, change, &first))
}

fn checked(
    reference: &Reference,
    common: &Common,
    change: &Change,
    signature: &Map<String, Json>,
) -> Result<OwnSignature, Refusal> {
    let text = signature.get("signature").and_then(Json::as_str);
    let signed_at_ms = signature.get("signed_at_ms").and_then(Json::as_i64);
    let (Some(text), Some(signed_at_ms)) = (text, signed_at_ms) else {
        return Err(bad("it lacks a member"));
    };

    let wrong = |e: wadi_log::LogError| bad(&e.to_string());
    let signature = SshSignature::read(text, DECISION_NAMESPACE).map_err(wrong)?;
    if signature.to_base64(DECISION_NAMESPACE) != text {
        return Err(bad(
            "it is written in another way than in one line of base64",
        ));
    }

    let Some(record) = change.record else {
        return Err(bad("a record's first entry decides nothing"));
    };
    let says_more = change.events.len() > 1 || !change.puts.is_empty();
    if !says_more {
        return Err(bad("it stands over nothing"));
    }

    let log = reference.log;
    let statement = DecisionStatement {
        node: log.node,
        crossing: log.crossing,
        lane: log.lane,
        record,
        based_on: &change.based_on,
        puts: &change.puts,
        events: &change.events,
        common,
        signed_at_ms,
    };
    let statement = statement.text()?;
    let holds = signature.verify(DECISION_NAMESPACE, statement.as_bytes());

    Ok(OwnSignature {
        key: signature.key,
        signed_at_ms,
        holds: holds.is_ok(),
    })
}

/// Whether a signature is one of the entry's officer, made when the entry was.
fn is_of_officer(said: &JudgedChange, signature: &OwnSignature) -> Result<(), Refusal> {
    let officer = &said.common.officer;
    let known = said.judge.officers.get(officer);
    let is_known = known.is_some_and(|o| o.keys.contains(&signature.key));
    if !is_known && !defence::off("officer-keys") {
        return Err(Refusal {
            code: "decision_key",
            why: format!(
                "{} was no key of {officer}'s when this was said, or no longer",
                signature.key
            ),
        });
    }

    let after_ms = said.common.wall_ms.saturating_sub(signature.signed_at_ms);
    let is_fresh = (-CLOCK_STEP_MS..=SIGNED_WITHIN_MS).contains(&after_ms);
    if !is_fresh && !defence::off("signed-within") {
        return Err(bad("it was made more than 15 min before, or after"));
    }

    if !signature.holds && !defence::off("decision-signature") {
        return Err(bad("it is over something else than what this entry says"));
    }

    Ok(())
}

/// The event that brings a signature.
pub fn signature_event(signature: &SshSignature, signed_at_ms: i64) -> Map<String, Json> {
    Map::from_iter([
        ("type".to_string(), Json::from(SIGNATURE_EVENT)),
        ("signed_at_ms".to_string(), signed_at_ms.into()),
        (
            "signature".to_string(),
            signature.to_base64(DECISION_NAMESPACE).into(),
        ),
    ])
}
