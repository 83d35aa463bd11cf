//! The spool directories of `node.toml`: one by its path, or a list with whom each speaks for.

use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};
use wadi_web::{SpoolPlace, SpoolSpeaker};

/// The keys of `[[spool]]`.
pub(super) const SPOOL_KEYS: [&str; 5] = ["dir", "devices", "officer", "department", "owners"];
/// Directories at most: each is read through twice a second.
const DIRECTORIES_MAX: usize = 32;

/// A spool directory, `[[spool]]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct SpoolConfig {
    /// The directory.
    pub dir: PathBuf,
    /// The devices that its files may name; any, where neither they nor an officer are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<String>>,
    /// The officer for whom its files speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    /// The officer's department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Users of this machine, by number, whose files are taken beside those of the directory's
    /// owner and of the node's own user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<u32>,
}

impl SpoolConfig {
    /// A directory whose files speak for devices.
    pub fn of_devices(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            ..Self::default()
        }
    }

    fn speaker(&self) -> Result<SpoolSpeaker, String> {
        match (&self.devices, &self.officer, &self.department) {
            (devices, None, None) => Ok(SpoolSpeaker::Devices(devices.clone())),
            (None, Some(officer), Some(department)) => Ok(SpoolSpeaker::Officer {
                officer: officer.clone(),
                department: department.clone(),
            }),
            (None, ..) => Err("officer and department are given together".into()),
            (Some(_), ..) => Err("a directory speaks for devices or for an officer".into()),
        }
    }
}

/// What is wrong with the directories, told as a configuration's error.
pub(super) fn check_spools(spools: &[SpoolConfig], papers: &Path) -> Result<(), String> {
    if spools.len() > DIRECTORIES_MAX {
        return Err(format!("at most {DIRECTORIES_MAX} [[spool]]"));
    }

    for (n, spool) in spools.iter().enumerate() {
        let dir = spool.dir.display();
        spool
            .speaker()
            .map_err(|why| format!("spool {dir}: {why}"))?;

        if let Some(department) = &spool.department {
            department
                .parse::<wadi_record::Department>()
                .map_err(|why| format!("spool {dir}: {why}"))?;
        }

        // Whoever may put files into a spool could put papers there.
        if spool.dir.starts_with(papers) || papers.starts_with(&spool.dir) {
            return Err(format!("spool {dir}: the node's papers lie there"));
        }

        if spools[..n].iter().any(|other| other.dir == spool.dir) {
            return Err(format!("spool {dir}: it is named twice"));
        }
    }

    Ok(())
}

/// The directories with whom they speak for, relative to the configuration's own.
pub(crate) fn spool_places(spools: &[SpoolConfig], base: &Path) -> Vec<SpoolPlace> {
    let place = |(n, spool): (usize, &SpoolConfig)| {
        let short = spool.dir.strip_prefix(base).unwrap_or(&spool.dir);
        // The keys of the first one's files keep their name when others come beside it.
        let name = if n == 0 {
            "spool".to_string()
        } else {
            format!("spool {}", short.display())
        };

        Some(SpoolPlace {
            name,
            dir: spool.dir.clone(),
            speaker: spool.speaker().ok()?,
            owners: spool.owners.clone(),
        })
    };
    spools.iter().enumerate().filter_map(place).collect()
}

/// `spool = "DIR"`, or a list of `[[spool]]`.
pub(super) fn read_spools<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<SpoolConfig>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Path(PathBuf),
        Places(Vec<SpoolConfig>),
    }

    Ok(match Given::deserialize(from)? {
        Given::Path(dir) => vec![SpoolConfig::of_devices(dir)],
        Given::Places(places) => places,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Part {
        #[serde(default, deserialize_with = "read_spools")]
        spool: Vec<SpoolConfig>,
    }

    fn read(text: &str) -> Result<Vec<SpoolPlace>, String> {
        let part: Part = toml::from_str(text).map_err(|e| e.to_string())?;
        check_spools(&part.spool, Path::new("papers"))?;
        Ok(spool_places(&part.spool, Path::new("/srv")))
    }

    #[test]
    fn a_directory_by_its_path_speaks_for_devices_and_a_list_says_for_whom() {
        assert!(read("").unwrap().is_empty());

        let one = read("spool = '/srv/spool'").unwrap();
        assert_eq!(one[0].speaker, SpoolSpeaker::Devices(None));
        assert_eq!(one[0].name, "spool");

        let two = read(
            "[[spool]]\ndir = '/srv/scales'\ndevices = ['SC-1']\n\
             [[spool]]\ndir = '/srv/port'\nofficer = 'PRT-4'\ndepartment = 'PORT'\nowners = [7]\n",
        )
        .unwrap();
        assert_eq!(
            two[0].speaker,
            SpoolSpeaker::Devices(Some(vec!["SC-1".into()]))
        );
        assert_eq!((&*two[1].name, &*two[1].owners), ("spool port", &[7][..]));
    }

    #[test]
    fn whom_a_directory_speaks_for_is_said_once_and_whole() {
        let refused = |text: &str| read(text).unwrap_err();
        assert!(refused("[[spool]]\ndir = 'a'\nofficer = 'O'").contains("together"));
        assert!(
            refused("[[spool]]\ndir = 'a'\ndevices = ['S']\nofficer = 'O'").contains("or for an")
        );
        assert!(refused("[[spool]]\ndir = 'a'\nofficer = 'O'\ndepartment = 'CUZ'").contains("CUZ"));
        assert!(refused("[[spool]]\ndir = 'a'\n[[spool]]\ndir = 'a'\n").contains("twice"));
    }
}
