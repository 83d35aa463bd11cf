//! `wadi findings`: what contradicts what, and what auditors do about it.

use super::{
    finding_page::{cited_entries, finding_page},
    signing::SigningArgs,
};
use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer},
    words,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wadi_words::Group;

/// What a finding may have been.
const DISPOSITIONS: [&str; 4] = ["true", "explained", "false_alarm", "duplicate"];

#[derive(Subcommand)]
pub enum FindingsCommand {
    /// Lists findings, the most severe first. Exit code 3 where there is any.
    List {
        #[command(flatten)]
        filter: FindingsFilter,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Shows one with its evidence and its life.
    Show {
        /// The finding's id.
        finding: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Gives findings to somebody.
    Assign {
        /// The findings' ids.
        #[arg(required = true)]
        findings: Vec<String>,
        /// Who looks into them: a service number.
        #[arg(long)]
        to: String,
        #[command(flatten)]
        who: AuditorArgs,
    },
    /// Proposes how one should be settled, on its evidence as it stands.
    Propose {
        /// The finding's id.
        finding: String,
        /// Waive it, and do not resolve it.
        #[arg(long)]
        waive: bool,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        who: AuditorArgs,
    },
    /// Decides a proposal; who decides is not who proposed.
    Decide {
        /// The finding's id.
        finding: String,
        /// Approve the proposal.
        #[arg(long, conflicts_with = "reject", required_unless_present = "reject")]
        approve: bool,
        /// Reject it.
        #[arg(long)]
        reject: bool,
        /// What the finding was, of an approval: true, explained, false_alarm or duplicate.
        #[arg(long, value_parser = DISPOSITIONS)]
        disposition: Option<String>,
        /// The finding that says the same, of a duplicate alone.
        #[arg(long)]
        duplicate_of: Option<String>,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        who: AuditorArgs,
    },
    /// Undoes a decision or a proposal: the last one, or the event given.
    Undo {
        /// The finding's id.
        finding: String,
        /// The event to undo, as `show` gives it.
        #[arg(long)]
        event: Option<String>,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        who: AuditorArgs,
    },
    /// Has every record looked at afresh.
    Recheck {
        #[command(flatten)]
        at: NodeAt,
    },
}

/// Who speaks, and to which node.
#[derive(Args)]
pub struct AuditorArgs {
    /// The auditor, where the token names nobody; for `assign` alone. Who proposes, decides or
    /// undoes does it with a token of their own.
    #[arg(long)]
    officer: Option<String>,
    #[command(flatten)]
    at: NodeAt,
}

/// Which findings.
#[derive(Args)]
pub struct FindingsFilter {
    /// A rule's code, as R02.
    #[arg(long)]
    rule: Option<String>,
    /// 1 is highest.
    #[arg(long)]
    severity: Option<u8>,
    /// Crossing's code.
    #[arg(long)]
    crossing: Option<String>,
    /// PENDING or FIRM.
    #[arg(long)]
    phase: Option<String>,
    /// OPEN, ASSIGNED, PENDING_RESOLUTION, RESOLVED or WAIVED.
    #[arg(long)]
    state: Option<String>,
    /// Who looks into it.
    #[arg(long)]
    assignee: Option<String>,
    /// Only what happened so many hours ago or more.
    #[arg(long)]
    older_than_h: Option<i64>,
    /// The cursor of the next page, as the page before gives it.
    #[arg(long)]
    after: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl FindingsFilter {
    fn query(&self) -> String {
        let number = |n: Option<i64>| n.map(|n| n.to_string());
        let parts = [
            ("rule", self.rule.clone()),
            ("severity", number(self.severity.map(i64::from))),
            ("crossing", self.crossing.clone()),
            ("phase", self.phase.clone()),
            ("state", self.state.clone()),
            ("assignee", self.assignee.clone()),
            ("older_than_h", number(self.older_than_h)),
            ("after", self.after.clone()),
            ("limit", Some(self.limit.to_string())),
        ];

        let given = parts.iter().filter_map(|(name, value)| {
            Some(format!("{name}={}", percent_encode(value.as_deref()?)))
        });

        given.collect::<Vec<_>>().join("&")
    }
}

pub fn run(command: FindingsCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        FindingsCommand::List { filter, at } => list(&filter, &at, json),
        FindingsCommand::Show { finding, at } => {
            let client = Client::at(&at)?;
            let value = client.get(&format!("/v1/findings/{finding}"))?;
            print::print_words_answer(json, &value, |found| {
                let entries = cited_entries(&client, found);
                finding_page(words::language(), found, &entries)
            });
            Ok(Exit::Done)
        }

        FindingsCommand::Assign { findings, to, who } => {
            assign_findings(&findings, &to, &who, json)
        }
        FindingsCommand::Propose {
            finding,
            waive,
            reason,
            who,
        } => {
            let act = json!({"act": "propose", "waive": waive, "reason": reason});
            post_act(json, &who, &finding, act)
        }
        FindingsCommand::Decide {
            finding,
            approve,
            reject: _,
            disposition,
            duplicate_of,
            reason,
            signing,
            who,
        } => {
            if approve && disposition.is_none() {
                let why = format!("name what it was: --disposition {}", DISPOSITIONS.join("|"));
                return Err(Failure::usage("no_disposition", why));
            }

            let act = json!({
                "act": "decide", "approve": approve, "disposition": disposition,
                "duplicate_of": duplicate_of, "reason": reason,
            });
            let act = signed_act(&signing, &who, &finding, act)?;
            post_act(json, &who, &finding, act)
        }
        FindingsCommand::Undo {
            finding,
            event,
            reason,
            who,
        } => {
            let act = json!({"act": "undo", "event": event, "reason": reason});
            post_act(json, &who, &finding, act)
        }

        FindingsCommand::Recheck { at } => {
            let value = Client::at(&at)?.post("/v1/findings/recheck", &json!({}))?;
            print_answer(json, &value, |_| "every record is looked at afresh".into());
            Ok(Exit::Done)
        }
    }
}

/// A decision under the auditor's own signature, where that is asked for.
fn signed_act(
    signing: &SigningArgs,
    who: &AuditorArgs,
    finding: &str,
    mut act: Value,
) -> Result<Value, Failure> {
    if !signing.is_asked() {
        return Ok(act);
    }

    act["officer"] = who.officer.clone().into();
    let decision = match act["approve"] == true {
        true => "APPROVED",
        false => "REJECTED",
    };
    let is_meant = |statement: &Value| {
        let events = statement["events"].as_array().map(Vec::as_slice);
        let puts = statement["puts"].as_object();
        let Some([event]) = events else {
            return false;
        };
        let same = |member: &str, asked: &Value| match asked {
            Value::Null => event.get(member).is_none(),
            Value::String(text) if text.is_empty() => event.get(member).is_none(),
            asked => event[member] == *asked,
        };

        puts.is_some_and(serde_json::Map::is_empty)
            && event["type"] == "finding.decided"
            && event["finding"] == finding
            && event["decision"] == decision
            && same("disposition", &act["disposition"])
            && same("duplicate_of", &act["duplicate_of"])
            && same("reason", &act["reason"])
    };

    let path = format!("/v1/findings/{finding}/statement");
    let signed = signing.sign(&Client::at(&who.at)?, &path, &act, is_meant)?;
    act["signature"] = json!({
        "based_on": signed.based_on,
        "signed_at_ms": signed.signed_at_ms,
        "signature": signed.signature.to_base64(wadi_record::DECISION_NAMESPACE),
    });

    Ok(act)
}

fn post_act(
    json: bool,
    who: &AuditorArgs,
    finding: &str,
    mut body: Value,
) -> Result<Exit, Failure> {
    body["officer"] = who.officer.clone().into();
    let done = Client::at(&who.at)?.post(&format!("/v1/findings/{finding}/acts"), &body)?;
    print_answer(json, &done, |v| {
        format!(
            "{}: written on {} as {}",
            member_text(v, "finding"),
            member_text(v, "record"),
            member_text(v, "entry")
        )
    });

    Ok(Exit::Done)
}

fn assign_findings(
    findings: &[String],
    to: &str,
    who: &AuditorArgs,
    json: bool,
) -> Result<Exit, Failure> {
    let body = json!({"findings": findings, "to": to, "officer": who.officer});
    let done = Client::at(&who.at)?.post("/v1/findings/assign", &body)?;
    let refused = done["refused"].as_array().cloned().unwrap_or_default();
    print_answer(json, &done, |v| {
        let mut out = format!(
            "{} assigned to {to}",
            v["assigned"].as_array().map_or(0, Vec::len)
        );
        for r in &refused {
            out += &format!(
                "\n{} was not: {}",
                member_text(r, "finding"),
                member_text(r, "why")
            );
        }

        out
    });

    Ok(if refused.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn list(filter: &FindingsFilter, at: &NodeAt, json: bool) -> Result<Exit, Failure> {
    let value = Client::at(at)?.get(&format!("/v1/findings?{}", filter.query()))?;
    let in_words = |v: &Value| {
        let mut table = words::table(["finding", "rule", "s", "phase", "state", "record", "what"]);
        let all = v["findings"].as_array();
        for f in all.into_iter().flatten() {
            let word = |group, member| words::beside(group, &member_text(f, member));
            let mut cells = print::row([
                member_text(f, "finding"),
                word(Group::Rule, "rule"),
                member_text(f, "severity"),
                word(Group::Phase, "phase"),
                word(Group::FindingState, "state"),
                member_text(f, "record"),
                String::new(),
            ]);
            // What others wrote in it is escaped there, and isolated from our words.
            if let Some(what) = cells.last_mut() {
                *what = words::found_text(f);
            }
            table.add_row(cells);
        }

        let shown = all.map_or(0, Vec::len);
        let count = [
            ("shown", shown.to_string()),
            ("count", v["count"].to_string()),
        ];
        let mut out = format!("{table}\n{}", words::said("findings-count", count));
        if v["next_after"].is_string() {
            // Outside of the sentence: it is copied, and no mark is to be in it.
            let cursor = member_text(v, "next_after");
            out += &format!("; {} --after {cursor}", words::said("more-with", []));
        }

        out
    };
    match json {
        true => print_answer(json, &value, in_words),
        false => print::words_lines(&in_words(&value)),
    }

    Ok(if value["count"] == 0 {
        Exit::Done
    } else {
        Exit::Open
    })
}
