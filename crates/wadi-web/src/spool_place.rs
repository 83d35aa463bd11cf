//! A spool directory and for whom its files speak: whoever can put a file there says no more than
//! the place was configured for.

use crate::{Problem, TokenScope, problem::unprocessable, tokens::scope_of_device};
use rustix::fs::OFlags;
use serde_json::{Map, Value};
use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wadi_node::Node;

/// For whom the files of a directory speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpoolSpeaker {
    /// For devices, each file naming its own: these, or any where no list is given.
    Devices(Option<Vec<String>>),
    /// For one officer of a department.
    Officer {
        /// The service number.
        officer: String,
        /// The department.
        department: String,
    },
}

/// A directory that a node works off.
#[derive(Clone, Debug)]
pub struct SpoolPlace {
    /// Under what its files' names are kept as keys: two places may have files of one name.
    pub name: String,
    /// The directory.
    pub dir: PathBuf,
    /// For whom its files speak.
    pub speaker: SpoolSpeaker,
    /// Users of this machine, by number, whose files are taken beside those of the directory's
    /// owner and of the node's own user.
    pub owners: Vec<u32>,
}

impl SpoolPlace {
    /// Who speaks in a file: its `device`, `officer` and `department` are taken out of it.
    ///
    /// # Errors
    ///
    /// `spool_speaker` where the file names somebody for whom this place does not speak.
    pub(crate) async fn scope(
        &self,
        node: &Node,
        map: &mut Map<String, Value>,
    ) -> Result<TokenScope, Problem> {
        let device = take_text(map, "device")?;
        match (&self.speaker, device) {
            (SpoolSpeaker::Devices(known), Some(device)) => {
                if let Some(known) = known
                    && !known.contains(&device)
                {
                    return Err(self.foreign_device(&device));
                }
                scope_of_device(node, &device).await
            }
            (SpoolSpeaker::Devices(_), None) => Err(self.foreign("and the file names no device")),
            (SpoolSpeaker::Officer { .. }, Some(device)) => Err(self.foreign_device(&device)),
            (
                SpoolSpeaker::Officer {
                    officer,
                    department,
                },
                None,
            ) => {
                for (member, own) in [("officer", officer), ("department", department)] {
                    if let Some(named) = take_text(map, member)?
                        && named != *own
                    {
                        let found = format!("and the file names the {member} {named:?}");
                        return Err(self.foreign(&found));
                    }
                }

                Ok(TokenScope::Officer {
                    officer: officer.clone(),
                    department: department.clone(),
                })
            }
        }
    }

    fn foreign_device(&self, device: &str) -> Problem {
        self.foreign(&format!("and the file names the device {device:?}"))
    }

    fn foreign(&self, found: &str) -> Problem {
        let speaks = match &self.speaker {
            SpoolSpeaker::Devices(None) => "this directory speaks for devices alone".to_string(),
            SpoolSpeaker::Devices(Some(known)) => {
                format!("this directory speaks for the devices {}", known.join(", "))
            }
            SpoolSpeaker::Officer {
                officer,
                department,
            } => format!("this directory speaks for the officer {officer} of {department}"),
        };

        unprocessable(
            "spool_speaker",
            format!(
                "{speaks}, {found}; whom a directory speaks for stands under [[spool]] in node.toml"
            ),
        )
    }

    /// Opens a file that is one, and somebody's whose files are taken here. What is checked is
    /// what was opened: a name may stand for another file a moment later.
    ///
    /// # Errors
    ///
    /// Why it is not read, with a code in front; an [`Unopened::Linked`] may pass.
    pub(crate) fn open(&self, file: &Path) -> Result<(File, Metadata), Unopened> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(file)
            .and_then(|f| f.metadata().map(|meta| (f, meta)));
        let (opened, meta) = opened.map_err(|error| {
            if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
                not_a_file()
            } else {
                Unopened::Unreadable(error)
            }
        })?;

        if !meta.is_file() {
            return Err(not_a_file());
        }

        if !self
            .takes_files_of(meta.uid())
            .map_err(Unopened::Unreadable)?
        {
            return Err(Unopened::Refused(format!(
                "foreign_owner: the file is of user {}, whose files are not taken here; files of \
                 the directory's owner and of the node's user are, and of those that `owners` \
                 names under [[spool]] in node.toml",
                meta.uid()
            )));
        }

        if meta.nlink() > 1 {
            return Err(Unopened::Linked(
                "linked_file: the file has a second name, under which others may write it; write \
                 to another name and rename it to .json"
                    .into(),
            ));
        }

        Ok((opened, meta))
    }

    fn takes_files_of(&self, user: u32) -> io::Result<bool> {
        Ok(user == rustix::process::geteuid().as_raw()
            || self.owners.contains(&user)
            || std::fs::metadata(&self.dir)?.uid() == user)
    }
}

/// Why a file is not read.
pub(crate) enum Unopened {
    /// It never will be.
    Refused(String),
    /// It has a second name, as it has for a moment where its writer links it into its place.
    Linked(String),
    /// The system does not open it.
    Unreadable(io::Error),
}

fn not_a_file() -> Unopened {
    Unopened::Refused("not_a_file: only files are read, no links, directories or pipes".into())
}

/// A member that has to be text, where it is given.
pub(crate) fn take_text(
    map: &mut Map<String, Value>,
    member: &str,
) -> Result<Option<String>, Problem> {
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

    fn place(dir: &Path, owners: Vec<u32>) -> SpoolPlace {
        SpoolPlace {
            name: "spool".into(),
            dir: dir.into(),
            speaker: SpoolSpeaker::Devices(None),
            owners,
        }
    }

    fn why(place: &SpoolPlace, file: &Path) -> String {
        match place.open(file) {
            Ok(_) => "read".into(),
            Err(Unopened::Refused(why) | Unopened::Linked(why)) => {
                why.split(':').next().unwrap_or_default().into()
            }
            Err(Unopened::Unreadable(error)) => error.to_string(),
        }
    }

    #[test]
    fn what_was_opened_is_looked_at_and_not_what_a_name_stood_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("a.json"), "{}").unwrap();
        std::os::unix::fs::symlink(at("a.json"), at("link.json")).unwrap();
        std::fs::create_dir(at("dir.json")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(at("pipe.json"))
            .status();
        assert!(made.unwrap().success());

        let place = place(dir.path(), vec![]);
        assert_eq!(why(&place, &at("a.json")), "read");
        for name in ["link.json", "dir.json", "pipe.json"] {
            assert_eq!(why(&place, &at(name)), "not_a_file", "{name}");
        }

        std::fs::hard_link(at("a.json"), at("b.json")).unwrap();
        assert_eq!(why(&place, &at("a.json")), "linked_file");
        std::fs::remove_file(at("b.json")).unwrap();
        assert_eq!(why(&place, &at("a.json")), "read");
    }

    #[test]
    fn another_users_file_is_read_where_that_user_is_named_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.json");
        std::fs::write(&file, "{}").unwrap();
        let scale = 4_711;
        if std::os::unix::fs::chown(&file, Some(scale), None).is_err() {
            eprintln!("left out: only root gives a file to another user");
            return;
        }

        assert_eq!(why(&place(dir.path(), vec![]), &file), "foreign_owner");
        assert_eq!(why(&place(dir.path(), vec![scale]), &file), "read");

        std::os::unix::fs::chown(dir.path(), Some(scale), None).unwrap();
        assert_eq!(
            why(&place(dir.path(), vec![]), &file),
            "read",
            "the directory is that user's"
        );
    }
}
