//! The policy: as it holds, as somebody sets values of it, and what of it is not the default.

use crate::{Problem, control::bad_control, filters::unknown_value, foresee::differences};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use wadi_log::{Body, PolicyEntry};
use wadi_node::Node;
use wadi_record::Policy;

/// A policy with what goes without saying in it: an act that it does not name is the table's
/// departments', and a hold without owners is nobody's but the commission's.
pub(crate) fn whole(policy: &Policy) -> Policy {
    let (mut whole, default) = (policy.clone(), Policy::default());
    for (event, departments) in default.acts {
        whole.acts.entry(event).or_insert(departments);
    }
    for hold in default.hold_owners.into_keys() {
        whole.hold_owners.entry(hold).or_default();
    }

    whole
}

/// What of a policy is not the default, each with its default and what stands in its place.
pub(crate) fn not_default(policy: &Policy) -> Vec<Value> {
    let mut changes = Vec::new();
    let values = |policy: &Policy| serde_json::to_value(policy).unwrap_or_default();
    differences(
        "",
        &values(&Policy::default()),
        &values(policy),
        &mut changes,
    );
    changes
}

/// The policy in force with some values of it set.
pub(crate) fn policy_entry(node: &Node, patch: Value) -> Result<Body, Problem> {
    let Value::Object(patch) = patch else {
        let why = "policy: an object of values is needed";
        return Err(bad_control(why.into()));
    };

    let (revision, in_force) = node.policy_in_force();
    let mut text = serde_json::to_value(&in_force).unwrap_or_default();
    let default = serde_json::to_value(Policy::default()).unwrap_or_default();
    check_each_value(&text, &patch, &default)?;
    put_over(&mut text, Value::Object(patch), &default);

    let policy: Policy = serde_json::from_value(text).map_err(|e| bad_control(e.to_string()))?;
    let unknown = policy.unknown_names();
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        return Err(bad_control(format!(
            "policy: no event or field {names}; `wadi schema` lists them"
        )));
    }

    let wrong = [policy.wrong_headings(), policy.wrong_distances()].concat();
    if let Some(why) = wrong.first() {
        return Err(bad_control(format!("policy: {why}")));
    }

    Ok(Body::Policy(PolicyEntry {
        revision: revision.saturating_add(1),
        text: policy.text(),
    }))
}

/// Whether each value of a patch is one of a policy and reads, each by itself: whoever mistypes one
/// of several is told which.
fn check_each_value(
    in_force: &Value,
    patch: &Map<String, Value>,
    default: &Value,
) -> Result<(), Problem> {
    let Some(known) = in_force.as_object() else {
        return Ok(());
    };
    for (name, value) in patch {
        if !known.contains_key(name) {
            let names = known.keys().map(String::as_str);
            return Err(unknown_value("value of a policy", name, names));
        }

        check_given_back(name, value, &in_force[name], &default[name])?;
        let mut one = in_force.clone();
        put_over(&mut one, json!({ name: value }), default);
        if let Err(error) = serde_json::from_value::<Policy>(one) {
            return Err(bad_control(format!("policy: {name}: {error}")));
        }
    }

    Ok(())
}

/// Refuses to give something back that neither stands there nor has a default: it is mistyped, and
/// what is meant would stay as it is.
fn check_given_back(
    name: &str,
    value: &Value,
    in_force: &Value,
    default: &Value,
) -> Result<(), Problem> {
    let members = value.as_object().into_iter().flatten();
    let mut given_back = members.filter(|(_, value)| value.is_null());
    let is_known = |member: &str| in_force.get(member).or(default.get(member)).is_some();
    match given_back.find(|(member, _)| !is_known(member.as_str())) {
        None => Ok(()),
        Some((member, _)) => {
            let all = [in_force, default].into_iter().filter_map(Value::as_object);
            let mut names: Vec<&str> = all.flat_map(Map::keys).map(String::as_str).collect();
            names.sort_unstable();
            names.dedup();
            Err(unknown_value(&format!("member of {name}"), member, names))
        }
    }
}

/// Puts members over others as RFC 7396 has it, but for null, which gives a default back where
/// there is one.
fn put_over(into: &mut Value, patch: Value, default: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }

    let Some(members) = into.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        let default = default.get(&name).unwrap_or(&Value::Null);
        match value {
            Value::Null if default.is_null() => drop(members.remove(&name)),
            Value::Null => drop(members.insert(name, default.clone())),
            value => put_over(members.entry(name).or_insert(Value::Null), value, default),
        }
    }
}

/// Which lists an act would leave empty that are not so yet, and what that comes to. It is no
/// error; and nothing tells of it later but that somebody is refused.
pub(crate) fn emptied(node: &Node, said: &[Body]) -> Vec<String> {
    let Some(Body::Policy(policy)) = said.first() else {
        return Vec::new();
    };

    let (_, in_force) = node.policy_in_force();
    let to = Policy::read(&policy.text).unwrap_or_default();
    newly_empty(&in_force, &to)
}

fn newly_empty(from: &Policy, to: &Policy) -> Vec<String> {
    let before = empty_lists(&whole(from));
    let mut now = empty_lists(&whole(to));
    now.retain(|key, _| !before.contains_key(key));
    now.into_iter()
        .map(|(key, what)| format!("{key}: the list is empty: {what}"))
        .collect()
}

/// The lists of a policy in which nothing stands, with what that comes to.
fn empty_lists(policy: &Policy) -> BTreeMap<String, &'static str> {
    let acts = policy.acts.iter().filter(|(_, list)| list.is_empty());
    let acts = acts.map(|(name, _)| (format!("acts.{name}"), "no department may say it"));
    let fields = policy.fields.iter().filter(|(_, list)| list.is_empty());
    let fields = fields.map(|(name, _)| (format!("fields.{name}"), "no department may set it"));

    let holds = policy
        .hold_owners
        .iter()
        .filter(|(_, list)| list.is_empty());
    let holds = holds.map(|(hold, _)| {
        let key = format!("hold_owners.{}", hold.name());
        (key, "no department but HUB owns such holds")
    });

    let chapters = [
        ("certificate_chapters", &policy.certificate_chapters),
        ("norm_chapters", &policy.norm_chapters),
    ];
    let chapters = chapters.into_iter().filter(|(_, list)| list.is_empty());
    let chapters = chapters.map(|(key, _)| (key.to_string(), "no goods are looked at by it"));
    acts.chain(fields).chain(holds).chain(chapters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_record::{Department, HoldType};
    use wadi_words::Language;

    #[test]
    fn what_a_patch_leaves_out_stays_and_null_gives_the_default_back() {
        let default = json!({"a": 7, "b": {"x": 9}, "c": [8], "d": {}});
        let mut policy = json!({"a": 1, "b": {"x": 1, "y": 2}, "c": [1, 2], "d": {"z": 1}});
        let patch = json!({"b": {"x": null, "y": null, "z": 3}, "c": [3], "d": {"z": null}});
        put_over(&mut policy, patch, &default);
        assert_eq!(
            policy,
            json!({"a": 1, "b": {"x": 9, "z": 3}, "c": [3], "d": {}})
        );

        put_over(
            &mut policy,
            json!({"a": null, "b": null, "c": null}),
            &default,
        );
        assert_eq!(policy, json!({"a": 7, "b": {"x": 9}, "c": [8], "d": {}}));
    }

    #[test]
    fn each_value_of_the_policy_comes_back_whatever_stood_in_its_place() {
        let default = serde_json::to_value(Policy::default()).unwrap();
        for (name, value) in default.as_object().unwrap() {
            for member in value.as_object().into_iter().flat_map(Map::keys) {
                let mut policy = default.clone();
                policy[name].as_object_mut().unwrap().remove(member);
                put_over(&mut policy, json!({name: {member: null}}), &default);
                assert_eq!(policy, default, "{name}.{member}");
            }

            let mut policy = default.clone();
            policy[name] = Value::Null;
            put_over(&mut policy, json!({name: null}), &default);
            assert_eq!(policy, default, "{name}");
        }
    }

    #[test]
    fn what_is_mistyped_is_not_given_back() {
        let default = serde_json::to_value(Policy::default()).unwrap();
        let check = |patch: Value| check_each_value(&default, patch.as_object().unwrap(), &default);
        check(json!({"hold_owners": {"SECURITY": null}, "acts": {"cleared": null}})).unwrap();
        let refused = check(json!({"hold_owners": {"SECURTY": null}})).unwrap_err();
        assert_eq!(refused.code, "unknown_value");
        assert!(refused.detail.contains("SECURITY"), "{}", refused.detail);
        assert!(check(json!({"distances": {"QAM-TRB": null}})).is_err());
    }

    #[test]
    fn what_is_missing_or_empty_is_told() {
        let default = Policy::default();
        let mut policy = default.clone();
        policy.acts.remove("cleared");
        assert_eq!(not_default(&whole(&policy)), Vec::<Value>::new());
        assert_eq!(newly_empty(&default, &policy), [""; 0]);

        policy.hold_owners.remove(&HoldType::Security);
        policy.distances_km.remove("QAM-TRB");
        policy.acts.insert("cleared".into(), vec![]);
        policy.norm_chapters.clear();
        let changed: Vec<Value> = not_default(&whole(&policy))
            .into_iter()
            .map(|change| change["key"].clone())
            .collect();
        let keys = [
            "acts.cleared",
            "distances_km.QAM-TRB",
            "hold_owners.SECURITY",
        ];
        assert_eq!(changed, [&keys[..], &["norm_chapters"]].concat());

        let told = newly_empty(&default, &policy);
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(newly_empty(&policy, &policy), [""; 0], "it is so already");
        policy.fields.insert("passage lane".into(), vec![]);
        let more = newly_empty(&policy_of_port(), &policy);
        for why in told.iter().chain(&more) {
            let arabic = Language::Arabic.warning(why).expect("in the catalogue");
            assert!(!arabic.contains("empty"), "{arabic}");
        }
    }

    fn policy_of_port() -> Policy {
        let mut policy = Policy::default();
        policy
            .fields
            .insert("passage lane".into(), vec![Department::Port]);
        policy
    }
}
