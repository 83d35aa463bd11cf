//! The links with a site, where there are several: what each costs and is for, how it stands, and
//! what goes over it.

use super::{
    answers::{PeerLinkRead, PeerRead},
    board::state_word,
    lane_word,
    when::bytes,
};
use crate::{expected::ExpectedWords, frame::PageFrame};

/// A line of the table.
pub(super) struct PeerLinkLine {
    pub(super) name: String,
    /// What it costs and is for, in words.
    pub(super) about: String,
    pub(super) state: String,
    pub(super) expected: Option<ExpectedWords>,
    /// The lanes that are sent over it now, in words.
    pub(super) sends: String,
    /// What went over it this month, and what may.
    pub(super) month: String,
    pub(super) trouble: String,
}

/// The lines; none where there is one link.
pub(super) fn lines(f: &PageFrame, peer: &PeerRead) -> Vec<PeerLinkLine> {
    peer.links.iter().map(|link| line(f, link)).collect()
}

fn line(f: &PageFrame, link: &PeerLinkRead) -> PeerLinkLine {
    let lanes: Vec<String> = link.sends.iter().map(|l| lane_word(f, l)).collect();
    let month = &link.traffic.month;
    let used = bytes(month.sent.saturating_add(month.received) as f64);

    PeerLinkLine {
        name: link.name.clone(),
        about: format!(
            "{} · {}",
            f.say(&format!("sites-links-{}", link.cost)),
            f.say(&format!("sites-links-{}", link.purpose))
        ),
        state: state_word(f, &link.link),
        expected: link
            .next_contact
            .as_ref()
            .map(|read| ExpectedWords::of_link(f, read)),
        sends: match (link.connected, lanes.is_empty()) {
            (true, false) => lanes.join(" · "),
            _ => f.say("sites-nothing"),
        },
        month: match link.traffic.month_bytes_max {
            Some(most) => format!("{used} / {}", bytes(most as f64)),
            None => used,
        },
        trouble: match link.last_error.as_str() {
            "" => f.say("sites-none"),
            trouble => trouble.into(),
        },
    }
}
