//! What texts are about.

/// What a text is about. Each group is a file of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Group {
    /// States and flags of records, as EXITED or DETAINED.
    State,
    /// Kinds of records, as customs-entry.
    Kind,
    /// Types of events, as gate.out.
    Event,
    /// Fields of records, as container.3.
    Field,
    /// Departments, as CUS.
    Department,
    /// Types of holds, as VETERINARY.
    HoldType,
    /// Rules, as R02.
    Rule,
    /// What went wrong, as unknown_field.
    Problem,
    /// Whether something on its way may yet explain a finding, as FIRM.
    Phase,
    /// What people have made of a finding, as WAIVED.
    FindingState,
    /// What a finding was decided to be, as false_alarm.
    Disposition,
    /// Where an entry is kept, as at_hub.
    Safety,
    /// What asks for somebody's attention at a node, as disk.
    Alarm,
    /// What findings say, as R02-left. Not among [`Group::ALL`]: its messages are sentences with
    /// values ([`crate::Sentence`]).
    Sentence,
    /// The reasons of problems, as no_authority-event. Not among [`Group::ALL`]: its messages are
    /// sentences with values ([`Language::problem_detail`](crate::Language::problem_detail)).
    Detail,
    /// What stands on the console's pages and in the command line's tables. Not among
    /// [`Group::ALL`]: it names nothing.
    Console,
}

impl Group {
    /// All groups that name something.
    pub const ALL: [Group; 13] = [
        Self::State,
        Self::Kind,
        Self::Event,
        Self::Field,
        Self::Department,
        Self::HoldType,
        Self::Rule,
        Self::Problem,
        Self::Phase,
        Self::FindingState,
        Self::Disposition,
        Self::Safety,
        Self::Alarm,
    ];

    /// The group's name, with which the ids of its messages begin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Kind => "kind",
            Self::Event => "event",
            Self::Field => "field",
            Self::Department => "department",
            Self::HoldType => "hold_type",
            Self::Rule => "rule",
            Self::Problem => "problem",
            Self::Phase => "phase",
            Self::FindingState => "finding_state",
            Self::Disposition => "disposition",
            Self::Safety => "safety",
            Self::Alarm => "alarm",
            Self::Sentence => "sentence",
            Self::Detail => "detail",
            Self::Console => "console",
        }
    }

    /// The attribute in which a message of the group says more than a title.
    pub(crate) const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Rule => Some("text"),
            Self::Problem => Some("help"),
            _ => None,
        }
    }

    /// Whether its names are dotted. An id of a message cannot be: it has hyphens in their place.
    const fn is_dotted(self) -> bool {
        matches!(self, Self::Event | Self::Field)
    }

    /// The id of the message about a name, and the number that stands in the name of a field.
    pub(crate) fn message_id(self, name: &str) -> (String, Option<String>) {
        let mut number = None;
        let mut parts = Vec::new();
        for part in name.split('.') {
            let is_number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if self == Self::Field && (is_number || part == "N") {
                number = Some(part.to_string());
                parts.push("N");
            } else {
                parts.push(part);
            }
        }

        // An alarm is named by what it is about, in words.
        if self == Self::Alarm {
            return (format!("{}-{}", self.name(), name.replace(' ', "_")), None);
        }

        let joint = if self.is_dotted() { "-" } else { "." };
        (format!("{}-{}", self.name(), parts.join(joint)), number)
    }

    /// The group and the name that the message of an id is about.
    pub(crate) fn of_message(id: &str) -> Option<(Self, String)> {
        let (group, name) = id.split_once('-')?;
        let group = Self::ALL
            .into_iter()
            .chain([Self::Sentence, Self::Detail, Self::Console])
            .find(|g| g.name() == group)?;
        let name = match group.is_dotted() {
            true => name.replace('-', "."),
            false => name.into(),
        };

        Some((group, name))
    }
}
