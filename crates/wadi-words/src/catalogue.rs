//! The texts, as they are read out of the files of the catalogue.

use crate::{DetailPiece, Group, Language};
use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use std::{collections::BTreeMap, sync::LazyLock};
use unic_langid::LanguageIdentifier;

/// A language's files, with their texts.
macro_rules! files {
    ($language:literal) => {
        &[
            files!($language, "alarms"),
            files!($language, "command_line"),
            files!($language, "console_accounts"),
            files!($language, "console_control"),
            files!($language, "console_findings"),
            files!($language, "console_frame"),
            files!($language, "console_records"),
            files!($language, "console_site"),
            files!($language, "console_sites"),
            files!($language, "departments"),
            files!($language, "details"),
            files!($language, "events"),
            files!($language, "fields"),
            files!($language, "findings"),
            files!($language, "nodes"),
            files!($language, "problems_command_line"),
            files!($language, "problems_exchange"),
            files!($language, "problems_requests"),
            files!($language, "problems_stores"),
            files!($language, "problems_writes"),
            files!($language, "rules_goods"),
            files!($language, "rules_vehicles"),
            files!($language, "sentences"),
            files!($language, "states"),
        ]
    };
    ($language:literal, $file:literal) => {
        (
            $file,
            include_str!(concat!("../catalogue/", $language, "/", $file, ".ftl")),
        )
    };
}

pub(crate) type Files = &'static [(&'static str, &'static str)];

/// The files of a language: what each is called, and what is in it.
pub(crate) const fn files_of(language: Language) -> Files {
    match language {
        Language::English => files!("en"),
        Language::Arabic => files!("ar"),
    }
}

/// What is said of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// What it is called.
    pub title: String,
    /// More of it: what a rule finds, what to do about a problem. None for other groups.
    pub text: Option<String>,
}

/// The texts of a language.
struct Catalogue {
    bundle: FluentBundle<FluentResource>,
    ids: Vec<String>,
}

impl Catalogue {
    /// The catalogue of a language. A test holds that every file reads and that no id stands there
    /// twice; where one did not, what reads is there all the same.
    fn read(language: Language) -> Self {
        let locale: LanguageIdentifier = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![locale]);
        // A plate or a code inside a line of Arabic would turn what stands beside it.
        bundle.set_use_isolating(language == Language::Arabic);

        let mut ids = Vec::new();
        for (_, text) in files_of(language) {
            let resource = FluentResource::try_new((*text).into())
                .unwrap_or_else(|(what_reads, _)| what_reads);
            ids.extend(resource.entries().filter_map(|entry| match entry {
                Entry::Message(message) => Some(message.id.name.to_string()),
                _ => None,
            }));
            let _ = bundle.add_resource(resource);
        }

        Self { bundle, ids }
    }

    fn of(language: Language) -> &'static Self {
        static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::English));
        static ARABIC: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::Arabic));
        match language {
            Language::English => &ENGLISH,
            Language::Arabic => &ARABIC,
        }
    }

    /// A message, or an attribute of it, with a number in it where it has a place for one.
    fn text(&self, id: &str, attribute: Option<&str>, number: Option<&str>) -> Option<String> {
        let message = self.bundle.get_message(id)?;
        let pattern = match attribute {
            Some(attribute) => message.get_attribute(attribute)?.value(),
            None => message.value()?,
        };

        let mut arguments = FluentArgs::new();
        arguments.set("n", number.unwrap_or("N").to_string());
        self.filled(pattern, &arguments)
    }

    /// A pattern with what its places ask for; none where one of them stays empty.
    fn filled(&self, pattern: &Pattern<&str>, arguments: &FluentArgs<'_>) -> Option<String> {
        let mut errors = Vec::new();
        let text = self
            .bundle
            .format_pattern(pattern, Some(arguments), &mut errors);
        errors.is_empty().then(|| text.into_owned())
    }
}

/// The title of a name in one language alone.
pub(crate) fn title(language: Language, group: Group, name: &str) -> Option<String> {
    let (id, number) = group.message_id(name);
    Catalogue::of(language).text(&id, None, number.as_deref())
}

/// What more is said of a name in one language alone.
pub(crate) fn more(language: Language, group: Group, name: &str) -> Option<String> {
    let (id, number) = group.message_id(name);
    Catalogue::of(language).text(&id, Some(group.attribute()?), number.as_deref())
}

/// A sentence of the console in one language alone, with what its places ask for.
pub(crate) fn sentence(
    language: Language,
    name: &str,
    arguments: &FluentArgs<'_>,
) -> Option<String> {
    message(language, Group::Console, name, arguments)
}

/// What a finding says in one language alone, with what its places ask for.
pub(crate) fn finding_sentence(
    language: Language,
    id: &str,
    arguments: &FluentArgs<'_>,
) -> Option<String> {
    message(language, Group::Sentence, id, arguments)
}

fn message(
    language: Language,
    group: Group,
    name: &str,
    arguments: &FluentArgs<'_>,
) -> Option<String> {
    let catalogue = Catalogue::of(language);
    let (id, _) = group.message_id(name);
    let pattern = catalogue.bundle.get_message(&id)?.value()?;
    catalogue.filled(pattern, arguments)
}

/// A message by its whole id, in one language alone, with what its places ask for.
pub(crate) fn whole(language: Language, id: &str, arguments: &FluentArgs<'_>) -> Option<String> {
    let catalogue = Catalogue::of(language);
    let pattern = catalogue.bundle.get_message(id)?.value()?;
    catalogue.filled(pattern, arguments)
}

/// The messages whose ids begin so, in pieces; those with anything else in them than words and
/// places are left out.
pub(crate) fn pieces(language: Language, begins: &str) -> Vec<(String, Vec<DetailPiece>)> {
    let catalogue = Catalogue::of(language);
    let named = catalogue.ids.iter().filter(|id| id.starts_with(begins));
    named
        .filter_map(|id| {
            let pattern = catalogue.bundle.get_message(id)?.value()?;
            let pieces = pattern.elements.iter().map(|element| match element {
                PatternElement::TextElement { value } => {
                    Some(DetailPiece::Words(value.to_string()))
                }
                PatternElement::Placeable {
                    expression: Expression::Inline(InlineExpression::VariableReference { id }),
                } => Some(DetailPiece::Place(id.name.to_string())),
                PatternElement::Placeable { .. } => None,
            });
            Some((id.clone(), pieces.collect::<Option<Vec<_>>>()?))
        })
        .collect()
}

/// Every text of a language that names something, by group and name. The number in a field's name
/// is `N`.
pub fn every_text(language: Language) -> BTreeMap<Group, BTreeMap<String, Text>> {
    let mut all: BTreeMap<Group, BTreeMap<String, Text>> = BTreeMap::new();
    for (group, name) in Catalogue::of(language)
        .ids
        .iter()
        .filter_map(|id| Group::of_message(id))
        .filter(|(group, _)| Group::ALL.contains(group))
    {
        let Some(title) = title(language, group, &name) else {
            continue;
        };
        let text = more(language, group, &name);
        all.entry(group)
            .or_default()
            .insert(name, Text { title, text });
    }

    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_reads_and_says_everything_once() {
        for language in Language::ALL {
            let mut all = BTreeSet::new();
            for (file, text) in files_of(language) {
                let resource = FluentResource::try_new((*text).into());
                let resource = resource.unwrap_or_else(|(_, errors)| {
                    panic!("{}/{file}.ftl does not read: {errors:?}", language.tag())
                });

                for entry in resource.entries() {
                    let Entry::Message(message) = entry else {
                        continue;
                    };
                    let id = message.id.name;
                    assert!(all.insert(id.to_string()), "{file}.ftl says {id} again");
                    let (group, name) = Group::of_message(id)
                        .unwrap_or_else(|| panic!("{file}.ftl: {id} is of no group"));
                    assert_eq!(group.message_id(&name).0, id, "{file}.ftl");
                    // What the places of a sentence ask for is known to whoever says it.
                    if !Group::ALL.contains(&group) {
                        continue;
                    }
                    assert!(
                        title(language, group, &name).is_some_and(|t| !t.trim().is_empty()),
                        "{file}.ftl: {id} says nothing"
                    );
                }
            }
        }
    }

    #[test]
    fn both_languages_say_the_same_things_in_the_same_files() {
        let said = |language| -> Vec<(&str, BTreeSet<String>)> {
            files_of(language)
                .iter()
                .map(|(file, text)| {
                    let resource = FluentResource::try_new((*text).into()).unwrap();
                    let mut ids = BTreeSet::new();
                    for entry in resource.entries() {
                        let Entry::Message(message) = entry else {
                            continue;
                        };
                        ids.insert(message.id.name.to_string());
                        for attribute in &message.attributes {
                            ids.insert(format!("{}.{}", message.id.name, attribute.id.name));
                        }
                    }
                    (*file, ids)
                })
                .collect()
        };

        for ((file, english), (_, arabic)) in
            said(Language::English).iter().zip(said(Language::Arabic))
        {
            let only_english: Vec<_> = english.difference(&arabic).collect();
            let only_arabic: Vec<_> = arabic.difference(english).collect();
            assert!(
                only_english.is_empty(),
                "ar/{file}.ftl lacks {only_english:?}"
            );
            assert!(
                only_arabic.is_empty(),
                "en/{file}.ftl lacks {only_arabic:?}"
            );
        }
    }
}
