//! What a node and its people have to expect after a restore.

use super::{manifest::BackupManifest, restore::ReplacedDatabase};
use crate::{config::Config, print::time_text_s};

/// How the anchor stands to the copy, and what the node and its people have to expect.
pub(super) fn what_comes_next(
    manifest: &BackupManifest,
    anchored: Option<u64>,
    config: &Config,
    done: &ReplacedDatabase,
) -> (&'static str, Vec<String>) {
    let made = time_text_s(manifest.made_s);
    let names: Vec<&str> = config.peer.iter().map(|p| p.name.as_str()).collect();
    let peers = if names.is_empty() {
        "the peers that dial it".to_string()
    } else {
        names.join(", ")
    };

    let at_once = "It can be written to at once: what it writes goes into logs of a new epoch, \
        which continue nothing and fork nothing.";
    let mut lines = Vec::new();
    let stands = match anchored {
        Some(anchored) if anchored > manifest.commits => {
            lines.push(format!(
                "The anchor knows of {anchored} commits, the copy holds {}: it lacks {} that were \
                 acknowledged.",
                manifest.commits,
                anchored - manifest.commits
            ));

            lines.push(format!(
                "Start the node. It finds the database behind its anchor, raises the alarm that \
                 `wadi status` shows, and \
                 fetches its own entries back from {peers} as soon as it reaches them."
            ));
            lines.push(at_once.into());
            lines.push(
                "The alarm ends when everything that the anchor vouches for is held again.".into(),
            );

            "behind"
        }
        Some(_) => {
            lines.push(
                "The anchor agrees with the copy: nothing that was acknowledged is missing.".into(),
            );
            lines.push(
                "Start the node. What it lacks of its peers, it fetches as after any time \
                in the dark."
                    .into(),
            );
            "agrees"
        }
        None => {
            lines.push(
                "There is no anchor here that can be read: nobody can tell whether the copy holds \
                 all that was acknowledged."
                    .into(),
            );
            lines.push(without_anchor(config, &peers));

            lines.push(at_once.into());
            lines.push(format!(
                "What was written after {made} and had reached no peer is lost with the old disk."
            ));

            "missing"
        }
    };

    lines.extend(kept_line(done));
    lines.push(format!(
        "Tokens are as they were at {made}: those revoked since are valid again and those issued \
         since are unknown; look at `wadi token list`. Keys of requests and imports and the \
         counters of devices since then are forgotten: who repeats a request from that time writes \
         twice.",
    ));

    (stands, lines)
}

/// What the first start does where there is no anchor.
fn without_anchor(config: &Config, peers: &str) -> String {
    match config.database {
        None => format!(
            "Start the node. It raises that as an alarm, fetches its own entries back from \
             {peers}, and makes a new anchor with its first commit; the alarm ends with the start \
             after that."
        ),
        Some(_) => format!(
            "Start the hub. It makes a new anchor without an alarm, as a standby does at its first \
             start, and fetches its own entries back from {peers}."
        ),
    }
}
/// Where the database is that was there, and what is in it alone.
fn kept_line(done: &ReplacedDatabase) -> Option<String> {
    let kept = format!(
        "The database that was there is kept as {}",
        done.kept.as_ref()?.display()
    );

    Some(match done.only_in_kept {
        Some(0) => {
            format!("{kept}; every entry of this node in it is in the copy or at another node.")
        }
        Some(n) => format!(
            "{kept}: {n} entries of this node are in it alone, as far as it knows. \
             Do not delete it: docs/operating.md says how the node takes them back."
        ),
        None => {
            format!(
                "{kept}. What is in it alone was not counted: keep it until the alarm has ended."
            )
        }
    })
}
