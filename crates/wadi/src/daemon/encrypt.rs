//! `wadi node encrypt`: the database of a stopped node, encrypted by a key among its papers, and
//! back.

use super::{lock, store::store_key_missing};
use crate::{
    config::Config,
    failure::{Exit, Failure},
    pki::{Papers, WORK_FACTOR_MAX, make_store_key},
    print,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use wadi_store::{Recoded, SetAside, StoreError, StoreKey};

#[derive(clap::Args, Clone, Debug)]
pub struct EncryptArgs {
    /// The configuration; it says `database_encrypted = true`, or with --undo no longer.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
    /// Bring the database back into clear.
    #[arg(long)]
    undo: bool,
    /// Where the papers are sealed: what opening the new key costs whoever guesses passphrases, as
    /// a power of two, as `wadi node seal` takes it.
    #[arg(long, value_parser = clap::value_parser!(u8).range(10..=i64::from(WORK_FACTOR_MAX)))]
    work_factor: Option<u8>,
}

/// Encrypts the database, or brings it back into clear: as the configuration says.
///
/// # Errors
///
/// `bad_configuration` where the configuration says the contrary; `store_key_missing` where the
/// database is encrypted and its key is not there; and those of [`wadi_store::recode_sqlite`].
/// Nothing was changed then.
pub(super) async fn encrypt(args: &EncryptArgs, json: bool) -> Result<Exit, Failure> {
    let config = Config::read(&args.config)?;
    if config.database_encrypted == args.undo {
        let why = match args.undo {
            true => "take `database_encrypted = true` out of the configuration first",
            false => "say `database_encrypted = true` in the configuration first",
        };
        return Err(Failure::usage("bad_configuration", why));
    }

    let papers = Papers::read(&config.papers)?;
    wadi_store::private::create_dir_all(&config.data)?;
    let _lock = lock(&config)?;
    let (key, made) = match papers.store_key.clone() {
        Some(key) => (key, false),
        None if args.undo || is_encrypted(&config).await? => {
            return Err(store_key_missing(&config.papers));
        }
        None => (make_store_key(&config.papers, args.work_factor)?, true),
    };

    let done = recode(&config, &papers, &key, !args.undo, json).await?;
    let left = match args.undo {
        true => Vec::new(),
        false => clear_copies(&config.data),
    };
    tell(&config, args.undo, made, done, &left, json);
    Ok(Exit::Done)
}

/// Whether the database says that it is encrypted: then no new key reads it.
async fn is_encrypted(config: &Config) -> Result<bool, Failure> {
    if let Some(url) = &config.database {
        let looked = wadi_store::PostgresStore::look(url, &config.data).await?;
        return Ok(looked.encrypted);
    }
    if !config.data.join("node.sqlite").exists() {
        return Ok(false);
    }

    match wadi_store::CopyReader::open(&config.data.join("node.sqlite"), None).await {
        Ok(_) => Ok(false),
        Err(StoreError::Encrypted) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Nothing where it is so already, or no database is there yet.
async fn recode(
    config: &Config,
    papers: &Papers,
    key: &StoreKey,
    encrypt: bool,
    json: bool,
) -> Result<Option<Recoded>, Failure> {
    let bar = print::progress(json, None, "{spinner} {pos} rows  {per_sec}");
    let heard = bar.clone();
    let done = match &config.database {
        Some(url) => wadi_store::recode_postgres(url, key, encrypt, move |n| heard.inc(n)).await?,
        None if !config.data.join("node.sqlite").exists() => None,
        None => {
            let node = papers.enrolment.node();
            let told = move |n| heard.inc(n);
            wadi_store::recode_sqlite(&config.data, node, key, encrypt, told).await?
        }
    };

    bar.finish_and_clear();
    Ok(done)
}

/// Copies beside the database that may lie there in clear: those that were set aside or kept.
fn clear_copies(data: &Path) -> Vec<String> {
    let kept = std::fs::read_dir(data).into_iter().flatten().flatten();
    let kept = kept.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("node.sqlite.before-restore-") || name == "node.sqlite.moved"
    });
    let set_aside = SetAside::all(data).into_iter().map(|aside| aside.dir);

    kept.chain(set_aside)
        .map(|path| path.display().to_string())
        .collect()
}

fn tell(
    config: &Config,
    undo: bool,
    made: bool,
    done: Option<Recoded>,
    left: &[String],
    json: bool,
) {
    let key = config.papers.join("store.key");
    let sums = done.unwrap_or_default();
    if json {
        let value = json!({
            "encrypted": !undo,
            "changed": done.is_some(),
            "key_made": made,
            "entries": sums.entries,
            "rows": sums.rows,
            "clear_copies": left,
        });
        crate::print::print_line!("{value}");
        return;
    }

    let there = config.database.is_some() || config.data.join("node.sqlite").exists();
    let what = match (done, undo) {
        (Some(_), false) => format!(
            "The database is encrypted: {} entries, {} rows.",
            sums.entries, sums.rows
        ),
        (Some(_), true) => format!("The database lies in clear again: {} rows.", sums.rows),
        (None, true) => "The database lies in clear already.".into(),
        (None, false) if there => "The database is encrypted already.".into(),
        (None, false) => "The database will be encrypted from its first start on.".into(),
    };
    crate::print::print_line!("{what}");

    if made {
        crate::print::print_line!(
            "Its key is {}. Keep a copy of it where the papers' copies are, away from this disk: \
             WITHOUT IT NOBODY READS THIS DATABASE OR ITS BACKUPS AGAIN, and what no peer holds is \
             lost. Seal it with the other papers (`wadi node seal`), or whoever has the disk has \
             the key.",
            key.display()
        );
    }
    if !left.is_empty() {
        crate::print::print_line!(
            "These copies may lie there in clear; remove them once they are not needed: {}. What \
             the disk held before may still be read from it.",
            left.join(", ")
        );
    }
}
