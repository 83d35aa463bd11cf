//! What officers and devices ask to be written.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use wadi_log::{Crossing, Hash, RecordId, Reference};
use wadi_record::{
    Draft, Kind, RecordError, SYSTEM_OFFICER, Value, impossible_time, is_blank, is_noncharacter,
    normalise_reference, takes_no_room, unlikely_time,
};
use wadi_store::LocalScope;

/// Stands before the number of a run that an operator began: no device names its own so.
pub(crate) const BY_OPERATOR: char = '#';

/// Parts the parts of a local key: no name holds it, since none holds a control character.
const PART: char = '\u{1f}';

/// A run of a device's counter, as local keys name it.
pub(crate) fn key_of_run(device: &str, run: &str) -> String {
    match run.strip_prefix(BY_OPERATOR) {
        _ if run.is_empty() => device.into(),
        Some(number) => format!("{device}{PART}{PART}{number}"),
        None => format!("{device}{PART}{run}"),
    }
}

/// Bytes of a run's name in an entry at most.
const RUN_BYTES_MAX: usize = 64;

/// A run as its entries name it: one with a longer name than they hold, by a hash of it.
pub(crate) fn run_in_entry(run: String) -> String {
    if run.len() <= RUN_BYTES_MAX {
        return run;
    }

    let hash = Sha256::digest(run.as_bytes());
    hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A number within a run, as local keys name it.
pub(crate) fn key_of_number(run: &str, number: u64) -> String {
    format!("{run}{PART}{number}")
}

/// The device whose run a local key names.
pub(crate) fn device_of_run(key: &str) -> &str {
    key.split(PART).next().unwrap_or_default()
}

/// The record that a write is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// A new one, of that crossing; `None` for the node's own.
    New(Option<Crossing>),
    /// One that exists.
    On(RecordId),
}

/// The entries that the author's screen showed.
#[derive(Clone, PartialEq, Debug)]
pub enum Based {
    /// Everything held: the record's heads.
    Heads,
    /// These.
    Entries(Vec<Reference>),
}

/// What a sender sent, as hashes: by them the same again is told from something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SentContent {
    /// What a key stands for: what was sent, on which record, and by whom.
    pub of_key: Hash,
    /// What the number of a device stands for: what was sent, and on which record. By which way it
    /// came, under which token, and what else that token may say, is no part of it: a device sends
    /// its reading again under the token that it has by then.
    pub of_number: Hash,
}

impl SentContent {
    /// Of what comes by a way of its own, and from nobody who numbers it.
    pub fn of_line(hash: Hash) -> Self {
        Self {
            of_key: hash,
            of_number: hash,
        }
    }
}

/// One write.
#[derive(Clone, PartialEq, Debug)]
pub struct Write {
    /// About which record.
    pub target: Target,
    /// On top of what.
    pub based_on: Based,
    /// What.
    pub draft: Draft,
    /// Who: service number; empty for a device.
    pub officer: String,
    /// For which department; empty for a device.
    pub department: String,
    /// The device, where one says it.
    pub device: String,
    /// The device's own counter.
    pub device_seq: u64,
    /// The run of the device's counter, where it names one: with another one its numbers begin
    /// anew.
    pub device_session: String,
    /// When it happened, where that differs from now, and where that is known from.
    pub happened: Option<(i64, String)>,
    /// The sender's key: the same key twice is one write. Scope and key.
    pub key: Option<(LocalScope, String)>,
    /// What the sender sent, without its key: the same key or number with another one is something
    /// else.
    pub content: Option<SentContent>,
}

/// Characters that a name of an officer, device or key may have.
const NAME_CHARS_MAX: usize = 128;

/// Checks a name that is shown wherever its bearer speaks: whoever reads a list reads the names in
/// it, and no more.
pub fn check_name(what: &str, name: &str) -> Result<(), RecordError> {
    let bad = |why: String| {
        Err(RecordError::BadValue {
            field: what.into(),
            why,
        })
    };

    if name.chars().count() > NAME_CHARS_MAX {
        return bad(format!("has more than {NAME_CHARS_MAX} characters"));
    }

    if let Some(c) = name.chars().find(|c| is_hidden(*c)) {
        return bad(format!(
            "holds the character U+{:04X}, which is not seen, or moves what is",
            u32::from(c)
        ));
    }

    // "OF-7 " would be another officer than "OF-7", and nobody would see it.
    if !name.is_empty() && is_blank(name) {
        return bad("holds nothing that is seen".into());
    }

    match name.trim() == name {
        true => Ok(()),
        false => bad(format!("{name:?} begins or ends with a blank")),
    }
}

/// Refuses a person who goes by the node's own name: what such a one said would pass for the
/// node's.
pub fn check_person(officer: &str) -> Result<(), RecordError> {
    match normalise_reference(officer) == normalise_reference(SYSTEM_OFFICER) {
        true => Err(RecordError::BadValue {
            field: "officer".into(),
            why: format!("{SYSTEM_OFFICER} is the node itself: name the person"),
        }),
        false => Ok(()),
    }
}

/// Checks a name as [`check_name`] does, of somebody who has to have one.
pub fn check_given_name(what: &str, name: &str) -> Result<(), RecordError> {
    if name.is_empty() {
        return Err(RecordError::BadValue {
            field: what.into(),
            why: "is empty, and a name is needed".into(),
        });
    }

    check_name(what, name)
}

/// Control characters, those that take no room or change the direction of what stands around them,
/// what is no character, separators of lines, and the empty sign of Braille: two names that differ
/// in them alone look like one.
pub fn is_hidden(c: char) -> bool {
    let is_line_or_empty = matches!(c, '\u{2028}' | '\u{2029}' | '\u{2800}');
    c.is_control() || takes_no_room(c) || is_noncharacter(c) || is_line_or_empty
}

impl Write {
    /// The hash of all of it, hexadecimal: the same write again has the same.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(format!("{self:?}"));
        let digest: [u8; 32] = hasher.finalize().into();
        wadi_log::hex(&digest)
    }

    /// What looks wrong about the time at which it is said to have happened.
    pub(crate) fn time_warning(&self, now_ms: i64, doubt_ms: i64) -> Option<String> {
        let (at_ms, _) = self.happened.as_ref()?;
        if let Some(why) = unlikely_time(*at_ms) {
            return Some(format!("happened_at_ms: {why}"));
        }

        let ahead_ms = at_ms.saturating_sub(now_ms);
        (ahead_ms > doubt_ms).then(|| {
            format!(
                "it is said to have happened {} min after this node's clock has it now",
                ahead_ms / 60_000
            )
        })
    }

    /// Checks the names of who speaks, when it happened, and the sender's key.
    pub(crate) fn check_names(&self) -> Result<(), RecordError> {
        // What no device says is said by an officer.
        match self.device.is_empty() || !self.department.is_empty() {
            true => check_given_name("officer", &self.officer)?,
            false => check_name("officer", &self.officer)?,
        }
        check_name("department", &self.department)?;
        check_name("device", &self.device)?;
        check_name("device_session", &self.device_session)?;
        if self.device_session.starts_with(BY_OPERATOR) {
            return Err(RecordError::BadValue {
                field: "device_session".into(),
                why: "begins with #, as the runs do that an operator began".into(),
            });
        }
        check_name(
            "happened_source",
            self.happened.as_ref().map_or("", |(_, source)| source),
        )?;

        let happened = self.happened.as_ref();
        if let Some(why) = happened.and_then(|(at_ms, _)| impossible_time(*at_ms)) {
            return Err(RecordError::BadValue {
                field: "happened_at_ms".into(),
                why,
            });
        }

        // A file's name has up to 255 bytes.
        let key = self.key.as_ref().map_or("", |(_, key)| key);
        match key.chars().find(|c| c.is_control()) {
            _ if key.len() > 255 => Err(RecordError::BadValue {
                field: "key".into(),
                why: "has more than 255 bytes".into(),
            }),
            Some(c) => {
                let why = format!("holds the control character U+{:04X}", u32::from(c));
                Err(RecordError::BadValue {
                    field: "key".into(),
                    why,
                })
            }
            None => Ok(()),
        }
    }

    /// A write by an officer, on everything held, now.
    pub fn by(officer: &str, department: &str, target: Target, draft: Draft) -> Self {
        Self {
            target,
            based_on: Based::Heads,
            draft,
            officer: officer.into(),
            department: department.into(),
            device: String::new(),
            device_seq: 0,
            device_session: String::new(),
            happened: None,
            key: None,
            content: None,
        }
    }
}

/// What was written, durably.
#[derive(Clone, PartialEq, Debug)]
pub struct Written {
    /// The record.
    pub record: RecordId,
    /// Its printed id.
    pub printed: String,
    /// The entry; the sender's key was used before where it is one from then.
    pub entry: Reference,
    /// Whether the sender's key was used before, and nothing was written now.
    pub repeated: bool,
    /// What looks wrong and was recorded all the same.
    pub warnings: Vec<String>,
    /// Types of the decisions that were said with it: whoever lets go what is held is told.
    pub decisions: Vec<String>,
    /// What it changed; none where nothing was written now.
    pub changed: Option<Changed>,
}

/// What a write changed: what stood in the record before it, and what stands there now.
#[derive(Clone, PartialEq, Debug)]
pub struct Changed {
    /// The record's kind.
    pub kind: Option<Kind>,
    /// The record's crossing.
    pub crossing: Crossing,
    /// The type of a hold, where one is settled: it tells who reads what a lookout seeks.
    pub hold_type: Option<String>,
    /// Every type that a hold is or was said to be of: it tells who reads it.
    pub told_types: BTreeSet<String>,
    /// The state before; none of a record that began with it.
    pub state_before: Option<&'static str>,
    /// The state now.
    pub state: &'static str,
    /// Flags that are there now and were not before.
    pub flags_came: Vec<&'static str>,
    /// Flags that were there before and are no more.
    pub flags_went: Vec<&'static str>,
    /// Ids of the holds that it opened, or opened again.
    pub holds_opened: Vec<String>,
    /// Ids of the holds that it ended.
    pub holds_ended: Vec<String>,
    /// Fields whose values it changed.
    pub fields: Vec<ChangedField>,
    /// How many fields and holds more it changed than are told.
    pub more: usize,
}

/// A field that a write changed. Without a value it is empty; with several it is contested.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedField {
    /// The field.
    pub field: String,
    /// What it held before: the first values of many.
    pub before: Vec<Value>,
    /// What it holds now: the first values of many.
    pub after: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_record::Passage;

    fn write_at(at_ms: i64) -> Write {
        let mut write = Write::by("OF-7", "PORT", Target::New(None), Passage::announce("in"));
        write.happened = Some((at_ms, "paper".into()));
        write
    }

    #[test]
    fn a_run_of_any_name_has_room_in_an_entry() {
        assert_eq!(run_in_entry("boot-7".into()), "boot-7");

        let long = run_in_entry("ب".repeat(64));
        assert_eq!(long.len(), 32);
        assert_ne!(long, run_in_entry("ب".repeat(65)));
    }

    #[test]
    fn a_name_is_one_that_is_seen_as_it_is() {
        for name in [
            "",
            "OF-7",
            "OF 7",
            "علي",
            "بوابة ١",
            "عَلِيّ",
            "Zoë",
            "王伟",
            "ซ่อน",
        ] {
            assert!(check_name("officer", name).is_ok(), "{name:?}");
        }

        for (name, why) in [
            ("OF-7 ", "begins or ends with a blank"),
            (" OF-7", "begins or ends with a blank"),
            ("OF-7\u{A0}", "begins or ends with a blank"),
            ("  ", "nothing that is seen"),
            ("\u{3000}", "nothing that is seen"),
            ("\u{3164}", "U+3164"),
            ("OF\u{200B}7", "U+200B"),
            ("CU-\u{AD}1", "U+00AD"),
            ("CU-1\u{E0001}", "U+E0001"),
        ] {
            let told = check_name("officer", name).unwrap_err();
            assert_eq!(told.code(), "bad_value");
            assert!(told.to_string().contains(why), "{name:?}: {told}");
        }
    }

    #[test]
    fn no_name_differs_from_another_in_what_nobody_sees() {
        let unseen = [
            0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x2800, 0x3164,
        ]
        .into_iter()
        .chain([0xFEFF, 0xFFA0])
        .chain(0x200B..=0x200F)
        .chain(0x2028..=0x202E)
        .chain(0x2060..=0x206F)
        .chain(0xFE00..=0xFE0F)
        .chain(0xE0000..=0xE007F)
        .chain(0xE0100..=0xE01EF);
        for code in unseen {
            let c = char::from_u32(code).unwrap();
            for name in [format!("CU-{c}1"), format!("{c}CU-1"), format!("CU-1{c}")] {
                let told = check_name("officer", &name).unwrap_err();
                assert_eq!(told.code(), "bad_value");
                let why = format!("officer: holds the character U+{code:04X}, ");
                assert!(told.to_string().starts_with(&why), "{told}");
            }
        }
    }

    #[test]
    fn an_officers_write_needs_a_name_and_a_devices_needs_none() {
        let by = |officer: &str, department: &str, device: &str| {
            let draft = Passage::announce("in");
            let mut write = Write::by(officer, department, Target::New(None), draft);
            write.device = device.into();
            write.check_names()
        };

        by("OF-7", "PORT", "").unwrap();
        by("OF-7", "PORT", "ANPR-1").unwrap();
        by("", "", "ANPR-1").unwrap();

        for nameless in [by("", "PORT", ""), by("", "PORT", "ANPR-1"), by("", "", "")] {
            let told = nameless.unwrap_err();
            assert_eq!(told.code(), "bad_value");
            assert!(told.to_string().starts_with("officer: is empty"), "{told}");
        }
    }

    #[test]
    fn what_happened_did_so_at_a_time_that_can_be() {
        for wrong in [
            -1,
            i64::MIN,
            253_402_300_800_000,
            1_772_323_200_000_000,
            i64::MAX,
        ] {
            let told = write_at(wrong).check_names().unwrap_err();
            assert!(told.to_string().contains("happened_at_ms"), "{told}");
        }

        let now_ms = 1_772_323_200_000;
        for strange in [0, 1, now_ms / 1_000] {
            let write = write_at(strange);
            write.check_names().unwrap();
            let told = write.time_warning(now_ms, 1_000).unwrap_or_default();
            assert!(
                told.contains("times are Unix times in milliseconds"),
                "{told}"
            );
        }

        assert_eq!(
            write_at(now_ms - 86_400_000).time_warning(now_ms, 1_000),
            None
        );
        assert!(
            write_at(now_ms + 60_000)
                .time_warning(now_ms, 1_000)
                .is_some()
        );
    }
}
