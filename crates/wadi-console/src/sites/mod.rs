//! Sites: the board with its map, and each site with its contacts.

pub(crate) mod answers;
mod board;
mod charts;
mod map;
mod peer_links;
mod traffic;
pub(crate) mod when;

pub(crate) use board::lane_word;
pub(crate) use map::outline;

use crate::{
    Console, answer, api::Refused, frame::PageFrame, moment::Moment, values, visitor::Visitor,
};
use answers::{ContactsRead, MembersRead, PeerRead, RefusalsRead, SitesRead};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use board::{BoardLine, MapMark};
use map::{MAP_HEIGHT, MAP_WIDTH};
use when::{bytes, length};

/// Contacts in the table of a site's page.
const CONTACTS_SHOWN: usize = 25;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/sites", get(show_board))
        .route("/console/sites/{site}", get(show_site))
}

#[derive(Template)]
#[template(path = "sites.html")]
struct BoardPage {
    f: PageFrame,
    at: Moment,
    ask: usize,
    lines: Vec<BoardLine>,
    marks: Vec<MapMark>,
    unplaced: Vec<String>,
    alarms: Vec<String>,
    outline: String,
    width: u32,
    height: u32,
}

/// What the board is made of.
struct BoardRead {
    sites: SitesRead,
    members: MembersRead,
    refusals: RefusalsRead,
}

impl BoardPage {
    fn new(f: PageFrame, read: &BoardRead) -> Self {
        let lines = board::lines(&f, &read.sites, &read.members, &read.refusals);
        let (marks, unplaced) = board::marks(&f, &read.sites);
        Self {
            at: Moment::of_ms(read.sites.now_ms),
            ask: lines.iter().filter(|line| line.asks).count(),
            lines,
            marks,
            unplaced,
            alarms: own_alarms(&f, &read.sites),
            outline: outline().path(),
            width: MAP_WIDTH,
            height: MAP_HEIGHT,
            f,
        }
    }
}

async fn show_board(State(console): State<Console>, visitor: Visitor) -> Response {
    let title = visitor.language().sentence("part-sites", []);
    let frame = visitor.frame(&title, "sites");
    match read_board(&console, &visitor).await {
        Ok(read) => answer::page(&BoardPage::new(frame, &read)),
        Err(refused) => refused.page(&visitor),
    }
}

async fn read_board(console: &Console, visitor: &Visitor) -> Result<BoardRead, Refused> {
    let (api, asker) = (&console.api, &visitor.asker);
    // Who reads some crossings or kinds alone is not told what was refused, and sees the rest.
    let refusals = match api.get(asker, "/v1/refusals?limit=500").await {
        Err(refused) if refused.code == "not_readable" => RefusalsRead::default(),
        read => read?,
    };
    Ok(BoardRead {
        sites: api.get(asker, "/v1/sites").await?,
        members: api.get(asker, "/v1/members").await?,
        refusals,
    })
}

#[derive(Template)]
#[template(path = "sites_one.html")]
struct SitePage {
    f: PageFrame,
    line: BoardLine,
    peer: PeerRead,
    id: String,
    usual: String,
    rtt: String,
    when_charts: Option<charts::SiteCharts>,
    contacts: Vec<ContactLine>,
    links: Vec<peer_links::PeerLinkLine>,
    traffic: Vec<traffic::TrafficLine>,
    budget: Option<String>,
    alarms: Vec<(String, String, Moment)>,
}

/// A contact in the table.
struct ContactLine {
    began: Moment,
    lasted: String,
    sent: String,
    received: String,
}

async fn show_site(
    State(console): State<Console>,
    visitor: Visitor,
    Path(site): Path<String>,
) -> Response {
    match read_site(&console, &visitor, &site).await {
        Ok(page) => answer::page(&page),
        Err(refused) => refused.page(&visitor),
    }
}

async fn read_site(console: &Console, visitor: &Visitor, site: &str) -> Result<SitePage, Refused> {
    let read = read_board(console, visitor).await?;
    let f = visitor.frame(site, "sites");
    let known = |name: &str| read.sites.peers.iter().find(|p| p.node == name).cloned();
    let (peer, is_own) = (known(site), read.sites.node == site);
    let unknown = || {
        let detail = f.say_of("sites-no-such", site);
        Refused::new(f.language, StatusCode::NOT_FOUND, "unknown_node", detail)
    };
    let peer = match (peer, is_own) {
        (Some(peer), _) => peer,
        (None, true) => PeerRead::default(),
        (None, false) => return Err(unknown()),
    };

    let path = format!("/v1/sites/{}/contacts", values::query_escaped(site));
    let contacts: ContactsRead = console.api.get(&visitor.asker, &path).await?;
    let line = board::lines(&f, &read.sites, &read.members, &read.refusals)
        .into_iter()
        .find(|line| line.name == site)
        .ok_or_else(unknown)?;

    let member = read.members.members.iter().find(|m| m.node == site);
    let alarm = |a: &answers::AlarmRead| {
        let name = f.language.alarm(&a.about);
        (name, f.say_alarm(&a.text), Moment::of_ms(a.since_ms))
    };
    Ok(SitePage {
        id: member.map_or_else(String::new, |m| m.id.clone()),
        usual: match peer.usual_dark_ms {
            Some(ms) => length(&f, ms),
            None => f.say("sites-unknown"),
        },
        rtt: match peer.rtt_ms {
            Some(ms) => format!("{ms} ms"),
            None => f.say("sites-unknown"),
        },
        when_charts: charts::of(&f, &contacts),
        contacts: contact_lines(&f, &contacts),
        links: peer_links::lines(&f, &peer),
        traffic: traffic::lines(&f, &peer),
        budget: traffic::budget(&peer),
        alarms: peer.alarms.iter().map(alarm).collect(),
        line,
        peer,
        f,
    })
}

/// What this node's alarms say, or their kinds where what they say is withheld.
fn own_alarms(f: &PageFrame, sites: &SitesRead) -> Vec<String> {
    if sites.alarms.is_empty() {
        let kinds = sites.alarm_kinds.keys();
        return kinds.map(|about| f.language.alarm(about)).collect();
    }

    sites.alarms.iter().map(|a| f.say_alarm(a)).collect()
}

fn contact_lines(f: &PageFrame, read: &ContactsRead) -> Vec<ContactLine> {
    let newest = read.contacts.iter().rev().take(CONTACTS_SHOWN);
    newest
        .map(|c| ContactLine {
            began: Moment::of_ms(c.began_ms),
            lasted: length(f, c.ended_ms - c.began_ms),
            sent: bytes(c.sent_bytes as f64),
            received: bytes(c.received_bytes as f64),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::ApiCaller, visitor::Who};
    use answers::LaneRead;
    use wadi_words::Language;

    fn frame(language: Language) -> PageFrame {
        let asker = ApiCaller {
            bearer: "t".into(),
            language,
            from: None,
            is_unattended: false,
        };
        let visitor = Visitor {
            asker,
            here: "/console/sites".into(),
            over_tls: false,
            who: Who {
                role: "hub".into(),
                ..Who::default()
            },
        };
        visitor.frame("sites", "sites")
    }

    /// Thirty nodes, six of them at crossings that the map knows, in every state of a link.
    fn country() -> BoardRead {
        let codes = ["WLD", "TRB", "QAM", "RAB", "MUN", "MAN"];
        let links = ["up", "dark", "flapping", "unknown"];
        let peer = |n: usize| PeerRead {
            node: format!("crossing-{n:02}"),
            role: Some("crossing".into()),
            crossing: Some(codes.get(n).map_or(format!("X{n:02}"), |c| c.to_string())),
            connected: n.is_multiple_of(4),
            link: links[n % 4].into(),
            dark_as_usual: (n % 4 == 1).then_some(n % 8 == 1),
            usual_dark_ms: (n % 4 == 1).then_some(7_200_000),
            backlog: n.is_multiple_of(4).then(|| {
                vec![LaneRead {
                    lane: "passage".into(),
                    to_send: 12,
                    sent_in_ms: Some(240_000),
                    to_fetch: 3_000,
                    fetched_in_ms: None,
                }]
            }),
            last_contact_ms: 1_764_111_000_000,
            certificate_ends_s: Some(1_764_111_600 + 86_400 * 12),
            ..PeerRead::default()
        };
        BoardRead {
            sites: SitesRead {
                node: "hub".into(),
                role: "hub".into(),
                now_ms: 1_764_111_600_000,
                peers: (0..30).map(peer).collect(),
                ..SitesRead::default()
            },
            members: MembersRead::default(),
            refusals: RefusalsRead::default(),
        }
    }

    #[test]
    fn thirty_nodes_stand_on_one_board_in_both_languages() {
        for language in Language::ALL {
            let page = BoardPage::new(frame(language), &country());
            assert_eq!(page.lines.len(), 31);
            assert_eq!(page.marks.len(), 7, "six crossings and the hub");
            assert_eq!(page.unplaced.len(), 24);

            let html = page.render().unwrap();
            for n in 0..30 {
                assert!(html.contains(&format!("crossing-{n:02}")), "{n}");
            }
            assert!(!html.contains("style="), "the page's policy forbids it");
            assert!(!html.contains("console-sites-"), "a sentence is missing");
            assert!(html.len() < 90_000, "{}", html.len());
        }
    }

    #[test]
    fn dark_as_ever_calls_nobody_and_dark_for_too_long_does() {
        let f = frame(Language::English);
        let read = country();
        let lines = board::lines(&f, &read.sites, &read.members, &read.refusals);
        let line = |name: &str| lines.iter().find(|l| l.name == name).unwrap();
        assert!(!line("crossing-01").asks, "dark as usual");
        assert!(line("crossing-05").asks, "dark for too long");
        assert_eq!(line("crossing-05").link, "late");
        assert!(line("crossing-02").asks, "flapping");
        assert!(!line("crossing-03").asks && line("crossing-03").link == "unknown");
    }

    #[test]
    fn a_backlog_says_by_lane_and_way_when_it_will_be_over() {
        let f = frame(Language::English);
        let read = country();
        let lines = board::lines(&f, &read.sites, &read.members, &read.refusals);
        let up = lines.iter().find(|l| l.name == "crossing-00").unwrap();
        let passages = &up.backlog.as_ref().unwrap()[0];
        assert_eq!(passages.to_send, "12 to send (over in 4 minutes)");
        assert_eq!(passages.to_fetch, "3000 to receive (nobody knows by when)");
    }

    #[test]
    fn a_crossing_sees_by_lane_what_no_hub_holds_yet() {
        let mut read = country();
        read.sites.role = "crossing".into();
        read.sites.crossing = "TRB".into();
        read.sites.unsent_by_lane = serde_json::from_value(serde_json::json!([
            {"lane": "hold", "unsent": 2, "expected_at_hub":
                {"at_ms": 1_764_120_000_000_i64, "by": "hour_of_day", "wrong_by_ms": null}},
            {"lane": "passage", "unsent": 40, "expected_at_hub": null},
        ]))
        .unwrap();
        let page = BoardPage::new(frame(Language::English), &read);
        let html = page.render().unwrap();
        assert!(
            html.contains("holds: 2 to send · at the hub about <time"),
            "{html}"
        );
        assert!(
            html.contains("passages: 40 to send · nobody knows by when"),
            "{html}"
        );
    }

    #[test]
    fn alarms_say_in_the_language_of_the_page_what_is_wrong() {
        let mut read = country();
        let english = "the anchor file is missing: nobody can tell whether the database is whole";
        read.sites.alarms = vec![english.into(), "something of tomorrow".into()];
        let arabic = BoardPage::new(frame(Language::Arabic), &read);
        assert!(!arabic.alarms[0].contains("anchor"), "{}", arabic.alarms[0]);
        assert_eq!(arabic.alarms[1], "something of tomorrow");
        let page = BoardPage::new(frame(Language::English), &read);
        assert_eq!(page.alarms[0], english);

        // To whom what they say is withheld, their kinds.
        read.sites.alarms = Vec::new();
        read.sites.alarm_kinds = [("clock".to_string(), 1)].into();
        let page = BoardPage::new(frame(Language::Arabic), &read);
        assert_eq!(page.alarms, [Language::Arabic.alarm("clock")]);
    }

    #[test]
    fn a_name_is_never_markup() {
        let mut read = country();
        read.sites.peers[0].node = "<b>\"x'&".into();
        read.sites.alarms = vec!["<script>".into()];
        let html = BoardPage::new(frame(Language::Arabic), &read)
            .render()
            .unwrap();
        assert!(!html.contains("<b>") && !html.contains("<script>alarm"));
        assert!(!html.contains("<script>"), "an alarm became markup");
    }
}
