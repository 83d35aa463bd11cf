//! Looking up what something is called.

use crate::{Group, Language, catalogue};
use fluent_bundle::{FluentArgs, FluentValue};

/// What fills a place of a sentence: a text or a number.
pub type Filling<'a> = FluentValue<'a>;

impl Language {
    /// What a name is called: in this language, else in English, else as it is written.
    pub fn title(self, group: Group, name: &str) -> String {
        catalogue::title(self, group, name)
            .or_else(|| catalogue::title(Self::English, group, name))
            .unwrap_or_else(|| name.into())
    }

    /// What more is said of a name, in this language, else in English; none where nothing is.
    pub fn more(self, group: Group, name: &str) -> Option<String> {
        catalogue::more(self, group, name).or_else(|| catalogue::more(Self::English, group, name))
    }

    /// Whether this very language has a text for a name.
    pub fn has(self, group: Group, name: &str) -> bool {
        catalogue::title(self, group, name).is_some()
    }

    /// What stands on the console's pages and in the command line's tables, by its name without
    /// `console-`, with what its places ask for: in this language, else in English, else the name.
    pub fn sentence<'a>(
        self,
        name: &str,
        fillings: impl IntoIterator<Item = (&'a str, Filling<'a>)>,
    ) -> String {
        let arguments: FluentArgs<'_> = fillings.into_iter().collect();
        catalogue::sentence(self, name, &arguments)
            .or_else(|| catalogue::sentence(Self::English, name, &arguments))
            .unwrap_or_else(|| name.into())
    }

    /// A state of a record.
    pub fn state(self, name: &str) -> String {
        self.title(Group::State, name)
    }

    /// A flag of a record. Flags and states share one list of names.
    pub fn flag(self, name: &str) -> String {
        self.title(Group::State, name)
    }

    /// A kind of record.
    pub fn kind(self, name: &str) -> String {
        self.title(Group::Kind, name)
    }

    /// A type of event.
    pub fn event(self, name: &str) -> String {
        self.title(Group::Event, name)
    }

    /// A field of a record; the number in its name stands in the text.
    pub fn field(self, name: &str) -> String {
        self.title(Group::Field, name)
    }

    /// A department, by its code.
    pub fn department(self, code: &str) -> String {
        self.title(Group::Department, code)
    }

    /// A type of hold.
    pub fn hold_type(self, name: &str) -> String {
        self.title(Group::HoldType, name)
    }

    /// What a rule is called, by its code.
    pub fn rule_title(self, code: &str) -> String {
        self.title(Group::Rule, code)
    }

    /// What a rule finds, in a sentence; the code where the catalogue does not know the rule.
    pub fn rule_text(self, code: &str) -> String {
        self.more(Group::Rule, code).unwrap_or_else(|| code.into())
    }

    /// What a problem is called, by its stable code.
    pub fn problem_title(self, code: &str) -> String {
        self.title(Group::Problem, code)
    }

    /// What to do about a problem, where there is something to do.
    pub fn problem_help(self, code: &str) -> Option<String> {
        self.more(Group::Problem, code)
    }

    /// A finding's phase.
    pub fn phase(self, name: &str) -> String {
        self.title(Group::Phase, name)
    }

    /// What people have made of a finding.
    pub fn finding_state(self, name: &str) -> String {
        self.title(Group::FindingState, name)
    }

    /// What a finding was decided to be.
    pub fn disposition(self, name: &str) -> String {
        self.title(Group::Disposition, name)
    }

    /// Where an entry is kept.
    pub fn safety(self, name: &str) -> String {
        self.title(Group::Safety, name)
    }

    /// What asks for somebody's attention.
    pub fn alarm(self, name: &str) -> String {
        self.title(Group::Alarm, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English};

    #[test]
    fn a_name_reads_in_the_language_that_was_asked_for() {
        assert_eq!(English.state("EXITED"), "exited");
        assert_eq!(Arabic.department("CUS"), "الجمارك");
        assert_eq!(English.event("gate.out"), "left through a gate");
        assert!(Arabic.rule_text("R02").contains("حجز"));
        assert!(Arabic.problem_help("unknown_field").is_some());
    }

    #[test]
    fn the_number_of_a_field_stands_in_its_text_and_turns_nothing_beside_it() {
        assert_eq!(English.field("container.3"), "container 3");
        assert_eq!(Arabic.field("container.3"), "الحاوية \u{2068}3\u{2069}");
        assert_eq!(English.field("goods.12.net_g"), "net mass of item 12");
        assert_eq!(English.field("container.N"), "container N");
    }

    #[test]
    fn what_no_catalogue_knows_reads_as_it_is_written() {
        let names = [
            "",
            ".",
            "-",
            "NEW STATE",
            "container.3.4.5",
            "٣",
            "a\u{0}b",
            "{ $n }",
            "R-02",
        ];
        for group in Group::ALL {
            for name in names {
                assert_eq!(Arabic.title(group, name), name, "{group:?}");
                assert_eq!(Arabic.more(group, name), None);
            }
        }

        assert_eq!(Arabic.rule_text("R999"), "R999");
        assert_eq!(Arabic.problem_help("of_tomorrow"), None);
    }
}
