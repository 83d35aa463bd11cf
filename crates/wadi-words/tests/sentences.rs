//! Every sentence that a finding may say has a text in both languages, which asks for exactly the
//! values that the rule gives.

use fluent_syntax::{
    ast::{
        CallArguments, Entry, Expression, InlineExpression, Message, Pattern, PatternElement,
        Resource,
    },
    parser,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use wadi_reconcile::{SentenceShape, every_sentence};
use wadi_words::{Language, Sentence, SentencePart, SentenceValue};

/// Said by whoever takes something out of a finding, and by no rule.
const WITHHELD: SentenceShape = SentenceShape {
    id: "withheld",
    values: &[],
};
/// Counts with which a text is tried: one of each plural form of Arabic, and the ends.
const COUNTS: [i64; 8] = [0, 1, 2, 3, 11, 100, -1, i64::MAX];

fn shapes() -> impl Iterator<Item = &'static SentenceShape> {
    every_sentence().chain([&WITHHELD])
}

fn is_arabic(c: char) -> bool {
    matches!(c, '\u{0620}'..='\u{064A}')
}

fn resource(language: Language) -> Resource<String> {
    let file = format!("catalogue/{}/sentences.ftl", language.tag());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).expect("the catalogue");
    parser::parse(text).expect("it reads")
}

fn messages(resource: &Resource<String>) -> BTreeMap<String, &Message<String>> {
    let all = resource.body.iter().filter_map(|entry| match entry {
        Entry::Message(message) => Some(message),
        _ => None,
    });
    all.map(|m| (m.id.name.trim_start_matches("sentence-").to_string(), m))
        .collect()
}

/// Which values a text asks for, and between which words it chooses by each.
#[derive(Default, PartialEq, Debug)]
struct Asked {
    values: BTreeSet<String>,
    words: BTreeMap<String, BTreeSet<String>>,
}

impl Asked {
    fn of(message: &Message<String>) -> Self {
        let mut asked = Self::default();
        asked.read(message.value.as_ref().expect("a text"));
        asked
    }

    fn read(&mut self, pattern: &Pattern<String>) {
        for element in &pattern.elements {
            let PatternElement::Placeable { expression } = element else {
                continue;
            };
            match expression {
                Expression::Inline(inline) => self.read_inline(inline),
                Expression::Select { selector, variants } => {
                    self.read_inline(selector);
                    let InlineExpression::VariableReference { id } = selector else {
                        panic!("a text chooses by a value: {selector:?}");
                    };
                    for variant in variants {
                        self.read(&variant.value);
                        let key = match &variant.key {
                            fluent_syntax::ast::VariantKey::Identifier { name } => name.clone(),
                            fluent_syntax::ast::VariantKey::NumberLiteral { value } => {
                                value.clone()
                            }
                        };
                        let words = self.words.entry(id.name.clone()).or_default();
                        words.insert(key);
                    }
                }
            }
        }
    }

    fn read_inline(&mut self, inline: &InlineExpression<String>) {
        match inline {
            InlineExpression::VariableReference { id } => {
                self.values.insert(id.name.clone());
            }
            InlineExpression::StringLiteral { .. } => {}
            InlineExpression::FunctionReference {
                arguments: CallArguments { .. },
                ..
            } => panic!("no sentence calls a function"),
            other => panic!("{other:?} stands in a sentence"),
        }
    }
}

#[test]
fn every_sentence_is_listed_once_and_nothing_is_said_that_no_rule_says() {
    let mut listed = BTreeSet::new();
    for shape in shapes() {
        assert!(listed.insert(shape.id.to_string()), "{} twice", shape.id);
    }

    for language in Language::ALL {
        let resource = resource(language);
        let said: BTreeSet<String> = messages(&resource).into_keys().collect();
        let missing: Vec<_> = listed.difference(&said).collect();
        let stale: Vec<_> = said.difference(&listed).collect();
        assert!(
            missing.is_empty() && stale.is_empty(),
            "crates/wadi-words/catalogue/{}/sentences.ftl lacks {missing:?}, and has {stale:?}",
            language.tag()
        );
    }
}

#[test]
fn every_text_asks_for_exactly_the_values_that_the_rule_gives() {
    for language in Language::ALL {
        let resource = resource(language);
        let messages = messages(&resource);
        for shape in shapes() {
            let asked = Asked::of(messages[shape.id]);
            let given = |is_left_out: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
                let values = shape.values.iter().filter(|(_, kind)| !is_left_out(kind));
                values.map(|(name, _)| name.to_string()).collect()
            };

            // English detail may be left out in another language; nothing else may.
            let may_leave_out = language != Language::English;
            let all = given(&|kind| may_leave_out && kind == "detail");
            let most = given(&|_| false);
            assert!(
                all.is_subset(&asked.values) && asked.values.is_subset(&most),
                "{} in {language:?} asks for {:?}, and is given {most:?}",
                shape.id,
                asked.values
            );
        }
    }
}

#[test]
fn both_languages_choose_between_the_same_words() {
    let (english, arabic) = (resource(Language::English), resource(Language::Arabic));
    let (english, arabic) = (messages(&english), messages(&arabic));
    for shape in shapes() {
        let (english, arabic) = (Asked::of(english[shape.id]), Asked::of(arabic[shape.id]));
        for (name, kind) in shape.values {
            let words = |asked: &Asked| asked.words.get(*name).cloned();
            match *kind {
                "code" => {
                    // Where one language says the word itself, the other one names it.
                    let both = [words(&english), words(&arabic)];
                    let said: Vec<_> = both.into_iter().flatten().collect();
                    let is_one = said.windows(2).all(|pair| pair[0] == pair[1]);
                    assert!(is_one && !said.is_empty(), "{} by {name}", shape.id);
                }
                "number" => {
                    let plural = words(&arabic).unwrap_or_default();
                    let is_whole = plural.is_empty()
                        || ["one", "two", "few", "other"]
                            .iter()
                            .all(|w| plural.contains(*w));
                    assert!(is_whole, "{} counts {name} by {plural:?}", shape.id);
                }
                _ => {
                    let none = words(&english).or(words(&arabic));
                    assert_eq!(none, None, "{} chooses by {name}", shape.id);
                }
            }
        }
    }
}

/// A value of a kind, told apart from others by its number.
fn value(kind: &str, n: usize, count: i64) -> SentenceValue {
    let text = || format!("X-{n}");
    let two = || vec![format!("X-{n}a"), format!("X-{n}b")];
    let clause = || Sentence::new("no-reason", []);
    match kind {
        "record" => SentenceValue::Record(text()),
        "records" => SentenceValue::Records(two()),
        "officer" => SentenceValue::Officer(text()),
        "crossing" => SentenceValue::Crossing("QAM".into()),
        "node" => SentenceValue::Node(text()),
        "name" => SentenceValue::Name(text()),
        "names" => SentenceValue::Names(two()),
        "text" => SentenceValue::Text(text()),
        "detail" => SentenceValue::Detail(text()),
        "number" => SentenceValue::Number(count),
        "decimal" => SentenceValue::Decimal(7.5),
        "event" => SentenceValue::Event("gate.out".into()),
        "field" => SentenceValue::Field("container.3".into()),
        "fields" => SentenceValue::Fields(vec!["goods.1.net_g".into()]),
        "kind" => SentenceValue::Kind("passage".into()),
        "rule" => SentenceValue::Rule("R02".into()),
        "code" => SentenceValue::Code("of_tomorrow".into()),
        "refusal" => SentenceValue::Refusal {
            code: "no_authority".into(),
            why: text(),
        },
        "clause" => SentenceValue::Clause(Box::new(clause())),
        "clauses" => SentenceValue::Clauses(vec![clause(), clause()]),
        "all_of" => SentenceValue::AllOf(vec![clause(), clause()]),
        other => panic!("{other} is no kind of a value"),
    }
}

#[test]
fn every_sentence_is_told_in_its_language_whatever_the_counts() {
    for shape in shapes() {
        for count in COUNTS {
            let values = shape.values.iter().enumerate();
            let values = values.map(|(n, (name, kind))| (*name, value(kind, n, count)));
            let sentence = Sentence::new(shape.id, values);
            let told = |language: Language| {
                let parts = language.finding_parts(&sentence);
                let parts = parts.unwrap_or_else(|| panic!("{} in {language:?}", shape.id));
                let words = parts.into_iter().filter_map(|part| match part {
                    SentencePart::Words(words) => Some(words),
                    _ => None,
                });
                words.collect::<String>()
            };

            let (english, arabic) = (told(Language::English), told(Language::Arabic));
            assert!(!english.chars().any(is_arabic), "{}: {english}", shape.id);
            assert!(arabic.chars().any(is_arabic), "{}: {arabic}", shape.id);
            // Standards are named as they are; nothing else of Latin letters is left in it.
            let latin = arabic.replace("ISO", "").replace("ICAO", "");
            let latin = latin.replace("EN 13044", "");
            let latin = latin.chars().any(|c| c.is_ascii_alphabetic());
            assert!(!latin, "{}: {arabic}", shape.id);
        }
    }
}

/// Members of JSON in the rules that is no evidence: projections and what tells causes apart.
const NO_EVIDENCE: [&str; 3] = ["actor", "contested", "kind"];
/// Members that come into evidence as they stand in a record's projection.
const FROM_PROJECTION: [&str; 6] = ["value", "officer", "department", "at_ms", "entry", "node"];

fn sources(dir: &Path, out: &mut Vec<String>) {
    // A module tells in its own file which of those in its folder only tests have.
    let module = std::fs::read_to_string(dir.with_extension("rs")).unwrap_or_default();
    let (_, of_tests) = module.split_once("#[cfg(test)]").unwrap_or_default();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        if path.is_dir() {
            sources(&path, out);
        } else if !of_tests.contains(&format!("mod {name};")) {
            out.push(code_of(&path));
        }
    }
}

/// A source without its tests.
fn code_of(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source");
    let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
    code.into()
}

/// Names of members in a source's JSON objects, wherever in them: what stands in quotes before a
/// colon.
fn members(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some((_, object)) = rest.split_once("json!({") {
        let end = object.find("})").unwrap_or(object.len());
        let (inside, after) = object.split_at(end);
        let quoted: Vec<&str> = inside.split('"').collect();
        let names = quoted
            .windows(2)
            .enumerate()
            .filter(|(n, pair)| n % 2 == 1 && pair[1].starts_with(':'));
        found.extend(names.map(|(_, pair)| pair[0]));
        rest = after;
    }

    found
}

/// An auditor reads what each fact is called.
#[test]
fn every_member_of_a_rules_evidence_has_a_name_in_both_languages() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wadi-reconcile/src");
    let mut texts = Vec::new();
    sources(&src.join("rules"), &mut texts);
    for file in ["causes.rs", "contained.rs"] {
        let text = std::fs::read_to_string(src.join(file)).expect("a source");
        texts.push(text);
    }

    let mut names: BTreeSet<&str> = texts.iter().flat_map(|text| members(text)).collect();
    assert!(names.len() > 60, "only {names:?} were found");
    names.extend(["count", "events", "changes_in_all", "cites", "peers"]);
    names.extend(FROM_PROJECTION);
    for language in Language::ALL {
        let is_named = |name: &str| {
            ["findings-fact", "records-member"]
                .iter()
                .any(|group| language.has(wadi_words::Group::Console, &format!("{group}-{name}")))
        };
        let unnamed: Vec<&&str> = names
            .iter()
            .filter(|name| !NO_EVIDENCE.contains(name) && !is_named(name))
            .collect();
        assert!(
            unnamed.is_empty(),
            "crates/wadi-words/catalogue/{}/console_findings.ftl has no \
             console-findings-fact-… for {unnamed:?}",
            language.tag()
        );
    }
}
