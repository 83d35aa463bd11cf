//! What stands around every page: the language, the parts of the console, and who is signed in.

use crate::{
    Console,
    answer::see_other,
    api::ApiCaller,
    assets, values, visitor,
    visitor::{Guest, Visitor},
};
use axum::{
    Form,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wadi_words::{Filling, Language};

/// A part of the console, as the navigation names it.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// The name, as in `console-part-NAME`.
    pub name: &'static str,
    /// Where it begins.
    pub path: &'static str,
    /// The nodes that have it.
    pub on: Roles,
    /// Who has use for it.
    pub may: Readers,
}

/// Who has use for a part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Everybody who is signed in.
    Everybody,
    /// Auditors of the commission, and operators.
    Auditors,
}

/// Which nodes have a part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Every node.
    All,
    /// A hub alone.
    Hub,
    /// A crossing alone.
    Crossing,
}

/// The parts in the order of the navigation.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "today",
        path: "/console/today",
        on: Roles::Crossing,
        may: Readers::Everybody,
    },
    Part {
        name: "records",
        path: "/console/records",
        on: Roles::All,
        may: Readers::Everybody,
    },
    Part {
        name: "findings",
        path: "/console/findings",
        on: Roles::Hub,
        may: Readers::Everybody,
    },
    Part {
        name: "sites",
        path: "/console/sites",
        on: Roles::All,
        may: Readers::Everybody,
    },
    Part {
        name: "control",
        path: "/console/control",
        on: Roles::All,
        may: Readers::Auditors,
    },
    Part {
        name: "people",
        path: "/console/people",
        on: Roles::All,
        may: Readers::Everybody,
    },
];

/// A crossing's name, where the catalogue has one; else its code.
pub(crate) fn crossing_name(language: Language, code: &str) -> String {
    let id = format!("findings-crossing-{code}");
    let named = language.sentence(&id, []);
    if named == id { code.into() } else { named }
}

/// The frame of one page. Templates call it `f`.
pub(crate) struct PageFrame {
    /// The language of the page.
    pub language: Language,
    /// The page's title.
    pub title: String,
    /// The part that the page belongs to.
    pub part: &'static str,
    /// The page's path with its query, for switching the language.
    pub here: String,
    /// Who looks.
    pub who: visitor::Who,
    /// What forms carry.
    pub proof: String,
    /// Whether somebody is signed in.
    pub signed_in: bool,
}

impl PageFrame {
    pub(crate) fn new(visitor: &Visitor, title: &str, part: &'static str) -> Self {
        Self {
            language: visitor.language(),
            title: title.into(),
            part,
            here: visitor.here.clone(),
            who: visitor.who.clone(),
            proof: visitor.proof(),
            signed_in: !visitor.asker.bearer.is_empty(),
        }
    }

    /// A sentence of the console.
    pub(crate) fn say(&self, name: &str) -> String {
        self.language.sentence(name, [])
    }

    /// A sentence with a number.
    pub(crate) fn say_n(&self, name: &str, n: impl TryInto<i64>) -> String {
        let n = n.try_into().unwrap_or(i64::MAX);
        self.language.sentence(name, [("n", Filling::from(n))])
    }

    /// A sentence with a text. In Arabic, what is filled in does not turn what stands beside it.
    pub(crate) fn say_of(&self, name: &str, what: &str) -> String {
        self.language
            .sentence(name, [("what", Filling::from(what))])
    }

    /// What an alarm says, which nodes tell in English, as far as the catalogue has it.
    pub(crate) fn say_alarm(&self, english: &str) -> String {
        let told = self.language.alarm_text(english);
        told.unwrap_or_else(|| english.into())
    }

    /// A crossing's name.
    pub(crate) fn crossing(&self, code: &str) -> String {
        crossing_name(self.language, code)
    }

    /// What a part of the page is made of, by names with blanks between, each with its number: as
    /// `data-live` has it, and the stream that tells of changes is asked for. The numbers were read
    /// before anything else of the page, so that no change is missed.
    pub(crate) fn live(&self, parts: &str) -> String {
        let number = |part: &str| {
            let number = self.who.live.get(part).copied().unwrap_or(0);
            format!("{part}={number}")
        };
        let numbers: Vec<String> = parts.split_whitespace().map(number).collect();
        numbers.join("&")
    }

    /// What somebody is, as tokens say it: officer, operator, reader.
    pub(crate) fn say_is(&self, is: &str) -> String {
        self.say(&format!("is-{is}"))
    }

    /// How an account stands.
    pub(crate) fn say_state(&self, state: &str) -> String {
        self.say(&format!("account-state-{state}"))
    }

    /// What a line about signing in says.
    pub(crate) fn say_sign_in(&self, what: &str) -> String {
        self.say(&format!("sign-in-was-{what}"))
    }

    /// By which means somebody signed in.
    pub(crate) fn say_means(&self, means: &str) -> String {
        self.say(&format!("sign-in-by-{means}"))
    }

    /// The parts that this visitor finds in the navigation.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &'static Part> {
        let role = self.who.role.as_str();
        let is_here = move |part: &&Part| match part.on {
            Roles::All => true,
            Roles::Hub => role == "hub",
            Roles::Crossing => role == "crossing",
        };
        let is_auditor = self.who.is_auditor();
        let is_of_use = move |part: &&Part| part.may == Readers::Everybody || is_auditor;
        PARTS.iter().filter(is_here).filter(is_of_use)
    }

    /// Whether the page belongs to a part.
    pub(crate) fn is_in(&self, part: &Part) -> bool {
        part.name == self.part
    }

    /// A part's name.
    pub(crate) fn part_title(&self, part: &Part) -> String {
        self.say(&format!("part-{}", part.name))
    }

    /// The other languages, to switch to.
    pub(crate) fn other_languages(&self) -> impl Iterator<Item = Language> {
        let own = self.language;
        Language::ALL.into_iter().filter(move |l| *l != own)
    }

    /// What a language calls itself.
    pub(crate) fn own_name(&self, language: &Language) -> String {
        language.sentence("language-name", [])
    }

    /// The path of the styles.
    pub(crate) fn styles(&self) -> String {
        assets::styles_path()
    }

    /// The path of the icon.
    pub(crate) fn icon(&self) -> String {
        assets::icon_path()
    }

    /// The path of the script.
    pub(crate) fn script(&self) -> String {
        assets::script_path()
    }
}

/// Which language, and where to go on.
#[derive(Deserialize)]
pub(crate) struct LanguageForm {
    language: String,
    next: String,
}

/// Remembers the language, in this browser and with the account of whoever is signed in, and goes
/// back to where the visitor was.
pub(crate) async fn switch_language(
    State(console): State<Console>,
    guest: Guest,
    headers: HeaderMap,
    Form(form): Form<LanguageForm>,
) -> Response {
    let next = values::own_path(&form.next);
    let Some(language) = Language::of_tag(&form.language) else {
        return see_other(next);
    };

    if let Some(bearer) = visitor::bearer(&headers) {
        let asker = ApiCaller {
            bearer: bearer.into(),
            ..guest.0.asker
        };
        let body = json!({"language": language.tag()});
        let kept = console
            .api
            .post::<Value>(&asker, "/v1/language", &body, None);
        // One without an account has the language in this browser alone.
        let _ = kept.await;
    }

    let cookie = [(header::SET_COOKIE, visitor::language_cookie(language))];
    (cookie, see_other(next)).into_response()
}
