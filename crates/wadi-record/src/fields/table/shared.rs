//! Fields of a site day, and fields that several kinds have.

use crate::fields::row::*;

pub(super) const ROWS: &[FieldRow] = &[
    FieldRow {
        name: "transit.ref",
        meaning: "The transit document: a TIR carnet or a movement reference number.",
        kinds: &[Passage, CustomsEntry],
        value: Text,
        legal: true,
        guarded: Guarded::Never,
        set_by: SetBy::Anybody,
        device: DeviceSets::Always,
    },
    FieldRow {
        name: "note",
        meaning: "A remark.",
        kinds: &[Passage, QuarantineHold, CustomsEntry, SiteDay],
        value: Text,
        legal: false,
        guarded: Guarded::Never,
        set_by: SetBy::Anybody,
        device: DeviceSets::Always,
    },
    FieldRow {
        name: "date",
        meaning: "The day, as 2026-03-01.",
        kinds: &[SiteDay],
        value: Day,
        legal: true,
        guarded: Guarded::Never,
        set_by: SetBy::Anybody,
        device: DeviceSets::Always,
    },
];
