//! `wadi node move-store`: a hub's records from SQLite to PostgreSQL.

use super::{
    lock,
    store::{database_key, restore_unfinished},
};
use crate::{
    config::Config,
    failure::{Exit, Failure},
    pki::Papers,
    print,
};
use wadi_log::Role;

pub(super) async fn move_store(config: &Config, to: &str, json: bool) -> Result<Exit, Failure> {
    let papers = Papers::read(&config.papers)?;
    if papers.enrolment.role != Role::Hub {
        return Err(Failure::usage(
            "not_a_hub",
            "a crossing keeps its records on its own disk, in SQLite",
        ));
    }

    let _lock = lock(config)?;
    if wadi_store::restore_unfinished(&config.data) {
        return Err(restore_unfinished());
    }

    let bar = print::progress(json, None, "{spinner} {pos} entries  {per_sec}");

    let (node, key) = (papers.enrolment.node(), database_key(config, &papers)?);
    let moved = wadi_store::move_store(&config.data, to, node, key, |n| bar.inc(n)).await?;
    bar.finish_and_clear();
    if json {
        crate::print::print_line!(
            "{}",
            serde_json::json!({
                "entries": moved.entries,
                "logs": moved.logs,
                "rows": moved.rows,
                "kept": moved.kept,
            })
        );
    } else {
        crate::print::print_line!(
            "{} entries of {} logs are moved, every hash and root checked. Now put\n  database = \
             \"{to}\"\ninto the \
             configuration and start the node; the old database is kept as {}.",
            moved.entries,
            moved.logs,
            moved.kept.display()
        );
    }

    Ok(Exit::Done)
}
