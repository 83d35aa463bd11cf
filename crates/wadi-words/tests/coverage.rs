//! Everything that the tables name has a text in both languages.

use wadi_reconcile::{Disposition, Phase, RULE_FAILED, RULES};
use wadi_record::{Department, EVENTS, FIELDS, FieldType, HoldType, Kind, STATE_NAMES, ValueType};
use wadi_words::{Group, Language, every_text};

/// Whether a character is not seen and moves what stands beside it.
fn turns_the_line(c: char) -> bool {
    let is_mark = matches!(c, '\u{200B}'..='\u{200F}' | '\u{FEFF}');
    c.is_control() || is_mark || matches!(c, '\u{202A}'..='\u{202E}')
}

fn is_arabic(c: char) -> bool {
    matches!(c, '\u{0620}'..='\u{064A}')
}

/// Fails for names that a language has no text for, all of them at once.
fn assert_known<'a>(group: Group, names: impl IntoIterator<Item = &'a str>) {
    let names: Vec<&str> = names.into_iter().collect();
    assert!(!names.is_empty());

    for language in Language::ALL {
        let missing: Vec<_> = names.iter().filter(|n| !language.has(group, n)).collect();
        assert!(
            missing.is_empty(),
            "crates/wadi-words/catalogue/{} has no {} for {missing:?}",
            language.tag(),
            group.name()
        );
    }
}

#[test]
fn every_state_and_flag_has_a_text() {
    assert_known(
        Group::State,
        STATE_NAMES.iter().copied().chain(["DETAINED"]),
    );
}

#[test]
fn every_kind_department_and_type_of_hold_has_a_text() {
    assert_known(Group::Kind, Kind::ALL.map(Kind::name));
    assert_known(Group::Department, Department::ALL.map(Department::code));
    assert_known(Group::HoldType, HoldType::ALL.map(HoldType::name));
}

#[test]
fn every_event_and_field_has_a_text() {
    assert_known(Group::Event, EVENTS.iter().map(|e| e.name));
    assert_known(Group::Field, FIELDS.iter().map(|f| f.name));
}

/// Forms are made of the tables: what they ask for has a name.
#[test]
fn every_member_of_an_event_and_every_choice_has_a_text() {
    let members = EVENTS.iter().flat_map(|e| e.members);
    let choices_of_events = members.clone().filter_map(|m| match m.value {
        ValueType::OneOf(list) => Some(list),
        _ => None,
    });
    let choices_of_fields = FIELDS.iter().filter_map(|f| match f.value {
        FieldType::OneOf(list) if f.name != "type" => Some(list),
        _ => None,
    });
    let choices = choices_of_events.chain(choices_of_fields).flatten();

    let members: Vec<String> = members.map(|m| format!("member-{}", m.name)).collect();
    let choices: Vec<String> = choices.map(|c| format!("value-{c}")).collect();
    assert_known(
        Group::Console,
        members.iter().chain(&choices).map(String::as_str),
    );
}

#[test]
fn every_rule_has_a_title_and_says_what_it_finds() {
    let rules = || RULES.iter().chain([&RULE_FAILED]);
    assert_known(Group::Rule, rules().map(|r| r.code));

    for language in Language::ALL {
        for rule in rules() {
            let text = language.rule_text(rule.code);
            assert!(text.ends_with('.'), "{} in {language:?}: {text}", rule.code);
        }
    }
}

#[test]
fn every_phase_life_and_place_has_a_text() {
    assert_known(Group::Phase, [Phase::Pending, Phase::Firm].map(Phase::name));
    assert_known(
        Group::FindingState,
        [
            "OPEN",
            "ASSIGNED",
            "PENDING_RESOLUTION",
            "RESOLVED",
            "WAIVED",
        ],
    );
    assert_known(Group::Disposition, Disposition::ALL.map(Disposition::name));
    assert_known(Group::Safety, ["local_only", "carried", "at_hub"]);
}

/// The tables name nothing that is gone: who removes a rule or a field removes its words.
#[test]
fn nothing_is_said_of_what_no_table_names() {
    let all = every_text(Language::English);
    let stale = |group: Group, known: &dyn Fn(&str) -> bool| {
        let stale: Vec<_> = all[&group].keys().filter(|name| !known(name)).collect();
        assert!(
            stale.is_empty(),
            "{stale:?} of {} are in no table",
            group.name()
        );
    };

    stale(Group::State, &|name| {
        STATE_NAMES.contains(&name) || name == "DETAINED"
    });
    stale(Group::Event, &|name| EVENTS.iter().any(|e| e.name == name));
    stale(Group::Field, &|name| FIELDS.iter().any(|f| f.name == name));
    stale(Group::Rule, &|name| {
        name == RULE_FAILED.code || RULES.iter().any(|r| r.code == name)
    });
}

#[test]
fn no_text_of_one_language_is_left_in_the_other() {
    let arabic = every_text(Language::Arabic);
    let english = every_text(Language::English);
    assert_eq!(arabic.len(), Group::ALL.len());

    for (group, name, text) in arabic
        .iter()
        .flat_map(|(group, all)| all.iter().map(move |(name, text)| (group, name, text)))
    {
        for said in [Some(&text.title), text.text.as_ref()]
            .into_iter()
            .flatten()
        {
            assert!(said.chars().any(is_arabic), "{group:?} {name}: {said}");
        }

        let other = &english[group][name];
        for said in [Some(&other.title), other.text.as_ref()]
            .into_iter()
            .flatten()
        {
            assert!(!said.chars().any(is_arabic), "{group:?} {name}: {said}");
        }
        assert_eq!(
            text.text.is_some(),
            other.text.is_some(),
            "{group:?} {name}"
        );
    }
}

/// A character that turns the line stands in no text of ours: where a number is put into one, it is
/// isolated, and nothing else is hidden.
#[test]
fn nothing_in_a_text_is_hidden() {
    for language in Language::ALL {
        for (group, texts) in every_text(language) {
            for (name, text) in texts {
                let all = format!("{}{}", text.title, text.text.unwrap_or_default());
                let hidden = all.chars().find(|c| turns_the_line(*c));
                assert_eq!(hidden, None, "{group:?} {name}: {all:?}");
            }
        }
    }
}
