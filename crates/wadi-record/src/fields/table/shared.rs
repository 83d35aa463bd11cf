//! Fields of a site day, and fields that several kinds have.

use crate::fields::row::*;

pub(super) const ROWS: &[FieldRow] = &[
    FieldRow {
        name: "note",
        meaning: "A remark.",
        kinds: &[Passage, QuarantineHold, CustomsEntry, SiteDay],
        value: Text,
        legal: false,
        set_by: EVERYBODY,
        device: DeviceSets::Always,
        guarded: Guarded::Never,
        changed_by: ChangedBy::Setters,
    },
    FieldRow {
        name: "date",
        meaning: "The day, as 2026-03-01.",
        kinds: &[SiteDay],
        value: Day,
        legal: true,
        set_by: SITE,
        device: DeviceSets::Always,
        guarded: Guarded::Never,
        changed_by: ChangedBy::Setters,
    },
];
