//! Lists of records: by what they are, by what somebody typed, as they were known on a day.

use crate::{
    Problem, Token,
    answers::RecordPageAnswer,
    filters, limits, pages,
    problem::unprocessable,
    reading::{NamedRecords, ReadRight},
    search::{Search, TEXT_CHARS_MAX},
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use wadi_log::RecordId;
use wadi_node::{DETAINED, KnownPage, ListedRecord, Members, Node, NodeError, RecordFilter};
use wadi_record::{Department, term};

/// A record's clock may be ahead of this node's: those that claim to begin so much later than they
/// were taken in are still looked at.
const CLOCK_AHEAD_MS: i64 = 86_400_000;
/// Records read at first where no limit is named: about as many as one answer has room for.
const FIRST_ROWS: u32 = 50;
/// Records that one page looks at as they were known on a day: each is built anew.
const KNOWN_ROWS_MAX: u32 = 50;

/// Which records to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// What somebody typed: a plate, a container, a seal, a reference, an id or the beginning of
    /// one, the hash of a document; in any letters and digits, with blanks or without. `understood`
    /// tells what it was taken for.
    q: Option<String>,
    /// Together with `q`: plates, too, that are easily taken for it.
    near: Option<bool>,
    /// passage, hold, customs-entry or site-day.
    kind: Option<String>,
    /// Crossing's code.
    crossing: Option<String>,
    /// A state's name or a flag, as EXITED or CONTESTED.
    state: Option<String>,
    /// Only those that open holds hold: as `state=DETAINED`, beside another state.
    held: Option<bool>,
    /// A department's code: the holds that it placed; with `held` what its open holds detain.
    department: Option<String>,
    /// A type of hold: the holds of it; with `held` what open ones of it detain.
    hold_type: Option<String>,
    /// Only those that begin at this Unix time in milliseconds or later; they are listed in the
    /// order of their beginnings, the latest first.
    from_ms: Option<i64>,
    /// Only those that begin before this Unix time in milliseconds; in the same order.
    until_ms: Option<i64>,
    /// As this node knew them at a Unix time in milliseconds: of the entries that it had taken in
    /// by then. In the order of their beginnings, so that the same question has the same answer.
    /// Each page looks at 50 records at most, and tells those of them that were known.
    known_ms: Option<i64>,
    /// A plate, in any spelling.
    plate: Option<String>,
    /// A container number.
    container: Option<String>,
    /// Only those with contested fields.
    contested: Option<bool>,
    /// Only those changed before this cursor: the last one of the page before.
    before: Option<i64>,
    /// In the order of ids, those after this one (64 hexadecimal digits): for reading all, each
    /// exactly once.
    after: Option<String>,
    /// In the order of beginnings, those after this cursor: `next_older` of the page before.
    older: Option<String>,
    /// Members of the records to show, comma between, as `id,state,safety`; all of them, where it
    /// is left out.
    fields: Option<String>,
    /// At most so many, 500 at most. Where it is left out, 100 or as many as fit in 50,000 bytes,
    /// whichever are fewer.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u32>,
}

/// What a query asks for.
pub(crate) struct AskedList {
    pub(crate) filter: RecordFilter,
    pub(crate) members: Members,
    known_ms: Option<i64>,
    search: Option<Search>,
}

impl AskedList {
    /// Whether it asks for what was known at a time.
    pub(crate) fn is_of_a_day(&self) -> bool {
        self.known_ms.is_some()
    }

    /// Asks for what follows a record, in the order that it has.
    pub(crate) fn go_on_after(&mut self, last: Option<&ListedRecord>) {
        let Some(last) = last else { return };
        if self.filter.after.is_some() {
            self.filter.after = Some(last.id);
        } else if self.filter.by_beginning {
            self.filter.older = Some((last.born_ms, last.id));
        } else {
            self.filter.before = Some(last.changed);
        }
    }
}

/// A cursor in the order of beginnings.
pub(crate) fn older_text(born_ms: i64, id: &RecordId) -> String {
    format!("{born_ms}.{id}")
}

fn older(text: &str) -> Result<(i64, RecordId), Problem> {
    let read = || {
        let (born_ms, id) = text.split_once('.')?;
        Some((born_ms.parse().ok()?, id.parse().ok()?))
    };
    read().ok_or_else(|| {
        let why = format!("{text:?} is no cursor: give `next_older` as it came");
        unprocessable("bad_cursor", why)
    })
}

impl ListQuery {
    /// What it asks for, of what its token reads.
    pub(crate) fn read(self, node: &Node, reading: &ReadRight<'_>) -> Result<AskedList, Problem> {
        filters::in_order(self.from_ms, self.until_ms)?;
        let term = self.term()?;
        let of_holds = self.of_holds(reading)?;
        let search = self
            .q
            .as_deref()
            .map(|text| search(text, self.near.unwrap_or(false), reading))
            .transpose()?;
        let state = self
            .state
            .as_deref()
            .map(filters::record_state)
            .transpose()?;

        let kind = self.kind.as_deref().map(filters::kind).transpose()?;
        let lane = reading.kind(kind)?.map(|k| k.lane() as u8);
        let by_state = state.as_deref() == Some(DETAINED);
        let detained = by_state || self.held.unwrap_or(false);
        if detained && self.known_ms.is_some() {
            let why =
                "what was detained on a day is told by each record of that day, not by a list";
            return Err(unprocessable("bad_query", why));
        }

        let crossing = self.crossing.as_deref();
        let crossing = crossing.map(|code| filters::crossing(node, code));
        let crossing = reading.crossing(crossing.transpose()?)?;

        let of_days = self.from_ms.is_some() || self.until_ms.is_some() || self.older.is_some();
        let known_until = self.known_ms.map(|ms| ms.saturating_add(CLOCK_AHEAD_MS));
        let filter = RecordFilter {
            lane,
            crossing,
            state: state.filter(|_| !by_state),
            term,
            contested: self.contested.unwrap_or(false),
            detained: detained.then(|| node.reads().hold_terms()),
            of_holds,
            hold_types: reading.hold_types(),
            sought: search.as_ref().map(Search::sought).unwrap_or_default(),
            by_beginning: of_days || self.known_ms.is_some(),
            from_ms: self.from_ms,
            until_ms: self.until_ms.into_iter().chain(known_until).min(),
            older: self.older.as_deref().map(older).transpose()?,
            before: self.before,
            after: self
                .after
                .map(|id| id.parse())
                .transpose()
                .map_err(NodeError::Log)?,
            limit: pages::rows(self.limit)?,
        };

        let members = self.fields.as_deref().map(members).transpose()?;
        Ok(AskedList {
            filter,
            members: members.unwrap_or_default(),
            known_ms: self.known_ms,
            search,
        })
    }

    fn term(&self) -> Result<Option<(String, String)>, Problem> {
        let (what, given) = match (&self.plate, &self.container) {
            (Some(_), Some(_)) => return Err(filters::one_of("plate", "container")),
            (Some(plate), None) => ("plate", plate),
            (None, Some(container)) => ("container", container),
            (None, None) => return Ok(None),
        };

        let form = filters::read_off(what, given)?;
        Ok(Some((what.to_string(), term(&form))))
    }

    /// The terms of the holds that it asks about, of types that its token reads.
    fn of_holds(&self, reading: &ReadRight<'_>) -> Result<Vec<(&'static str, String)>, Problem> {
        let mut out = Vec::new();
        if let Some(code) = &self.department {
            let codes = Department::ALL.iter().map(|d| d.code());
            out.push(("owner", filters::one("department", code, codes)?));
        }
        if let Some(name) = &self.hold_type {
            let name = filters::hold_type(name)?;
            reading.check_hold_type(&name)?;
            out.push(("hold_type", name));
        }
        Ok(out)
    }
}

/// What a text that was typed may be.
fn search(text: &str, near: bool, reading: &ReadRight<'_>) -> Result<Search, Problem> {
    if text.chars().count() > TEXT_CHARS_MAX {
        let why = format!("q: more than {TEXT_CHARS_MAX} characters");
        return Err(unprocessable("bad_query", why));
    }

    let search = Search::of(text, near, reading);
    match search.is_empty() {
        true => Err(unprocessable(
            "nothing_sought",
            "q holds neither a letter nor a digit",
        )),
        false => Ok(search),
    }
}

/// The members of records that a list is to show.
fn members(given: &str) -> Result<Members, Problem> {
    let one = |name| filters::one("member of records", name, Members::NAMES);
    let names: Vec<String> = given.split(',').map(one).collect::<Result<_, _>>()?;
    Ok(Members::named(names.iter().map(String::as_str)))
}

/// Records, those changed last first. Where there may be more, `next_before` is what `before` of
/// the next page is; in the order of ids, `next_after` is what `after` is; in the order of
/// beginnings, `next_older` is what `older` is.
#[utoipa::path(
    get,
    path = "/v1/records",
    params(ListQuery),
    tag = "records",
    responses(
        (status = 200, description = "a page of records", body = RecordPageAnswer),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let limit = query.limit;
    let reading = token.reading(&node)?;
    let mut asked = query.read(&node, &reading)?;
    let understood = asked.search.as_ref().map(Search::understood);
    let _turn = limits::expensive(&token).await?;

    let reads = node.reads();
    let mut answer = match asked.known_ms {
        Some(known_ms) => {
            let mut filter = asked.filter;
            filter.limit = filter.limit.min(KNOWN_ROWS_MAX);
            let mut known = reads.list_known_at(&filter, known_ms).await?;
            let found: Vec<&Value> = known.records.iter().map(|one| &one.json).collect();
            let named = token.named_in(&node, &found).await?;
            reading.go_by(named);
            known.records.retain_mut(|one| {
                let is_read = reading.show_record(&mut one.json);
                asked.members.leave_in(&mut one.json);
                is_read
            });
            known_page(known, known_ms, filter.limit)
        }
        None => {
            let (listed, shown) = read_page(&node, &token, reading, &mut asked, limit).await?;
            page(listed, shown, &asked.filter)
        }
    };
    if let Some(understood) = understood {
        answer["understood"] = understood;
    }

    Ok(Json(answer))
}

/// Reads the rows of a page, and tells how many of them one answer has room for. Where no limit is
/// named few are read, and more where those leave room.
async fn read_page(
    node: &Arc<Node>,
    token: &Token,
    reading: ReadRight<'_>,
    asked: &mut AskedList,
    limit: Option<u32>,
) -> Result<(Vec<ListedRecord>, usize), Problem> {
    let (reads, rows) = (node.reads(), asked.filter.limit);
    let first = limit.map_or(rows.min(FIRST_ROWS), |_| rows);
    asked.filter.limit = first;
    let mut listed = reads.list_records(&asked.filter, &asked.members).await?;
    let named = named_in(node, token, &listed).await?;
    reading.go_by(named);
    show_records(&reading, &mut listed);
    let mut shown = fitting(&listed, limit);

    let may_be_more = listed.len() as u32 == first && first < rows;
    if may_be_more && shown == listed.len() {
        asked.go_on_after(listed.last());
        asked.filter.limit = rows - first;
        let mut more = reads.list_records(&asked.filter, &asked.members).await?;
        let named = named_in(node, token, &more).await?;
        reading.go_by(named);
        show_records(&reading, &mut more);
        listed.extend(more);
        shown = fitting(&listed, limit);
    }

    asked.filter.limit = rows;
    Ok((listed, shown))
}

/// What is read of the records that are named in those of a page.
async fn named_in(
    node: &Arc<Node>,
    token: &Token,
    listed: &[ListedRecord],
) -> Result<NamedRecords, Problem> {
    let found: Vec<&Value> = listed.iter().map(|one| &one.json).collect();
    token.named_in(node, &found).await
}

fn show_records(reading: &ReadRight<'_>, listed: &mut [ListedRecord]) {
    for one in listed {
        reading.show_listed(&one.id, &mut one.json);
    }
}

/// How many of these records one answer has room for.
fn fitting(listed: &[ListedRecord], limit: Option<u32>) -> usize {
    // The cursors as long as they can be.
    let beside = json!({
        "records": [],
        "next_before": i64::MIN,
        "next_after": RecordId([0; 32]).to_string(),
        "next_older": older_text(i64::MIN, &RecordId([0; 32])),
    });
    pages::fitting(listed.iter().map(|r| &r.json), &beside, limit)
}

/// A page of records as they stand, of which so many are shown.
fn page(mut listed: Vec<ListedRecord>, shown: usize, filter: &RecordFilter) -> Value {
    let may_be_more = listed.len() as u32 == filter.limit;
    let is_cut = shown < listed.len();
    listed.truncate(shown);

    let last = listed.last().filter(|_| may_be_more || is_cut);
    let mut answer = json!({"records": []});
    put_cursor(&mut answer, filter, last);
    answer["records"] = listed.into_iter().map(|r| r.json).collect();
    answer
}

/// The cursor of the next page, in the order that the page has.
fn put_cursor(answer: &mut Value, filter: &RecordFilter, last: Option<&ListedRecord>) {
    let changed = last.filter(|_| !filter.by_beginning).map(|r| r.changed);
    answer["next_before"] = json!(changed);
    if filter.after.is_some() {
        answer["next_after"] = json!(last.map(|r| r.id.to_string()));
    } else if filter.by_beginning {
        answer["next_older"] = json!(last.map(|r| older_text(r.born_ms, &r.id)));
    }
}

/// A page of records as this node knew them at a time.
fn known_page(known: KnownPage, known_ms: i64, limit: u32) -> Value {
    let last = known.last.filter(|_| known.looked_at as u32 == limit);
    let records = known.records.into_iter().map(|r| r.json);
    json!({
        "records": records.collect::<Vec<_>>(),
        "next_before": null,
        "next_older": last.map(|(born_ms, id)| older_text(born_ms, &id)),
        "known_ms": known_ms,
        "looked_at": known.looked_at,
    })
}
