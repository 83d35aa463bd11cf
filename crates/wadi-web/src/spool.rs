//! The spool directories: a JSON file dropped in one becomes an entry and moves to `done/` with
//! what it came to, or to `bad/` with its reason. No file holds up another, whatever its name, its
//! kind or its bytes, and none speaks for anybody but those whom its directory was configured for.

use crate::{
    DraftBody, Problem, Token,
    body::hash_of_number,
    problem::unprocessable,
    settle::settle_file,
    spool_place::{SpoolPlace, Unopened, take_text},
    strict::{content_hash, decode_text, parse_object, read_members},
    written::{Answered, put_standing, written_json},
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{DirEntry, File, Metadata},
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use unicode_normalization::UnicodeNormalization;
use wadi_node::{Node, SentContent};

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
/// A file under another name is its writer's until it has lain there for so long.
const OTHER_AFTER: Duration = Duration::from_secs(600);
/// Files under other names that are looked at.
const OTHERS_MAX: usize = 1_000;
/// Bytes of a file at most.
const FILE_BYTES_MAX: u64 = crate::BODY_BYTES_MAX as u64;
/// The alarm's subject.
const ALARM: &str = "spool";

/// Works off directories until the future is dropped. Files name the device and its counter, or say
/// what the directory's officer says; `record` names the record that exists, and a file without it
/// begins one.
///
/// # Errors
///
/// The first directory that cannot be used, once the others were looked through.
pub async fn run_spool(node: Arc<Node>, places: Vec<SpoolPlace>) -> io::Result<()> {
    let mut spool = Spool {
        node,
        seen: HashMap::new(),
        others: OtherFiles::default(),
        backlog: Backlog::default(),
    };

    loop {
        spool.look_through(&places).await?;
        tokio::time::sleep(LOOK).await;
    }
}

struct Spool {
    node: Arc<Node>,
    /// The files that lie in a directory and could not be settled at the first look.
    seen: HashMap<PathBuf, SeenFile>,
    others: OtherFiles,
    backlog: Backlog,
}

/// What lies in a directory, in the order of their names.
#[derive(Default)]
struct SpooledFiles {
    drafts: Vec<PathBuf>,
    /// Files whose names do not end in `.json`, some of them where they are very many.
    others: Vec<PathBuf>,
}

/// Whether somebody may have meant a file to be taken. One that begins with a dot is a program's
/// own, and `done/` and `bad/` are directories.
fn is_other(entry: &DirEntry) -> bool {
    let is_hidden = entry.file_name().as_bytes().starts_with(b".");
    !is_hidden && entry.file_type().is_ok_and(|t| !t.is_dir())
}

fn list_files(dir: &Path) -> io::Result<SpooledFiles> {
    for sub in ["done", "bad"] {
        std::fs::create_dir_all(dir.join(sub))
            .map_err(|e| io::Error::new(e.kind(), format!("{sub}: {e}")))?;
    }

    let mut listed = SpooledFiles::default();
    for entry in std::fs::read_dir(dir)? {
        // One that vanished meanwhile is nobody's trouble.
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        if name.as_bytes().to_ascii_lowercase().ends_with(b".json") {
            listed.drafts.push(entry.path());
        } else if listed.others.len() < OTHERS_MAX && is_other(&entry) {
            listed.others.push(entry.path());
        }
    }

    listed.drafts.sort();
    Ok(listed)
}

/// Files under other names than those that are taken, and since when each is known.
#[derive(Default)]
struct OtherFiles(BTreeMap<PathBuf, Instant>);

impl OtherFiles {
    /// Takes in which there are now. How many were left there, and the name of the first.
    fn left(&mut self, there: Vec<PathBuf>, now: Instant) -> Option<(usize, String)> {
        let mut before = std::mem::take(&mut self.0);
        self.0 = there
            .into_iter()
            .map(|file| {
                let since = before.remove(&file).unwrap_or(now);
                (file, since)
            })
            .collect();

        let is_left = |since: &Instant| now.duration_since(*since) >= OTHER_AFTER;
        let mut left = self.0.iter().filter(|(_, since)| is_left(since));
        let (file, _) = left.next()?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        Some((1 + left.count(), name.into_owned()))
    }
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
    async fn look_through(&mut self, places: &[SpoolPlace]) -> io::Result<()> {
        let mut unusable = None;
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for place in places {
            match list_files(&place.dir) {
                Ok(listed) => {
                    files.extend(listed.drafts.into_iter().map(|file| (place, file)));
                    others.extend(listed.others);
                }
                Err(error) => {
                    let why = format!("{}: {error}", place.dir.display());
                    unusable.get_or_insert(io::Error::new(error.kind(), why));
                }
            }
        }

        let waiting = files.len();
        let grows = self.backlog.grows(waiting, Instant::now());
        let left = self.others.left(others, Instant::now());
        self.tell_alarm(grows.then_some(waiting), left.as_ref());

        let there: HashSet<&PathBuf> = files.iter().map(|(_, file)| file).collect();
        self.seen.retain(|file, _| there.contains(file));
        for (place, file) in files {
            self.settle_one(place, file).await;
        }

        self.tell_alarm(grows.then_some(waiting), left.as_ref());
        unusable.map_or(Ok(()), Err)
    }

    async fn settle_one(&mut self, place: &SpoolPlace, file: PathBuf) {
        let Ok(meta) = file.symlink_metadata() else {
            return;
        };
        let quiet = self.quiet_for(&file, &meta);

        if self
            .seen
            .get(&file)
            .and_then(|s| s.stuck.as_ref())
            .is_some_and(|(tried, _)| tried.elapsed() < STUCK)
        {
            return;
        }

        let (sub, suffix, told) = match take_file(&self.node, place, &file, quiet).await {
            Taken::Unfinished => return,
            Taken::Written(answer) => ("done", ".answer", answer),
            Taken::Bad(why) => {
                tracing::warn!(file = %file.display(), why, "a spooled file is bad");
                ("bad", ".reason", why)
            }
        };

        match settle_file(&file, &place.dir.join(sub), suffix, &told) {
            Ok(()) => drop(self.seen.remove(&file)),
            Err(error) => {
                tracing::error!(
                    file = %file.display(),
                    %error,
                    "a spooled file could not be moved to {sub}/",
                );
                if let Some(seen) = self.seen.get_mut(&file) {
                    seen.stuck = Some((Instant::now(), format!("to {sub}/: {error}")));
                }
            }
        }
    }

    /// For how long a file has not changed, as far as this process knows.
    fn quiet_for(&mut self, file: &Path, meta: &Metadata) -> Duration {
        let now = SeenFile {
            length: meta.len(),
            modified: meta.modified().ok(),
            since: Instant::now(),
            stuck: None,
        };

        let seen = self.seen.entry(file.into()).or_insert(now);
        if (seen.length, seen.modified) != (meta.len(), meta.modified().ok()) {
            seen.length = meta.len();
            seen.modified = meta.modified().ok();
            seen.since = Instant::now();
        }

        seen.since.elapsed()
    }

    /// Raises the alarm for files that cannot be moved, for more and more of them, or for those
    /// that nobody takes; or ends it.
    fn tell_alarm(&self, growing: Option<usize>, left: Option<&(usize, String)>) {
        let stuck = self
            .seen
            .iter()
            .filter_map(|(file, seen)| Some((file, &seen.stuck.as_ref()?.1)));
        let mut stuck: Vec<_> = stuck.collect();

        stuck.sort();
        let alarm = stuck.first().map(|(file, why)| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
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

        let left = left.map(|(count, name)| {
            format!(
                "{count} files in the spool are not taken, for their names do not end in .json, \
                 {name:?} the first of them: rename what is to be written, and take the rest away"
            )
        });

        self.node.set_alarm(ALARM, alarm.or(growing).or(left));
    }
}

async fn take_file(node: &Arc<Node>, place: &SpoolPlace, file: &Path, quiet: Duration) -> Taken {
    let opened = match place.open(file) {
        Ok((opened, _)) => opened,
        Err(Unopened::Refused(why)) => return Taken::Bad(why),
        // Its writer may be about to take the other name away.
        Err(Unopened::Linked(why)) => {
            return if quiet < GRACE {
                Taken::Unfinished
            } else {
                Taken::Bad(why)
            };
        }
        Err(Unopened::Unreadable(error)) => {
            return if quiet < GRACE {
                Taken::Unfinished
            } else {
                Taken::Bad(format!("unreadable: {error}"))
            };
        }
    };

    let map = match read_file(opened).and_then(|bytes| parse(&bytes)) {
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
    match write_draft(node, place, map, key_of(file)).await {
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
fn read_file(file: File) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|e| unprocessable("unreadable", e.to_string()))?;

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
        // Whatever copied it may have written the same letters decomposed.
        Some(text) if !text.chars().any(char::is_control) => text.nfc().collect(),
        _ => crate::auth::hash_bytes(name.as_bytes()),
    }
}

/// Writes what a file says; what it came to, as JSON.
async fn write_draft(
    node: &Arc<Node>,
    place: &SpoolPlace,
    mut map: Map<String, Value>,
    key: String,
) -> Result<String, Problem> {
    let of_key = content_hash(&[&Value::Object(map.clone())]);
    let record = take_text(&mut map, "record")?;
    let scope = place.scope(node, &mut map).await?;
    // As a device would send it by the API, where its token says who speaks and the path on what.
    let sent = Value::Object(map);
    let body: DraftBody = read_members(sent.clone())?;
    let mrz = body.zone_warnings(node);

    let on = match record {
        None => None,
        Some(id) => Some(node.reads().find_kind(&id).await?),
    };

    let of_number = hash_of_number(&sent, on.as_ref().map(|(id, _)| id));
    let token = Token::new(&place.name, scope);
    let mut write = body.into_write(node, &token, on, Some(key)).await?;

    write.content = Some(SentContent { of_key, of_number });
    let written = node.write(write).await?;

    let mut answer = written_json(node, &token, &written, mrz);
    let answered = Answered {
        record: written.record,
        decisions: &written.decisions,
        json: &mut answer,
    };
    put_standing(node, &token, &mut [answered]).await;
    Ok(answer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_will_take_is_told_once_its_writer_had_time_to_rename_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "weight.json",
            "weight.txt",
            ".weight.json.swp",
            "reading.JSON",
        ] {
            std::fs::write(dir.path().join(name), "{}").unwrap();
        }

        let others = || list_files(dir.path()).unwrap().others;
        let (mut seen, began) = (OtherFiles::default(), Instant::now());
        assert_eq!(seen.left(others(), began), None, "it may be renamed yet");
        let later = began + OTHER_AFTER;
        let told = Some((1, "weight.txt".to_string()));
        assert_eq!(seen.left(others(), later), told);

        std::fs::write(dir.path().join("new.tmp"), "{").unwrap();
        assert_eq!(seen.left(others(), later), told, "the new one is in time");
        std::fs::remove_file(dir.path().join("weight.txt")).unwrap();
        assert_eq!(seen.left(others(), later), None);
    }

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
