//! The page that tells who may do what to people: `docs/authority.md`.

use super::{field_changers, field_setters, guarded_from, speakers};
use crate::{
    Department, EVENTS, EventType, FIELDS, FieldRow, Guarded, HoldType, Kind, LOOKOUT_FIELD,
    PERSONS_READ_BY, Policy, reading::PERSON_EVENTS,
};
use std::fmt::Write;

const HEAD: &str = "\
# Who may say and set what

Made from the tables in `crates/wadi-record/src/fields/table/` and
`crates/wadi-record/src/events/table/`; a test compares. After a change there:

    wadi schema --authority > docs/authority.md

Nobody says an event and nobody sets a field whom its row does not name. What a token lets its
bearer do stands in the last section. Departments are those of the default policy; the policy that
the hub signs may name others for an event (`acts`), for a field (`fields`, as `passage seal.N`) and
for a type of hold (`hold_owners`). An officer whom the hub registered for one department is of no
other one, one registered for a crossing speaks at no other one, and one who was revoked is of none.
What holds something back, or has happened, counts from them all the same, and is a finding (R21).
The commission, HUB, speaks from a hub's node only; there it may say every event, as long as it has
what else the row asks. With `registered_lookouts` the policy says whether a lookout needs a
registered officer, with `signed_decisions` whether what lets something go, or ends it, counts
without the officer's own signature.

Whoever writes without the right is told at once, with a code and the reason, and nothing is
written. What comes from elsewhere is kept, shown as refused, does not count, and is a finding
(R21). How a field is judged stands in [fields.md](fields.md), what each is in
[records.md](records.md).
";

const TOKENS: &str = "
## Tokens

A token is issued on one node by its operator (`wadi token issue`), and holds there alone.

| token | says | reads |
|---|---|---|
| officer | as the officer and department that it names, what these may | all but what is the \
operator's, travellers and lookouts by department |
| device | as its device alone, the events and fields that it was enrolled for; where none were \
named, those that a device may at all | nothing but the answers to what it says |
| operator | for whichever officer and department it names in the request, what these may; at a \
hub the acts of its operator (officers, policies, cuts, admissions, closures) | everything |
| reader | nothing | all but what is the operator's, travellers and lookouts where its issuer \
named them |

Findings are assigned, proposed and decided by auditors with officers' tokens of department HUB; who
proposed does not decide. What an operator of a hub says is signed with the person of its token; the
machine's own token is nobody's, and names the person with each act. A hub's operator issues tokens
for releases while dark (`wadi release-token`), and so does an officer of SEC there for holds that
SEC lets go: each lets one hold of SECURITY, or of the commission's, go at a site, once.
";

const READING: &str = "
## Who reads what

Who a traveller is and what a lookout seeks are taken out of what others are shown, and named in
`withheld`. See [reading.md](reading.md).

";

/// Who reads what not everybody reads.
fn readers(out: &mut String) {
    let codes = PERSONS_READ_BY.iter().map(|d| d.code());
    let codes: Vec<&str> = codes.collect();
    let events: Vec<String> = PERSON_EVENTS.iter().map(|e| format!("`{e}`")).collect();
    let persons = format!(
        "the fields `person.*`; the members of {}",
        events.join(", ")
    );
    let lookouts = format!("`{LOOKOUT_FIELD}` of a hold");

    *out += READING;
    *out += "| what | officers of |\n|---|---|\n";
    let _ = writeln!(out, "| {persons} | {} |", codes.join(", "));
    let _ = writeln!(
        out,
        "| {lookouts} | the departments that own its type, as above |"
    );
}

/// The page as it stands in `docs/authority.md`.
pub fn authority() -> String {
    let mut out = String::from(HEAD);
    owners(&mut out);

    for kind in Kind::ALL {
        fields(&mut out, kind);
    }

    for kind in Kind::ALL {
        events(&mut out, kind);
    }

    devices(&mut out);
    readers(&mut out);
    out += TOKENS;
    out
}

fn owners(out: &mut String) {
    *out += "\n## Who owns a hold\n\n| type | departments |\n|---|---|\n";
    let policy = Policy::default();

    for hold in HoldType::ALL {
        let owners = Department::ALL
            .into_iter()
            .filter(|d| policy.owns(*d, hold))
            .map(Department::code);
        let owners: Vec<&str> = owners.collect();
        let _ = writeln!(out, "| {} | {} |", hold.name(), owners.join(", "));
    }

    *out += "\nA hold of the commission or of SECURITY is ended at the hub, by HUB or SEC.\n";
}

/// The fields of a kind, one line for all of which the same is true.
fn fields(out: &mut String, kind: Kind) {
    let _ = write!(
        out,
        "\n## Who sets a field of a {kind}\n\n| fields | who sets them | guarded | who changes \
         them then |\n|---|---|---|---|\n"
    );

    let rights = |field: &FieldRow| {
        let guarded = match field.guarded {
            Guarded::Never => String::new(),
            guarded => guarded_from(guarded),
        };
        let changers = field_changers(field).unwrap_or_default();
        format!("{} | {guarded} | {changers}", field_setters(field))
    };

    let of_kind = FIELDS.iter().filter(|f| f.kinds.contains(&kind));
    for (rights, names) in alike(of_kind.map(|f| (rights(f), f.name))) {
        let _ = writeln!(out, "| {names} | {rights} |");
    }
}

/// The events of a kind, one line for all of which the same is true.
fn events(out: &mut String, kind: Kind) {
    let _ = write!(
        out,
        "\n## Who says an event of a {kind}\n\n| events | who says them |\n|---|---|\n"
    );

    let of_kind = EVENTS.iter().filter(|e| e.kinds.contains(&kind));
    for (rights, names) in alike(of_kind.map(|e| (speakers(e), e.name))) {
        let _ = writeln!(out, "| {names} | {rights} |");
    }
}

/// What a device may say and set at all, whoever issued its token for what.
fn devices(out: &mut String) {
    let events = EVENTS
        .iter()
        .filter(|e| e.by_device)
        .map(|e: &EventType| e.name);
    let fields = FIELDS.iter().filter(|f| f.by_device()).map(|f| f.name);
    let mut fields: Vec<&str> = fields.collect();
    fields.sort_unstable();
    fields.dedup();

    let _ = write!(
        out,
        "\n## What a device may\n\nAt all, and less where its token was issued for less. When it \
         may set a field stands above.\n\n- events: {}\n- fields: {}\n",
        quoted(events),
        quoted(fields.into_iter())
    );
}

/// Names by what is true of them, in the order in which that first comes.
fn alike(
    rows: impl Iterator<Item = (String, &'static str)>,
) -> impl Iterator<Item = (String, String)> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (rights, name) in rows {
        match lines.iter_mut().find(|(known, _)| *known == rights) {
            Some((_, names)) => names.push(name),
            None => lines.push((rights, vec![name])),
        }
    }

    lines
        .into_iter()
        .map(|(rights, names)| (rights, quoted(names.into_iter())))
}

fn quoted(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<String> = names.map(|n| format!("`{n}`")).collect();
    names.join(", ")
}
