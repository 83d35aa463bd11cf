//! Which record somebody means who types a plate, a container or a number.

use super::answers::{FoundPage, ReadRecord};
use crate::digits::latin;
use crate::{
    api::{Api, ApiCaller, Refused},
    values::query_escaped,
};

/// Records that are offered at most.
const OFFERED_MAX: usize = 8;
/// What is asked of each.
const MEMBERS: &str = "id,record,kind,crossing,state,flags,detained_by,placements,fields,heads";

/// What was found.
pub(super) enum Meant {
    /// One record.
    One(Box<ReadRecord>),
    /// Several, or one that is over: whoever typed it chooses.
    Several(Vec<ReadRecord>),
    /// None.
    Nothing,
}

/// Whether a text is a record's id: printed, or 64 hexadecimal digits.
fn is_id(text: &str) -> bool {
    let is_whole = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let mut parts = text.split('-');
    let printed = (parts.next(), parts.next(), parts.next(), parts.next());
    let is_printed = matches!(
        printed,
        (Some(crossing), Some(kind), Some(tail), None)
            if crossing.len() == 3 && kind.len() == 1 && tail.len() >= 10
    );
    is_whole || is_printed
}

/// Finds what records of a kind are meant. `owned` are the types of hold that the speaker owns:
/// where a truck has several holds, one of those is meant.
pub(super) async fn find(
    api: &Api,
    asker: &ApiCaller,
    kind: &str,
    text: &str,
    owned: &[String],
) -> Result<Meant, Refused> {
    let text = latin(text).to_uppercase();
    if is_id(&text) {
        let record: ReadRecord = match show(api, asker, &text).await {
            Ok(record) => record,
            Err(refused) if refused.status == 404 => return Ok(Meant::Nothing),
            Err(refused) => return Err(refused),
        };
        return match kind == "hold" && record.kind != "hold" {
            true => holds_on(api, asker, &[record], owned).await,
            false => Ok(Meant::One(Box::new(record))),
        };
    }

    let looked_up = match kind {
        "hold" => "passage",
        kind => kind,
    };
    let mut found = listed(api, asker, looked_up, "plate", &text).await?;
    if found.is_empty() {
        found = listed(api, asker, looked_up, "container", &text).await?;
    }

    match kind {
        "hold" => holds_on(api, asker, &found, owned).await,
        _ => Ok(one_of(found)),
    }
}

/// A record by its id.
pub(super) async fn show(api: &Api, asker: &ApiCaller, id: &str) -> Result<ReadRecord, Refused> {
    api.get(asker, &format!("/v1/records/{}", query_escaped(id)))
        .await
}

async fn listed(
    api: &Api,
    asker: &ApiCaller,
    kind: &str,
    by: &str,
    text: &str,
) -> Result<Vec<ReadRecord>, Refused> {
    let text = query_escaped(text);
    let path = format!("/v1/records?kind={kind}&{by}={text}&limit={OFFERED_MAX}&fields={MEMBERS}");
    match api.get::<FoundPage>(asker, &path).await {
        Ok(page) => Ok(page.records),
        // What says that there is none is nobody's plate: the form asks again.
        Err(refused) if refused.code == "nothing_sought" => Ok(Vec::new()),
        Err(refused) => Err(refused),
    }
}

/// The one record that is not over; where there is none or there are several, all.
fn one_of(found: Vec<ReadRecord>) -> Meant {
    let mut live = found.iter().filter(|r| !r.is_over());
    match (live.next(), live.next()) {
        (Some(one), None) => Meant::One(Box::new(one.clone())),
        _ if found.is_empty() => Meant::Nothing,
        _ => Meant::Several(found),
    }
}

/// The open hold that holds these records, of a type that the speaker owns where there are several.
async fn holds_on(
    api: &Api,
    asker: &ApiCaller,
    records: &[ReadRecord],
    owned: &[String],
) -> Result<Meant, Refused> {
    let mut all: Vec<_> = records.iter().flat_map(|r| &r.detained_by).collect();
    // One that the speaker does not read has no name here.
    all.retain(|d| !d.hold.is_empty());
    all.sort_by_key(|d| &d.hold);
    all.dedup_by_key(|d| &d.hold);
    let own: Vec<_> = all
        .iter()
        .filter(|d| d.of.as_ref().is_some_and(|of| owned.contains(of)))
        .copied()
        .collect();
    if !own.is_empty() {
        all = own;
    }

    let mut holds = Vec::new();
    for detention in all.iter().take(OFFERED_MAX) {
        holds.push(show(api, asker, &detention.hold).await?);
    }
    Ok(match holds.len() {
        0 => Meant::Nothing,
        1 => Meant::One(Box::new(holds.remove(0))),
        _ => Meant::Several(holds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: &str) -> ReadRecord {
        ReadRecord {
            state: state.into(),
            ..ReadRecord::default()
        }
    }

    #[test]
    fn an_id_is_told_from_a_plate() {
        assert!(is_id("TRB-P-1NAZ630PAYKST"));
        assert!(is_id(&"A1".repeat(32)));
        for plate in ["11-A-12345", "KA7", "ABC-D-123", "MSCU1234565", ""] {
            assert!(!is_id(plate), "{plate}");
        }
    }

    #[test]
    fn the_truck_that_is_still_here_is_meant() {
        let meant = one_of(vec![record("EXITED"), record("ADMITTED"), record("EXITED")]);
        assert!(matches!(meant, Meant::One(one) if one.state == "ADMITTED"));
        let meant = one_of(vec![record("EXITED")]);
        assert!(
            matches!(meant, Meant::Several(_)),
            "one that left is asked about"
        );
        let meant = one_of(vec![record("ADMITTED"), record("CLEARED")]);
        assert!(matches!(meant, Meant::Several(all) if all.len() == 2));
        assert!(matches!(one_of(vec![]), Meant::Nothing));
    }
}
