//! The spool directory: a JSON file dropped there becomes an entry and moves to `done/`, or to `bad/` with its reason.

use crate::{DraftBody, Token, TokenScope};
use serde_json::{Map, Value};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use wadi_node::Node;

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A file that does not read is given so long to be finished before it counts as bad.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes of a file at most.
const FILE_BYTES_MAX: u64 = crate::BODY_BYTES_MAX as u64;

/// Works off a directory until the future is dropped. Files name the device and its counter, or an officer and a
/// department; `record` names the record that exists, and a file without it begins one.
pub async fn run_spool(node: Arc<Node>, dir: PathBuf) -> io::Result<()> {
    for sub in ["done", "bad"] {
        std::fs::create_dir_all(dir.join(sub))?;
    }
    loop {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)?
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "json"))
            .collect();
        files.sort();
        for file in files {
            match take(&node, &file).await {
                Taken::Written => settle(&dir, "done", &file, None)?,
                Taken::Bad(why) => settle(&dir, "bad", &file, Some(why))?,
                Taken::Unfinished => {}
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

enum Taken {
    Written,
    Bad(String),
    Unfinished,
}

fn settle(dir: &Path, sub: &str, file: &Path, why: Option<String>) -> io::Result<()> {
    let Some(name) = file.file_name() else { return Ok(()) };
    // The reason first: should the power fail in between, the file is looked at again.
    if let Some(why) = why {
        tracing::warn!(file = %file.display(), why, "a spooled file is bad");
        let mut reason = name.to_os_string();
        reason.push(".reason");
        std::fs::write(dir.join(sub).join(reason), why + "\n")?;
    }
    std::fs::rename(file, dir.join(sub).join(name))
}

async fn take(node: &Arc<Node>, file: &Path) -> Taken {
    let Ok(meta) = std::fs::metadata(file) else { return Taken::Unfinished };
    if meta.len() > FILE_BYTES_MAX {
        return Taken::Bad(format!("body_too_large: {} bytes; the limit is {FILE_BYTES_MAX}", meta.len()));
    }
    let age = meta.modified().ok().and_then(|m| SystemTime::now().duration_since(m).ok()).unwrap_or_default();
    let parsed: Result<Map<String, Value>, String> = std::fs::read(file)
        .map_err(|e| e.to_string())
        .and_then(|b| serde_json::from_slice(&b).map_err(|e| e.to_string()));
    let map = match parsed {
        Ok(map) => map,
        // Whoever writes it may still be at it.
        Err(_) if age < GRACE => return Taken::Unfinished,
        Err(why) => return Taken::Bad(format!("broken_json: {why}; write to another name and rename it to .json")),
    };
    // A file's name is its key: a power cut between writing and moving makes no second entry.
    let key = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match write(node, map, key).await {
        Ok(()) => Taken::Written,
        Err(problem) if problem.status >= 500 => Taken::Unfinished,
        Err(problem) => Taken::Bad(format!("{}: {}", problem.code, problem.detail)),
    }
}

async fn write(node: &Arc<Node>, mut map: Map<String, Value>, key: String) -> Result<(), crate::Problem> {
    let text = |map: &mut Map<String, Value>, k: &str| map.remove(k).and_then(|v| v.as_str().map(String::from));
    let record = text(&mut map, "record");
    let scope = match text(&mut map, "device") {
        Some(device) => TokenScope::Device { device },
        None => TokenScope::Operator,
    };
    let bad = |e: serde_json::Error| {
        crate::Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "bad_body", e.to_string())
    };
    let body: DraftBody = serde_json::from_value(Value::Object(map)).map_err(bad)?;
    let on = match record {
        None => None,
        Some(id) => Some(node.find_kind(&id).await?),
    };
    let token = Token { name: "spool".into(), scope };
    let write = body.into_write(node, &token, on, Some(key)).await?;
    node.write(write).await?;
    Ok(())
}
