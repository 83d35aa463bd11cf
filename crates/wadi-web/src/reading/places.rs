//! What is told of nodes, places and people beside records, to a token that does not read all of
//! those.

use super::ReadRight;
use serde_json::{Value, json};
use wadi_log::Lane;
use wadi_record::Kind;

/// Lists of a node's status that tell of entries, members and records of any crossing.
const OF_ALL: [&str; 4] = ["forks", "cuts", "last_refused", "costs"];

impl ReadRight<'_> {
    /// Whether a member, an officer, or what was done about one is told: who is a hub's, of no
    /// crossing, or of one that is read.
    pub(crate) fn shows_place(&self, line: &Value) -> bool {
        let code = line["crossing"].as_str().filter(|code| !code.is_empty());
        line["role"] == "hub" || code.is_none_or(|code| self.check_crossing(code).is_ok())
    }

    /// Whether what is held of a lane of a crossing is told: of that of holds where holds of every
    /// type are read. No record lies in the lane of control.
    pub(crate) fn shows_lane(&self, lane: Lane, crossing: &str) -> bool {
        let is_read = |kind| match kind {
            Kind::QuarantineHold => self.all_holds().is_ok(),
            kind => self.check_kind(kind).is_ok(),
        };
        Kind::of_lane(lane).is_none_or(is_read) && self.check_crossing(crossing).is_ok()
    }

    /// Takes out of a node's status what tells of crossings and kinds that are not read, and names
    /// the lists that are not shown at all.
    pub(crate) fn show_status(&self, status: &mut Value) {
        if self.all_records().is_ok() {
            return;
        }

        if let Some(marks) = status["watermarks"].as_object_mut() {
            marks.retain(|crossing, _| self.check_crossing(crossing).is_ok());
        }
        if let Some(scopes) = status["scopes"].as_array_mut() {
            scopes.retain(|scope| {
                let lane = Lane::ALL.into_iter().find(|l| scope["lane"] == l.name());
                let crossing = scope["crossing"].as_str().unwrap_or_default();
                lane.is_some_and(|lane| self.shows_lane(lane, crossing))
            });
        }
        if let Some(peers) = status["peers"].as_array_mut() {
            peers.retain(|peer| self.shows_place(peer));
        }

        for list in OF_ALL {
            status[list] = json!([]);
        }
        status["withheld"] = json!(OF_ALL);
    }
}
