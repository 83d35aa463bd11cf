//! A PostgreSQL server of its own in a directory, from the system's binaries: for the demonstration
//! and for tests.

use crate::StoreError;
use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads until its standard input ends, which is when the process that holds the other end has
/// ended, and stops the server.
const GUARD: &str = "read -r line; kill -QUIT \"$1\"";

/// A running server; it stops when this is dropped, and when the process that started it ends
/// otherwise. It listens on a Unix socket in its directory and nowhere else.
pub struct TemporaryServer {
    dir: PathBuf,
    binaries: PathBuf,
    owner: Option<(u32, u32)>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    /// Outlives this process if that is killed, and stops the server then.
    guard: Option<Child>,
}

fn failed(what: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Open {
        path: what.into(),
        why: why.to_string(),
    }
}

/// Where PostgreSQL's programs may be: with the newest of Debian's versions first, then on the
/// search path.
pub(crate) fn directories() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|v| Some((v.file_name().to_str()?.parse().ok()?, v.path().join("bin"))))
        .collect();

    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();

    found
        .into_iter()
        .rev()
        .map(|(_, p)| p)
        .chain(std::env::split_paths(&path))
        .collect()
}

fn find_binaries() -> Result<PathBuf, StoreError> {
    directories()
        .into_iter()
        .find(|p| p.join("initdb").exists() && p.join("postgres").exists())
        .ok_or_else(|| {
            failed(
                "PostgreSQL",
                "initdb and postgres are not installed; on Debian: apt-get install postgresql",
            )
        })
}

/// PostgreSQL does not run as root: root lends it the user that the package made, or nobody.
fn owner() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata("/proc/self").map(|m| m.uid()).ok()? != 0 {
        return None;
    }

    let users = fs::read_to_string("/etc/passwd").ok()?;
    let ids = |name: &str| {
        let line = users.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };

    ids("postgres").or_else(|| ids("nobody"))
}

impl TemporaryServer {
    /// Makes a cluster in a directory, which must not hold one, and starts it.
    pub fn start(dir: &Path) -> Result<Self, StoreError> {
        Self::start_with(dir, &[])
    }

    /// The same with variables in the server's environment: for tests that stand between it and the
    /// system.
    pub fn start_with(dir: &Path, environment: &[(&str, &str)]) -> Result<Self, StoreError> {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let (binaries, owner) = (find_binaries()?, owner());
        let mut server = Self {
            dir: dir.into(),
            binaries,
            owner,
            environment,
            child: None,
            guard: None,
        };

        crate::private::create_dir_all(dir).map_err(|e| failed(&dir.display().to_string(), e))?;
        if let Some((user, group)) = server.owner {
            // The server's user has to get through to it.
            let parent = dir
                .parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or(Path::new("."));

            crate::private::allow_passage(parent)
                .map_err(|e| failed(&parent.display().to_string(), e))?;
            std::os::unix::fs::chown(dir, Some(user), Some(group))
                .map_err(|e| failed("chown", e))?;
        }

        let mut initdb = server.command("initdb");
        initdb
            .args([
                "--auth=trust",
                "--username=wadi",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(dir.join("data"));

        let made = initdb
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(|e| failed("initdb", e))?;

        if !made.status.success() {
            return Err(failed("initdb", String::from_utf8_lossy(&made.stderr)));
        }

        server.launch()?;
        Ok(server)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        // Ctrl-C is for the process that started it, which stops it in order.
        command
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .process_group(0);
        if let Some((user, group)) = self.owner {
            command.gid(group).uid(user);
        }

        command
    }

    /// Starts it again after [`Self::stop`].
    pub fn launch(&mut self) -> Result<(), StoreError> {
        let log = crate::private::options()
            .append(true)
            .open(self.dir.join("server.log"));
        let log = log.map_err(|e| failed("server.log", e))?;
        let mut server = self.command("postgres");

        server
            .arg("-D")
            .arg(self.dir.join("data"))
            .arg("-k")
            .arg(&self.dir)
            .args(["-c", "listen_addresses="]);

        server.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let child = server
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| failed("postgres", e))?;

        let mut guard = Command::new("sh");
        guard
            .args(["-c", GUARD, "sh", &child.id().to_string()])
            .process_group(0);
        guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.child = Some(child);
        self.guard = Some(guard.spawn().map_err(|e| failed("sh", e))?);

        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            let gone = self
                .child
                .as_mut()
                .is_none_or(|c| !matches!(c.try_wait(), Ok(None)));
            if gone || Instant::now() > deadline {
                let log = fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
                return Err(failed("postgres", format!("it does not start: {log}")));
            }

            std::thread::sleep(Duration::from_millis(50));
        }

        Ok(())
    }

    fn answers(&self) -> bool {
        let mut psql = self.command("pg_isready");
        psql.arg("-h")
            .arg(&self.dir)
            .args(["-U", "wadi", "-d", "postgres"]);
        psql.stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    }

    /// The URL of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://wadi@localhost/{database}?host={}",
            self.dir.display()
        )
    }

    /// Makes a database.
    pub fn create(&self, database: &str) -> Result<String, StoreError> {
        let mut create = self.command("createdb");
        create
            .arg("-h")
            .arg(&self.dir)
            .args(["-U", "wadi", database]);

        let made = create.output().map_err(|e| failed("createdb", e))?;
        if made.status.success() {
            Ok(self.url(database))
        } else {
            Err(failed("createdb", String::from_utf8_lossy(&made.stderr)))
        }
    }

    /// What a database takes on disk, bytes.
    pub async fn database_bytes(&self, database: &str) -> Result<u64, StoreError> {
        use sqlx::Connection;
        let mut conn = sqlx::PgConnection::connect(&self.url("postgres")).await?;
        let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size($1)")
            .bind(database)
            .fetch_one(&mut conn)
            .await?;

        conn.close().await?;
        Ok(bytes as u64)
    }

    /// The process that other processes are forked from.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Stops it: in order, breaking connections, or at once, as if the power had failed.
    pub fn stop(&mut self, at_once: bool) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        if let Some(mut guard) = self.guard.take() {
            // Before its input ends: the number may soon be another process's.
            let _ = guard.kill();
            let _ = guard.wait();
        }

        let signal = if at_once { "-QUIT" } else { "-INT" };
        let _ = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        let deadline = Instant::now() + PATIENCE;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }

        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for TemporaryServer {
    fn drop(&mut self) {
        self.stop(false);
    }
}
