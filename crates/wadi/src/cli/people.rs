//! `wadi officers` and `wadi members`: whom the hub registered, and which nodes are enrolled.

use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text_s},
};
use serde_json::Value;

pub fn list_officers(at: &NodeAt, json: bool) -> Result<Exit, Failure> {
    let value = Client::at(at)?.get("/v1/officers")?;
    print_answer(json, &value, |v| {
        let mut table = print::table([
            "officer",
            "department",
            "crossing",
            "rank",
            "name",
            "state",
            "own keys",
        ]);
        for o in v["officers"].as_array().into_iter().flatten() {
            let rank = if o["supervisor"] == true {
                "supervisor"
            } else {
                ""
            };
            let state = if o["revoked"] == true { "revoked" } else { "" };
            let keys = o["keys"].as_array().into_iter().flatten();
            let keys: Vec<String> = keys
                .map(|key| match key["taken_back"] == true {
                    true => format!("{} taken back", member_text(key, "fingerprint")),
                    false => member_text(key, "fingerprint"),
                })
                .collect();
            table.add_row([
                member_text(o, "officer"),
                member_text(o, "department"),
                member_text(o, "crossing"),
                rank.into(),
                member_text(o, "name"),
                state.into(),
                keys.join("\n"),
            ]);
        }

        table.to_string()
    });

    Ok(Exit::Done)
}

pub fn list_members(at: &NodeAt, json: bool) -> Result<Exit, Failure> {
    let value = Client::at(at)?.get("/v1/members")?;
    print_answer(json, &value, members_text);
    Ok(Exit::Done)
}

/// Members as a table.
pub(super) fn members_text(told: &Value) -> String {
    let mut table = print::table(["node", "role", "crossing", "enrolled", "state"]);
    for m in told["members"].as_array().into_iter().flatten() {
        let flags = ["cut", "forked", "spare"]
            .into_iter()
            .filter(|f| m[*f] == true);
        let closed = m["closed_s"].is_i64().then_some("closed");
        table.add_row([
            member_text(m, "node"),
            member_text(m, "role"),
            member_text(m, "crossing"),
            time_text_s(m["issued_s"].as_i64().unwrap_or(0)),
            flags.chain(closed).collect::<Vec<_>>().join(" "),
        ]);
    }

    table.to_string()
}

/// A person, and whether a token that is nobody's own named them.
pub(crate) fn claimed_text(person: String, by_token: &str) -> String {
    match by_token {
        "" => person,
        token if token == person => format!("nobody named (token {token})"),
        token => format!("{person} (claimed, token {token})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_name_is_told_as_one() {
        let told = |person: &str, token: &str| claimed_text(person.into(), token);
        assert_eq!(told("Layla", ""), "Layla");
        assert_eq!(told("Layla", "operator"), "Layla (claimed, token operator)");
        assert_eq!(
            told("operator", "operator"),
            "nobody named (token operator)"
        );
    }
}
