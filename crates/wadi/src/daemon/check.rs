//! `wadi node check`: everything that a start needs, looked at without a start.

use super::{
    certificate_alarm, peer_addresses,
    serve::{clock, log_filter},
    store::{database_key, look_at_database, open_store},
};
use crate::{
    config::{Config, PeerConfig},
    failure::{Exit, Failure},
    pki::Papers,
};
use serde_json::{Value, json};
use std::path::Path;
use wadi_node::Clock;
use wadi_store::{AnchorState, StoreError};

/// Looks at everything that a start needs. A PostgreSQL database is only read, whoever writes to it
/// meanwhile.
pub(super) async fn check(config: &Config, json: bool) -> Result<Exit, Failure> {
    log_filter(config)?;
    let papers = Papers::read(&config.papers)?;
    let e = &papers.enrolment;
    e.verify(&papers.root)?;
    database_key(config, &papers)?;
    own_places(&config.data)?;
    super::papers_check::papers_and_addresses(config, &papers)?;
    super::tls::check_for_browsers(config)?;
    papers.identity.check_revocation_lists()?;

    peer_addresses(config, &papers)?;
    let peers = config.peer.len();
    let encrypted = config.database_encrypted;
    let mut found = json!({
        "node": e.name,
        "role": e.role.name(),
        "peers": peers,
        "database_encrypted": encrypted,
    });
    let mut state = check_database(config, &papers, &mut found).await?;
    state
        .notes
        .extend(config.peer.iter().flat_map(PeerConfig::doubts));
    state.notes.extend(super::tls::passkey_doubts(config));
    let now_s = clock(config, &papers).now_ms().div_euclid(1_000);
    state
        .notes
        .extend(certificate_alarm(papers.identity.ends_s(), now_s));
    for note in &state.notes {
        crate::print::print_error!("{note}");
    }

    found["notes"] = json!(state.notes);
    if json {
        crate::print::print_line!("{found}");
    } else if state.exit == Exit::Done {
        crate::print::print_line!(
            "{} ({}, {}): configuration, papers and database are in order; the database {}",
            e.name,
            e.role.name(),
            e.node(),
            match encrypted {
                true => "is encrypted",
                false => "lies in clear (docs/security.md, a captured disk)",
            }
        );
    }

    Ok(state.exit)
}

/// Refuses what stands in the place of what a node's directory holds of its own: a start ends at
/// it.
fn own_places(data: &Path) -> Result<(), Failure> {
    for (name, is_dir) in [("log", true), ("lock", false), ("operator.token", false)] {
        let path = data.join(name);
        let is_other = path.metadata().is_ok_and(|about| about.is_dir() != is_dir);
        if is_other {
            let needed = match is_dir {
                true => "a directory is needed here, and something else has its name",
                false => "a file is needed here, and a directory has its name",
            };
            return Err(Failure::usage(
                "unwritable",
                format!("{}: {needed}", path.display()),
            ));
        }
    }

    Ok(())
}

/// What there is to say of the database, and how the command ends for it.
struct DatabaseState {
    notes: Vec<String>,
    exit: Exit,
}

impl DatabaseState {
    fn add_violation(&mut self, note: String) {
        self.exit = Exit::Integrity;
        self.notes.push(note);
    }
}

async fn check_database(
    config: &Config,
    papers: &Papers,
    found: &mut Value,
) -> Result<DatabaseState, Failure> {
    let mut state = DatabaseState {
        notes: Vec::new(),
        exit: Exit::Done,
    };

    match &config.database {
        Some(url) => check_postgres(url, config, papers, found, &mut state).await?,
        None if config.data.join("node.sqlite").exists()
            || wadi_store::restore_unfinished(&config.data) =>
        {
            let store = open_store(config, papers, None, || ()).await?;
            match store.anchor_state() {
                AnchorState::LostTail { anchored, held, .. } => {
                    state.add_violation(lost_tail(*anchored, *held));
                }
                AnchorState::Unanchored => state.add_violation(
                    "ALARM: the anchor file is missing: nobody can tell whether the database is \
                     whole"
                        .into(),
                ),
                _ => {}
            }

            store.close().await;
        }
        None => {
            let anchored =
                wadi_store::AnchorFile::read(&config.data.join("anchor"))?.map_or(0, |a| a.commits);
            if anchored > 0 {
                state.add_violation(lost_tail(anchored, 0));
            }
        }
    }

    Ok(state)
}

async fn check_postgres(
    url: &str,
    config: &Config,
    papers: &Papers,
    found: &mut Value,
    state: &mut DatabaseState,
) -> Result<(), Failure> {
    let looked = look_at_database(url, config, papers).await?;
    let is_key_given = database_key(config, papers)?.is_some();
    match (looked.encrypted, is_key_given) {
        (true, false) => return Err(StoreError::Encrypted.into()),
        (false, true) if looked.commits > 0 => return Err(StoreError::NotEncrypted.into()),
        _ => {}
    }

    if looked.written_to {
        state.notes.push(
            "another daemon writes to this database; one started here would stand by".to_string(),
        );
    }

    if looked.read_only {
        state
            .notes
            .push("the database is read-only: records can be read, and nothing be written".into());
    }

    let anchor = match &looked.anchor {
        AnchorState::LostTail { anchored, held, .. } => {
            state.add_violation(lost_tail(*anchored, *held));
            "lost_tail"
        }
        AnchorState::New => "new",
        _ => "whole",
    };

    found["database"] = json!({
        "store": "postgres",
        "schema": looked.schema,
        "commits": looked.commits,
        "written_to": looked.written_to,
        "read_only": looked.read_only,
        "anchor": anchor,
    });
    Ok(())
}

pub(super) fn lost_tail(anchored: u64, held: u64) -> String {
    format!(
        "ALARM: the database was lost, restored or damaged: it holds {held} of {anchored} \
         acknowledged commits; what is \
         missing is fetched back from peers once the node runs"
    )
}
