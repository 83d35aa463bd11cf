//! What pages say of findings: what a pending one waits for, and what people did.

use super::answers::{SeenAct, SeenFinding, SeenSnooze, SeenWait};
pub(super) use crate::frame::crossing_name;
use crate::moment::Moment;
use wadi_words::{Filling, Language};

/// Crossings that one sentence names.
const NAMED_MAX: usize = 3;

/// A list of names in a sentence.
fn joined(language: Language, names: &[String]) -> String {
    let separator = match language {
        Language::Arabic => "، ",
        Language::English => ", ",
    };
    names.join(separator)
}

/// What a pending finding waits for, in words: which crossing, through when. Where several are
/// missing, the first few and how many more.
pub(super) fn waits(language: Language, wait: &SeenWait) -> String {
    let named = match wait.missing.is_empty() {
        true => &wait.crossings,
        false => &wait.missing,
    };
    let time = Moment::of_ms(wait.through_ms).here;
    if named.iter().all(|code| code == "HUB") {
        return language.sentence("findings-waits-time", [("time", Filling::from(time))]);
    }

    let shown: Vec<String> = named
        .iter()
        .take(NAMED_MAX)
        .map(|code| crossing_name(language, code))
        .collect();
    let more = named.len().saturating_sub(NAMED_MAX);
    let name = match more {
        0 => "findings-waits",
        _ => "findings-waits-more",
    };
    language.sentence(
        name,
        [
            ("what", Filling::from(joined(language, &shown))),
            ("time", Filling::from(time)),
            ("n", Filling::from(more)),
        ],
    )
}

/// What a finding waits for, where it is pending.
pub(super) fn waits_of(language: Language, found: &SeenFinding) -> Option<String> {
    let wait = found
        .waits_for
        .as_ref()
        .filter(|_| found.phase == "PENDING");
    wait.map(|wait| waits(language, wait))
}

/// Until when a finding is put aside.
pub(super) fn snoozed_until(language: Language, put_aside: &SeenSnooze) -> String {
    let wait = SeenWait {
        crossings: put_aside.crossings.clone(),
        through_ms: put_aside.through_ms,
        missing: Vec::new(),
    };
    waits(language, &wait)
}

/// A length of time, as people say it.
pub(super) fn lasting(language: Language, ms: i64) -> String {
    let minutes = ms / 60_000;
    let (name, n) = match minutes {
        i64::MIN..120 => ("findings-minutes", minutes.max(0)),
        120..2_880 => ("findings-hours", minutes / 60),
        2_880.. => ("findings-days", minutes / 1_440),
    };
    language.sentence(name, [("n", Filling::from(n))])
}

/// What an act was, in words.
pub(super) fn act_title(language: Language, act: &SeenAct) -> String {
    let said = |name: &str, what: String| language.sentence(name, [("what", Filling::from(what))]);
    match act.act.as_str() {
        "assigned" => said(
            "findings-did-assigned",
            act.assignee.clone().unwrap_or_default(),
        ),
        "proposed" => match act.resolution.as_deref() {
            Some("WAIVED") => language.sentence("findings-did-proposed-waived", []),
            _ => language.sentence("findings-did-proposed-resolved", []),
        },
        "decided" => match (act.decision.as_deref(), act.disposition.as_deref()) {
            (Some("REJECTED"), _) => language.sentence("findings-did-rejected", []),
            (_, Some(was)) => said("findings-did-approved-as", language.disposition(was)),
            (_, None) => language.sentence("findings-did-approved", []),
        },
        "undone" => language.sentence("findings-did-undone", []),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_said_with_its_crossing_and_its_time() {
        let wait = |missing: &[&str]| SeenWait {
            crossings: vec!["TRB".into()],
            through_ms: 1_772_341_200_000,
            missing: missing.iter().map(|m| m.to_string()).collect(),
        };
        let english = waits(Language::English, &wait(&["TRB"]));
        assert!(
            english.contains("Traibeel") && english.contains("through"),
            "{english}"
        );
        let arabic = waits(Language::Arabic, &wait(&["TRB"]));
        assert!(arabic.contains("طريبيل"), "{arabic}");
        let many = waits(
            Language::English,
            &wait(&["TRB", "QAM", "WLD", "RAB", "XXX"]),
        );
        assert!(many.contains('2') && many.contains("Al-Qaem"), "{many}");
        let time = waits(Language::English, &wait(&["HUB"]));
        assert!(!time.contains("HUB"), "{time}");
    }
}
