//! The spool directory: a JSON file dropped there becomes an entry and moves to `done/` with what
//! it came to, or to `bad/` with its reason. No file holds up another, whatever its name, its kind
//! or its bytes.

use crate::{
    DraftBody, Problem, Token, TokenScope,
    problem::unprocessable,
    records::{put_standing, written_json},
    settle::settle_file,
    strict::{content_hash, decode_text, parse_object},
    tokens::scope_of_device,
};
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    ffi::OsString,
    fs::Metadata,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use wadi_node::Node;

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A file that does not read, and did not change for so long, counts as bad. It is this process's
/// own clock that says so: a file's time is whatever its writer's clock was.
const GRACE: Duration = Duration::from_secs(5);
/// How long a file that could not be moved is left alone.
const STUCK: Duration = Duration::from_secs(30);
/// Files that may wait without a word.
const WAITING_MAX: usize = 200;
/// For so long they may become more.
const GROWS_FOR: Duration = Duration::from_secs(60);
/// Bytes of a file at most.
const FILE_BYTES_MAX: u64 = crate::BODY_BYTES_MAX as u64;
/// The alarm's subject.
const ALARM: &str = "spool";

/// Works off a directory until the future is dropped. Files name the device and its counter, or an
/// officer and a department; `record` names the record that exists, and a file without it begins
/// one.
pub async fn run_spool(node: Arc<Node>, dir: PathBuf) -> io::Result<()> {
    let mut spool = Spool {
        node,
        dir,
        seen: HashMap::new(),
        backlog: Backlog::default(),
    };

    loop {
        for sub in ["done", "bad"] {
            std::fs::create_dir_all(spool.dir.join(sub))?;
        }
        spool.look_through().await?;
        tokio::time::sleep(LOOK).await;
    }
}

struct Spool {
    node: Arc<Node>,
    dir: PathBuf,
    /// The files that lie in the directory and could not be settled at the first look.
    seen: HashMap<OsString, SeenFile>,
    backlog: Backlog,
}

/// How many files wait, and since when they have not become fewer.
#[derive(Default)]
struct Backlog {
    least: Option<(usize, Instant)>,
}

impl Backlog {
    /// Takes in how many files wait now. Whether too many have for too long.
    fn grows(&mut self, waiting: usize, now: Instant) -> bool {
        let since = match self.least {
            Some((least, since)) if waiting >= least => since,
            _ => {
                self.least = Some((waiting, now));
                now
            }
        };

        if waiting <= WAITING_MAX {
            self.least = None;
            return false;
        }

        now.duration_since(since) >= GROWS_FOR
    }
}

/// A file as it was when it last changed.
struct SeenFile {
    length: u64,
    modified: Option<SystemTime>,
    since: Instant,
    /// Why it could not be moved, and when that was tried.
    stuck: Option<(Instant, String)>,
}

enum Taken {
    /// Written, now or before; what it came to.
    Written(String),
    Bad(String),
    Unfinished,
}

impl Spool {
    async fn look_through(&mut self) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            // One that vanished meanwhile is nobody's trouble.
            let Ok(entry) = entry else { continue };
            let name = entry.file_name();
            if name.as_bytes().to_ascii_lowercase().ends_with(b".json") {
                names.push(name);
            }
        }

        let waiting = names.len();
        let grows = self.backlog.grows(waiting, Instant::now());
        self.tell_alarm(grows.then_some(waiting));

        names.sort();
        self.seen
            .retain(|name, _| names.binary_search(name).is_ok());

        for name in names {
            self.settle_one(name).await;
        }

        self.tell_alarm(grows.then_some(waiting));
        Ok(())
    }

    async fn settle_one(&mut self, name: OsString) {
        let file = self.dir.join(&name);
        let Ok(meta) = file.symlink_metadata() else {
            return;
        };
        let quiet = self.quiet_for(&name, &meta);

        if self
            .seen
            .get(&name)
            .and_then(|s| s.stuck.as_ref())
            .is_some_and(|(tried, _)| tried.elapsed() < STUCK)
        {
            return;
        }

        let (sub, suffix, told) = match take_file(&self.node, &file, &meta, quiet).await {
            Taken::Unfinished => return,
            Taken::Written(answer) => ("done", ".answer", answer),
            Taken::Bad(why) => {
                tracing::warn!(file = %file.display(), why, "a spooled file is bad");
                ("bad", ".reason", why)
            }
        };

        match settle_file(&file, &self.dir.join(sub), suffix, &told) {
            Ok(()) => drop(self.seen.remove(&name)),
            Err(error) => {
                tracing::error!(
                    file = %file.display(),
                    %error,
                    "a spooled file could not be moved to {sub}/",
                );
                if let Some(seen) = self.seen.get_mut(&name) {
                    seen.stuck = Some((Instant::now(), format!("to {sub}/: {error}")));
                }
            }
        }
    }

    /// For how long a file has not changed, as far as this process knows.
    fn quiet_for(&mut self, name: &OsString, meta: &Metadata) -> Duration {
        let now = SeenFile {
            length: meta.len(),
            modified: meta.modified().ok(),
            since: Instant::now(),
            stuck: None,
        };

        let seen = self.seen.entry(name.clone()).or_insert(now);
        if (seen.length, seen.modified) != (meta.len(), meta.modified().ok()) {
            seen.length = meta.len();
            seen.modified = meta.modified().ok();
            seen.since = Instant::now();
        }

        seen.since.elapsed()
    }

    /// Raises the alarm for files that cannot be moved, or for more and more of them, or ends it.
    fn tell_alarm(&self, growing: Option<usize>) {
        let stuck = self
            .seen
            .iter()
            .filter_map(|(name, seen)| Some((name, &seen.stuck.as_ref()?.1)));
        let mut stuck: Vec<_> = stuck.collect();

        stuck.sort();
        let alarm = stuck.first().map(|(name, why)| {
            let name = name.to_string_lossy();
            format!(
                "{} spooled files cannot be moved out of the spool; {name:?} {why}",
                stuck.len()
            )
        });

        let growing = growing.map(|waiting| {
            format!(
                "{waiting} files wait in the spool, and they do not become fewer: what fills it is \
                 faster than this node writes, or nothing can be written"
            )
        });

        self.node.set_alarm(ALARM, alarm.or(growing));
    }
}

async fn take_file(node: &Arc<Node>, file: &Path, meta: &Metadata, quiet: Duration) -> Taken {
    if !meta.is_file() {
        return Taken::Bad(
            "not_a_file: only files are read, no links, directories or pipes".into(),
        );
    }

    let map = match read_file(file).and_then(|bytes| parse(&bytes)) {
        Ok(map) => map,
        Err(Unread::TooLarge(problem)) => return Taken::Bad(reason(&problem)),
        // Whoever writes it may still be at it.
        Err(Unread::Broken(_)) if quiet < GRACE => return Taken::Unfinished,
        Err(Unread::Broken(problem)) => {
            return Taken::Bad(format!(
                "{}; write to another name and rename it to .json",
                reason(&problem)
            ));
        }
    };

    // A file's name is its key: a power cut between writing and moving makes no second entry.
    match write_draft(node, map, key_of(file)).await {
        Ok(answer) => Taken::Written(answer),
        Err(problem) if problem.status >= 500 => Taken::Unfinished,
        Err(problem) => Taken::Bad(reason(&problem)),
    }
}

fn reason(problem: &Problem) -> String {
    format!("{}: {}", problem.code, problem.detail)
}

/// Why a file gives no draft.
enum Unread {
    /// However long its writer takes, it does not become smaller.
    TooLarge(Problem),
    /// It may become whole.
    Broken(Problem),
}

impl From<Problem> for Unread {
    fn from(problem: Problem) -> Self {
        Self::Broken(problem)
    }
}

/// The file's bytes, no more than may be: it may grow while it is read.
fn read_file(file: &Path) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    let opened =
        std::fs::File::open(file).and_then(|f| f.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    opened.map_err(|e| unprocessable("unreadable", e.to_string()))?;

    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Unread::TooLarge(unprocessable(
            "body_too_large",
            format!("more than the {FILE_BYTES_MAX} bytes that a file may have"),
        )));
    }

    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(unprocessable("empty_file", "there is nothing in it").into());
    }

    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Unread> {
    Ok(parse_object(&decode_text(bytes)?)?)
}

/// The key of a file: its name, or the hash of one that is no plain text.
fn key_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    match name.to_str() {
        Some(text) if !text.chars().any(char::is_control) => text.to_string(),
        _ => crate::auth::hash_bytes(name.as_bytes()),
    }
}

/// Writes what a file says; what it came to, as JSON.
async fn write_draft(
    node: &Arc<Node>,
    mut map: Map<String, Value>,
    key: String,
) -> Result<String, Problem> {
    let content = content_hash(&[&Value::Object(map.clone())]);
    let record = take_text(&mut map, "record")?;
    let scope = match take_text(&mut map, "device")? {
        Some(device) => scope_of_device(node, &device).await?,
        None => TokenScope::Operator,
    };
    let body: DraftBody = serde_json::from_value(Value::Object(map))
        .map_err(|e| unprocessable("bad_body", e.to_string()))?;
    let mrz = body.zone_warnings(node);

    let on = match record {
        None => None,
        Some(id) => Some(node.reads().find_kind(&id).await?),
    };

    let token = Token::new("spool", scope);
    let mut write = body.into_write(node, &token, on, Some(key)).await?;

    write.content = Some(content);
    let written = node.write(write).await?;

    let mut answer = written_json(&written, mrz);
    put_standing(node, &mut [(written.record, &mut answer)]).await;
    Ok(answer.to_string())
}

/// A member that has to be text, where it is given.
fn take_text(map: &mut Map<String, Value>, member: &str) -> Result<Option<String>, Problem> {
    match map.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(other) => Err(unprocessable(
            "bad_body",
            format!("{member}: expected text, found {other}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_that_does_not_become_emptier_is_told_and_one_that_is_worked_off_is_not() {
        let began = Instant::now();
        let later = began + GROWS_FOR;
        let mut backlog = Backlog::default();
        assert!(!backlog.grows(5_000, began), "a backlog was dropped there");
        assert!(!backlog.grows(4_000, later), "it is worked off");
        assert!(!backlog.grows(4_100, later + GROWS_FOR / 2));
        assert!(backlog.grows(4_000, later + GROWS_FOR));

        assert!(!backlog.grows(WAITING_MAX, later + GROWS_FOR));
        assert!(
            !backlog.grows(WAITING_MAX + 1, later + GROWS_FOR * 2),
            "anew"
        );
    }
}
