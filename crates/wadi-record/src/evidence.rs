//! What speaks against a release: for whoever says one, and for the rules of reconciliation.

use crate::{
    Gives, event_type,
    events::{SATISFACTORY, UNSATISFACTORY},
    judged_change::EventView,
};
use serde_json::{Map, Value as Json};

/// What speaks against a release, and how strongly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpeaksAgainst {
    /// Nothing is settled: an alarm, a dog that indicated something, an inconclusive result, a
    /// second inspection that is asked for.
    Unsettled,
    /// The goods are bad: an unsatisfactory result, a real alarm, contraband, or what was seized.
    Bad,
}

/// Whether an event of a type, with these members, speaks against a release, attested or not:
/// unattested evidence may restrict.
pub fn evidence_against(kind: &str, members: &Map<String, Json>) -> Option<SpeaksAgainst> {
    let text = |member: &str| members.get(member).and_then(Json::as_str);
    let unsettled = |is_so: bool| is_so.then_some(SpeaksAgainst::Unsettled);

    match event_type(kind)?.gives {
        Gives::Result | Gives::Amendment => match text("outcome") {
            Some(UNSATISFACTORY) => Some(SpeaksAgainst::Bad),
            outcome => unsettled(outcome != Some(SATISFACTORY)),
        },
        Gives::Adjudication => match members.get("code").and_then(Json::as_i64) {
            Some(code) if code <= 2 || code == 10 => Some(SpeaksAgainst::Bad),
            code => unsettled(code.is_none() || text("secondary") == Some("REQUESTED")),
        },
        Gives::Alarm | Gives::Indication => Some(SpeaksAgainst::Unsettled),
        Gives::Search => {
            let is_found = members.get("contraband") == Some(&true.into());
            (is_found || text("seizure_no").is_some()).then_some(SpeaksAgainst::Bad)
        }
        Gives::AllClear | Gives::Nothing => None,
    }
}

/// Whether an event speaks against a release, strongly or not.
pub(crate) fn speaks_against(e: &EventView) -> bool {
    evidence_against(e.kind(), &e.members).is_some()
}
