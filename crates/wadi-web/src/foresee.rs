//! What a control fact would change, before anybody says it: not all of it can be taken back.

use crate::{
    Problem,
    in_force::{key_json, officer_json},
    policy::whole,
    problem::unprocessable,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wadi_log::{
    Admit, Body, Closure, Cut, CutTarget, Enrolment, Head, OfficerEntry, Role, SpareEntry,
};
use wadi_node::{FindingFilter, Node};
use wadi_record::Policy;

/// What it would change.
pub(crate) async fn foresee_control(node: &Node, said: &[Body]) -> Result<Value, Problem> {
    let Some(body) = said.first() else {
        return Ok(Value::Null);
    };

    Ok(match body {
        Body::Officer(officer) => officer_change(node, officer),
        Body::OfficerKey(key) => json!({
            "change": "officer key",
            "officer": key.officer,
            "to": key_json(key),
            "from_when": "for what is said by those who have heard it; what was said before stays \
                judged as it was",
        }),
        Body::Policy(policy) => {
            let (_, in_force) = node.policy_in_force();
            let to = Policy::read(&policy.text).unwrap_or_default();
            policy_changes(&whole(&in_force), &whole(&to))
        }
        Body::Enrolment(enrolment) => enrolment_change(node, enrolment),
        Body::Cut(_) => {
            let parts = said.iter().filter_map(|body| match body {
                Body::Cut(cut) => Some(cut),
                _ => None,
            });
            cut_effect(node, &parts.collect::<Vec<_>>())
        }
        Body::Admit(admit) => admission_effect(node, admit).await?,
        Body::Closure(closure) => closure_effect(node, closure).await?,
        Body::Spare(spare) => spare_effect(node, spare).await?,
        _ => Value::Null,
    })
}

fn officer_change(node: &Node, to: &OfficerEntry) -> Value {
    let from = node.with_control(|c| {
        let known = c.officers().find(|o| o.officer == to.officer);
        known.map(officer_json)
    });
    json!({"change": "officer", "from": from, "to": officer_json(to)})
}

/// Which values of one policy another one has otherwise. Of members that are objects each is
/// told alone.
fn policy_changes(from: &Policy, to: &Policy) -> Value {
    let values = |policy: &Policy| serde_json::to_value(policy).unwrap_or_default();
    let mut changes = Vec::new();
    differences("", &values(from), &values(to), &mut changes);

    json!({
        "change": "policy",
        "values": changes,
        "from_when": "for what is said by those who have heard it; what was said before stays \
            judged as it was",
    })
}

/// Each value that two have otherwise, with both; null where one has none.
pub(crate) fn differences(at: &str, from: &Value, to: &Value, out: &mut Vec<Value>) {
    if from == to {
        return;
    }

    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        out.push(json!({"key": at, "from": from, "to": to}));
        return;
    };

    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let key = match at {
            "" => name.clone(),
            at => format!("{at}.{name}"),
        };
        let value = |members: &serde_json::Map<String, Value>| {
            members.get(name).cloned().unwrap_or(Value::Null)
        };
        differences(&key, &value(old), &value(new), out);
    }
}

fn enrolment_change(node: &Node, to: &Enrolment) -> Value {
    let known = node.with_control(|c| c.enrolment(&to.node()).map(|e| e.serial));
    json!({
        "change": "enrolment",
        "node": to.name,
        "role": to.role.name(),
        "crossing": to.crossing.map(|c| c.to_string()),
        "replaces_serial": known,
        "serial": to.serial,
    })
}

/// What a cut leaves of a node goes on counting; what it does not name, and what is heard later,
/// does not. What takes a cut back ends that.
fn cut_effect(node: &Node, parts: &[&Cut]) -> Value {
    let Some(CutTarget::Node(id)) = parts.first().map(|cut| cut.target) else {
        return Value::Null;
    };

    let heads: Vec<&Head> = parts.iter().flat_map(|cut| &cut.heads).collect();
    let lifts = parts.iter().any(|cut| cut.lifted);
    let held: u64 = node.heads_of(&id).iter().map(|head| head.size).sum();
    let kept: u64 = match lifts {
        true => held,
        false => heads.iter().map(|head| head.size).sum(),
    };

    node.with_control(|c| {
        let known = c.enrolment(&id);
        let log = |head: &&Head| {
            json!({
                "log": head.log.origin(),
                "lane": head.log.lane.name(),
                "counts_to": head.size,
                "root": head.root.to_string(),
                "forked": c.forks().contains_key(&head.log),
            })
        };

        json!({
            "change": if lifts { "uncut" } else { "cut" },
            "node": known.map(|e| e.name.clone()),
            "is_hub": known.is_some_and(|e| e.role == Role::Hub),
            "cut_before": c.is_cut(&id),
            "successor": parts.first().and_then(|cut| cut.successor).map(|by| {
                c.enrolment(&by).map_or_else(|| by.to_string(), |e| e.name.clone())
            }),
            "entries_that_count_on": kept,
            "entries_set_aside": held.saturating_sub(kept),
            "entries_that_stop_counting": match lifts {
                true => "none: what it said since it was cut begins to count",
                false => "all that is not named here, what the node has not sent yet, and what it \
                    writes later",
            },
            "logs": heads.iter().map(log).collect::<Vec<_>>(),
        })
    })
}

/// Refuses to admit what is in no quarantine here: it would count past a cut that somebody signs
/// later, and whoever cuts would not know.
pub(crate) async fn check_admission(node: &Node, admit: &Admit) -> Result<(), Problem> {
    let bad = |why: String| unprocessable("bad_control", format!("entries: {why}"));
    if admit.entries.is_empty() {
        return Err(bad("there are none".into()));
    }

    let effect = admission_effect(node, admit).await?;
    let absent = effect["not_in_quarantine_here"].as_array();
    match absent.and_then(|all| all.first()) {
        None => Ok(()),
        Some(entry) => {
            let entry = entry.as_str().unwrap_or_default();
            Err(bad(format!("{entry} is in no quarantine here")))
        }
    }
}

/// Which of the entries are in quarantine here, so that they would begin to count, and which are
/// not.
async fn admission_effect(node: &Node, admit: &Admit) -> Result<Value, Problem> {
    let mut asked: BTreeSet<String> = admit.entries.iter().map(ToString::to_string).collect();
    let logs: BTreeSet<String> = admit.entries.iter().map(|e| e.log.origin()).collect();
    let (mut begin, mut records) = (Vec::new(), BTreeSet::new());

    for log in logs {
        let mut after: Option<String> = None;
        loop {
            let (page, more) = node
                .reads()
                .quarantined(Some(&log), after.as_deref())
                .await?;
            after = page.last().map(|found| found.entry.clone());

            for found in page {
                if asked.remove(&found.entry) {
                    records.extend(found.record.clone());
                    begin.push(found);
                }
            }

            if !more || asked.is_empty() {
                break;
            }
        }
    }

    Ok(json!({
        "change": "admission",
        "entries_that_begin_to_count": begin.len(),
        "records_that_change": records,
        "entries": begin,
        "not_in_quarantine_here": asked,
    }))
}

/// A crossing that is closed explains nothing any more: what waited for its word becomes firm.
async fn closure_effect(node: &Node, closure: &Closure) -> Result<Value, Problem> {
    let filter = FindingFilter {
        crossing: Some(closure.crossing.to_string()),
        phase: Some("PENDING".into()),
        ..FindingFilter::default()
    };
    let pending = node.reads().finding_counts(&filter).await?;
    let pending: i64 = pending.iter().map(|c| c.count).sum();

    let (nodes, before) = node.with_control(|c| {
        let there = c
            .enrolments()
            .filter(|e| e.crossing == Some(closure.crossing));
        let nodes: Vec<String> = there.map(|e| e.name.clone()).collect();
        (nodes, c.closed_s(closure.crossing))
    });

    Ok(json!({
        "change": "closure",
        "crossing": closure.crossing.to_string(),
        "closed_s": closure.closed_s,
        "closed_before_s": before,
        "nodes": nodes,
        "pending_findings_there": pending,
        "entries_that_stop_counting": 0,
        "what": "its silence counts as its word from then on: findings that wait for it become \
            firm",
    }))
}

/// A spare is waited for by nobody: what waited for it alone becomes firm, and is looked at again
/// should it be heard.
async fn spare_effect(node: &Node, spare: &SpareEntry) -> Result<Value, Problem> {
    let (name, crossing) = node.with_control(|c| {
        let known = c.enrolment(&spare.node);
        let crossing = known.and_then(|e| e.crossing).map(|c| c.to_string());
        (known.map(|e| e.name.clone()), crossing)
    });
    let filter = FindingFilter {
        crossing: crossing.clone(),
        phase: Some("PENDING".into()),
        ..FindingFilter::default()
    };
    let pending = node.reads().finding_counts(&filter).await?;
    let pending: i64 = pending.iter().map(|c| c.count).sum();
    let is_end = !spare.ends.is_empty();

    Ok(json!({
        "change": if is_end { "end of a spare" } else { "spare" },
        "node": name,
        "crossing": crossing,
        "declared_before": node.with_control(|c| !c.spare_declarations(&spare.node).is_empty()),
        "pending_findings_there": pending,
        "entries_that_stop_counting": 0,
        "what": match is_end {
            true => "it is waited for from then on, as any node of its crossing",
            false => "nobody waits for it until a hub hears it: findings that wait for it alone \
                become firm, and are looked at again should it bring what explains them",
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_that_changes_is_named_and_no_other() {
        let from = Policy::default();
        let mut to = from.clone();
        to.hold_deadline_h = 5;
        to.distances_km.insert("QAM-TRB".into(), 1);

        let changes = policy_changes(&from, &to)["values"].clone();
        assert_eq!(
            changes,
            json!([
                {"key": "distances_km.QAM-TRB", "from": 260, "to": 1},
                {"key": "hold_deadline_h", "from": 72, "to": 5},
            ])
        );
    }
}
