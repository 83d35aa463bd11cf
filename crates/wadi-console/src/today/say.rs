//! The page of a form, and what becomes of what it is given.

use super::{
    answers::{MaySay, OfficerList, ReadRecord, ReadWritten, Sayable},
    draft,
    form::{FIELDS_ALONE, Making, SayForm, WritesOn},
    given::{FormGiven, is_text},
    made::FormMade,
    target::{self, Meant},
    times,
};
use crate::{
    Console,
    answer::{made_or_refused, page, page_with, see_other},
    api::{ApiCaller, Refused},
    frame::PageFrame,
    values::query_escaped,
    visitor::{Guest, PROOF_FIELD, Visitor},
};
use askama::Template;
use axum::{
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use serde_json::{Value as Json, json};

/// A form, with what was said with it last.
#[derive(Template)]
#[template(path = "today_say.html")]
struct SayPage {
    f: PageFrame,
    /// Where the form is sent.
    action: String,
    form: SayForm,
    /// The form's own key: sent twice, it makes one entry.
    key: String,
    /// What the API refused, where that is of no one input.
    refused: Option<Refused>,
    /// A sentence that stands above the form: `today-…`.
    notice: &'static str,
    /// What was made last.
    made: Option<FormMade>,
    /// The same form for paper, or without.
    other_way: String,
    /// The same form for a record that begins.
    as_new: String,
}

impl SayPage {
    /// The sentence that names a country.
    fn country_name(&self, code: &str) -> String {
        format!("country-{code}")
    }
}

/// A form whose session had ended: what was typed is on the page, to be sent on.
#[derive(Template)]
#[template(path = "today_lost.html")]
struct LostPage {
    f: PageFrame,
    action: String,
    /// What was typed.
    kept: Vec<(String, String)>,
    /// Why the node cannot take it now; none where the session ended.
    refused: Option<Refused>,
}

/// Which form: a kind of record, and an event of it.
type FormName = (String, String);

fn action_of((kind, event): &FormName) -> String {
    format!(
        "/console/today/say/{}/{}",
        query_escaped(kind),
        query_escaped(event)
    )
}

/// A key that nobody guesses.
fn new_key() -> String {
    format!("form-{:032x}", rand::random::<u128>())
}

/// Whoever fills in a form, and everything that the form is made of.
struct FilledForm<'a> {
    console: &'a Console,
    visitor: &'a Visitor,
    name: &'a FormName,
    given: FormGiven,
    authority: MaySay,
    officers: OfficerList,
    now_ms: i64,
}

impl<'a> FilledForm<'a> {
    async fn of(
        console: &'a Console,
        visitor: &'a Visitor,
        name: &'a FormName,
        given: FormGiven,
    ) -> Result<FilledForm<'a>, Refused> {
        let authority = super::authority_of(console, visitor, &given).await?;
        let officers = officers_here(console, visitor).await;
        Ok(Self {
            console,
            visitor,
            name,
            given,
            authority,
            officers,
            now_ms: visitor.who.now_ms,
        })
    }

    fn asker(&self) -> &ApiCaller {
        &self.visitor.asker
    }

    fn say(&self, name: &str) -> String {
        self.visitor.language().sentence(name, [])
    }

    /// The event that the form says. Where the department may not say it, a refusal.
    fn event(&self) -> Result<Option<&Sayable>, Refused> {
        let (kind, event) = self.name;
        if event == FIELDS_ALONE && self.authority.fields.iter().any(|f| f.kind == *kind) {
            return Ok(None);
        }

        let mut all = self.authority.events.iter();
        let found = all.find(|e| e.event == *event && e.kinds.contains(kind));
        found.map(Some).ok_or_else(|| {
            let language = self.visitor.language();
            let why = language.sentence("today-no-such-form", []);
            Refused::new(language, StatusCode::FORBIDDEN, "no_authority", why)
        })
    }

    fn form(&self, record: Option<ReadRecord>) -> Result<SayForm, Refused> {
        let making = Making {
            language: self.visitor.language(),
            authority: &self.authority,
            officers: &self.officers,
            kind: &self.name.0,
            event: self.event()?,
            given: &self.given,
            record,
            for_others: self.visitor.who.is == "operator",
        };
        Ok(making.form())
    }

    fn page(&self, form: SayForm, notice: &'static str, made: Option<FormMade>) -> SayPage {
        let title = super::form_title(self.visitor.language(), &self.name.0, &self.name.1);
        let mut key = self.given.get("key").to_string();
        if key.is_empty() || made.is_some() || notice == "today-notice-sent-before" {
            key = new_key();
        }

        let without = |names: &[&str]| {
            let dropped = [names, &["made", "entry", "w", "seal", "key", PROOF_FIELD]].concat();
            let kept = self.given.without(&dropped);
            serde_urlencoded::to_string(kept).unwrap_or_default()
        };
        let action = action_of(self.name);
        let other_way = match form.is_paper {
            true => format!("{action}?{}", without(&["paper", "when.day", "when.clock"])),
            false => format!("{action}?{}&paper=1", without(&["paper"])),
        };
        SayPage {
            f: self.visitor.frame(&title, "today"),
            as_new: format!("{action}?{}&new=1", without(&["on", "new"])),
            action,
            form,
            key,
            refused: None,
            notice,
            made,
            other_way,
        }
    }
}

/// Officers who may be named; none where that cannot be told. A form works without.
async fn officers_here(console: &Console, visitor: &Visitor) -> OfficerList {
    let all: OfficerList = console
        .api
        .get(&visitor.asker, "/v1/officers")
        .await
        .unwrap_or_default();
    let own = visitor.who.crossing.as_str();
    let here = all.officers.into_iter();
    OfficerList {
        officers: here
            .filter(|o| o.crossing.as_deref().is_none_or(|c| c == own))
            .collect(),
    }
}

/// Shows a form.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<FormName>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    if !is_text(query.as_bytes()) {
        return no_text(&visitor).page(&visitor);
    }

    let given = FormGiven::read(query.as_bytes());
    made_or_refused(shown(&console, &visitor, &name, given).await, &visitor)
}

async fn shown(
    console: &Console,
    visitor: &Visitor,
    name: &FormName,
    given: FormGiven,
) -> Result<SayPage, Refused> {
    let made = FormMade::of_query(console, visitor, &given).await?;
    let filling = FilledForm::of(console, visitor, name, given).await?;
    let record = match filling.given.get("on") {
        "" => None,
        on => match meant(&filling, on).await? {
            Meant::One(record) => Some(*record),
            Meant::Several(_) | Meant::Nothing => None,
        },
    };

    let mut form = filling.form(record)?;
    if form.is_paper && !filling.given.has("when.day") {
        let day = times::day_of(filling.now_ms).to_string();
        if let Some(input) = form.paper.iter_mut().find(|i| i.name == "when.day") {
            input.values = vec![day];
        }
        form.set_first();
    }
    Ok(filling.page(form, "", made))
}

async fn meant(filling: &FilledForm<'_>, text: &str) -> Result<Meant, Refused> {
    let api = &filling.console.api;
    target::find(
        api,
        filling.asker(),
        &filling.name.0,
        text,
        &filling.authority.owns,
    )
    .await
}

/// The refusal of a form that is no text of UTF-8: of a plate a letter would be lost.
fn no_text(visitor: &Visitor) -> Refused {
    let language = visitor.language();
    let why = language.sentence("today-no-text", []);
    Refused::new(
        language,
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad_encoding",
        why,
    )
}

/// Takes a form. What was typed is never lost: whatever goes wrong, the page has it.
pub(super) async fn take(
    State(console): State<Console>,
    visitor: Result<Visitor, Response>,
    Path(name): Path<FormName>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_text(&body) {
        return match visitor {
            Ok(visitor) => no_text(&visitor).page(&visitor),
            Err(answer) => answer,
        };
    }

    let given = FormGiven::read(&body);
    let refused = match visitor {
        Ok(visitor) => match taken(&console, &visitor, &name, given.clone()).await {
            Ok(answer) => return answer,
            // Trying again changes nothing about it.
            Err(refused) if refused.status < 500 && refused.status != 401 => {
                return refused.page(&visitor);
            }
            Err(refused) => Some(refused),
        },
        // Where it could not be asked who it is, the answer says why.
        Err(answer) => answer.extensions().get::<Refused>().cloned(),
    };
    let refused = refused.filter(|refused| refused.status != 401);
    kept(&headers, &uri, &name, &given, refused)
}

/// What was typed, kept in the page: the session ended while the form was filled in, or the node
/// cannot take it now.
fn kept(
    headers: &HeaderMap,
    uri: &Uri,
    name: &FormName,
    given: &FormGiven,
    refused: Option<Refused>,
) -> Response {
    let Guest(nobody) = Guest::at(uri.path(), headers, None);
    let title = match refused {
        None => "today-lost-title",
        Some(_) => "today-kept-title",
    };
    let title = nobody.language().sentence(title, []);
    let status = refused
        .as_ref()
        .map_or(StatusCode::UNAUTHORIZED, Refused::http_status);
    let dropped: &[&str] = match refused {
        None => &[PROOF_FIELD],
        // The session is the same: it goes through as it is.
        Some(_) => &[],
    };
    let lost = LostPage {
        f: nobody.frame(&title, "today"),
        action: action_of(name),
        kept: given.without(dropped),
        refused,
    };
    page_with(status, &lost)
}

/// A form again, with what is wrong about it.
fn again(filling: &FilledForm<'_>, mut form: SayForm, status: StatusCode) -> Response {
    form.set_first();
    page_with(status, &filling.page(form, "", None))
}

async fn taken(
    console: &Console,
    visitor: &Visitor,
    name: &FormName,
    given: FormGiven,
) -> Result<Response, Refused> {
    let filling = FilledForm::of(console, visitor, name, given).await?;
    let record = match filling.given.get("shown") {
        "" => None,
        id => target::show(&console.api, &visitor.asker, id).await.ok(),
    };
    // The session is another one than the form's, as after signing in anew: whoever signed in looks
    // at it and sends it. Nothing is written for somebody else's form.
    if filling.given.get(PROOF_FIELD) != visitor.proof() {
        let form = filling.form(record)?;
        return Ok(page(&filling.page(
            form,
            "today-notice-signed-in-anew",
            None,
        )));
    }

    let mut form = filling.form(record)?;
    if let Some(name) = given_twice(&filling, &form) {
        let why = filling.say("today-wrong-twice");
        return match form.tell_wrong(&name, why.clone()) {
            true => Ok(again(&filling, form, StatusCode::UNPROCESSABLE_ENTITY)),
            false => Err(Refused::new(
                visitor.language(),
                StatusCode::UNPROCESSABLE_ENTITY,
                "duplicate_member",
                format!("{name}: {why}"),
            )),
        };
    }

    let mut body = match draft::body(&form, &filling.given, filling.now_ms) {
        Ok(body) => body,
        Err(wrong) => {
            for (input, why) in wrong {
                form.tell_wrong(&input, filling.say(why));
            }
            return Ok(again(&filling, form, StatusCode::UNPROCESSABLE_ENTITY));
        }
    };

    let path = match aim(&filling, &mut form, &mut body).await? {
        Some(path) => path,
        None => return Ok(again(&filling, form, StatusCode::UNPROCESSABLE_ENTITY)),
    };
    let key = Some(filling.given.get("key")).filter(|key| !key.is_empty());
    let written = console.api.post(filling.asker(), &path, &body, key).await;
    match written {
        Ok(written) => Ok(see_other(&after(&filling, &form, &written))),
        Err(refused) if refused.status == 401 => Err(refused),
        Err(refused) => Ok(refused_page(&filling, form, refused)),
    }
}

/// An input that was given twice, where no several are asked for.
fn given_twice(filling: &FilledForm<'_>, form: &SayForm) -> Option<String> {
    let is_list = |name: &str| {
        let mut lists = form.inputs().filter(|input| input.shape.holds == "holds");
        lists.any(|input| input.name == name)
    };
    filling.given.twice(is_list).map(String::from)
}

/// Where the form goes on after it made something: to itself, empty, below what was made.
fn after(filling: &FilledForm<'_>, form: &SayForm, written: &ReadWritten) -> String {
    let made = FormMade::query(filling.visitor, written);
    format!(
        "{}?{made}{}",
        action_of(filling.name),
        form.stays(&filling.given)
    )
}

/// The route that the write goes to, and the record that it is about in its body; nothing where
/// the form has to be asked again, which tells why.
async fn aim(
    filling: &FilledForm<'_>,
    form: &mut SayForm,
    body: &mut Json,
) -> Result<Option<String>, Refused> {
    let given = &filling.given;
    let append = |record: &str| Some(format!("/v1/records/{}/events", query_escaped(record)));
    match form.target {
        WritesOn::SiteDay => {
            let at_ms = body["happened_at_ms"].as_i64().unwrap_or(filling.now_ms);
            let day = super::site_day(filling.console, filling.visitor, at_ms).await?;
            if let Some(day) = day {
                return Ok(append(&day.record));
            }
            body["kind"] = "site-day".into();
            body["fields"]["date"] = times::day_of(at_ms).to_string().into();
            Ok(Some("/v1/records".into()))
        }
        WritesOn::New => {
            body["kind"] = form.kind.as_str().into();
            let about = given.get("about");
            if !about.is_empty() {
                let Some(record) = one_meant(filling, form, "passage", "about").await? else {
                    return Ok(None);
                };
                if let Some(events) = body["events"].as_array_mut() {
                    events.push(json!({"type": "link", "record": record.record}));
                }
            }
            Ok(Some("/v1/records".into()))
        }
        WritesOn::On => {
            let Some(record) = one_meant(filling, form, &form.kind.clone(), "on").await? else {
                return Ok(None);
            };
            // What the screen showed is what its officer could have known.
            let shown: Vec<&str> = given
                .get("heads")
                .split(',')
                .filter(|h| !h.is_empty())
                .collect();
            if !shown.is_empty() && given.get("shown") == record.record {
                body["based_on"] = json!(shown);
            }
            Ok(append(&record.record))
        }
    }
}

/// The record that was chosen, or the one that is meant by what was typed.
async fn one_meant(
    filling: &FilledForm<'_>,
    form: &mut SayForm,
    kind: &str,
    input: &str,
) -> Result<Option<ReadRecord>, Refused> {
    let given = &filling.given;
    let (picked, asked) = match (given.get("pick"), given.get(input)) {
        ("", "") => {
            form.tell_wrong(input, filling.say("today-wrong-missing"));
            return Ok(None);
        }
        (picked, "") => ("", picked),
        (picked, typed) => (picked, typed),
    };

    let api = &filling.console.api;
    let owned = &filling.authority.owns;
    match target::find(api, filling.asker(), kind, asked, owned).await? {
        Meant::One(record) => Ok(Some(*record)),
        // The choice was among what had been typed then: whoever typed another text since means
        // another record.
        Meant::Several(mut all) => {
            if let Some(chosen) = all.iter().position(|record| record.record == picked) {
                return Ok(Some(all.swap_remove(chosen)));
            }

            form.tell_wrong(input, filling.say("today-wrong-several"));
            form.picks = all;
            Ok(None)
        }
        Meant::Nothing => {
            form.tell_wrong(input, filling.say("today-wrong-none"));
            Ok(None)
        }
    }
}

/// A form that the API refused: beside the input that it names, and above all.
fn refused_page(filling: &FilledForm<'_>, mut form: SayForm, refused: Refused) -> Response {
    let named = form
        .inputs()
        .find(|input| names(&refused.detail, &input.shape.name));
    if let Some(name) = named.map(|input| input.name.clone()) {
        form.tell_wrong(&name, refused.detail.clone());
    }
    form.set_first();

    let notice = match refused.code.as_str() {
        "key_reused" => "today-notice-sent-before",
        _ => "",
    };
    let status = refused.http_status();
    let mut shown = filling.page(form, notice, None);
    shown.refused = Some(refused);
    page_with(status, &shown)
}

/// Whether a refusal begins with the name of a field or of an event's member.
fn names(detail: &str, name: &str) -> bool {
    let Some((named, _)) = detail.split_once(": ") else {
        return false;
    };
    // A line of Arabic keeps it apart from the words around it.
    let named = named.trim_matches(['\u{2068}', '\u{2069}']);
    named == name
        || named
            .strip_suffix(name)
            .is_some_and(|before| before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_beside_the_input_that_it_names() {
        assert!(names("weighed.gross_kg: is beyond 2^53", "gross_kg"));
        assert!(names(
            "container.1: the check digit is wrong",
            "container.1"
        ));
        assert!(!names("weighed.gross_kg: expected", "kg"));
        assert!(!names("the officer was revoked", "officer"));
    }

    #[test]
    fn no_two_forms_have_one_key() {
        assert_ne!(new_key(), new_key());
        assert!(new_key().len() <= 128);
    }
}
