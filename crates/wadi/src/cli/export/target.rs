//! Where an export goes: standard output, what is no file and is written into, or a file, which is
//! nobody else's and gets its name when it is whole.

use super::ExportFormat;
use crate::{
    failure::Failure,
    output::{self, OutputKind},
    print,
};
use std::{
    fs::File,
    io::{IsTerminal, Write},
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use wadi_store::private;

/// Standard output, a pipe or a device, which a reader may close when it has seen enough
/// (`wadi export -o - | head`).
struct ToReader<W> {
    inner: W,
    closed: Arc<AtomicBool>,
}

impl<W: Write> Write for ToReader<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes);
        written.inspect_err(|e| note_closed(&self.closed, e))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.inner.flush();
        flushed.inspect_err(|e| note_closed(&self.closed, e))
    }
}

fn note_closed(closed: &AtomicBool, error: &std::io::Error) {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        closed.store(true, Ordering::Relaxed);
    }
}

/// A terminal, on which nothing that others wrote moves the cursor or hides a word. Of a file, or
/// of another program, nothing is changed.
struct TerminalScreen<W> {
    inner: W,
    is_json: bool,
    /// The line that has not ended yet.
    line: Vec<u8>,
}

impl<W: Write> TerminalScreen<W> {
    fn show(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        let shown = match self.is_json {
            true => print::shown_json(&text),
            false => print::shown_lines(&text),
        };

        self.inner.write_all(shown.as_bytes())
    }
}

impl<W: Write> Write for TerminalScreen<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let lines = std::mem::replace(&mut self.line, rest);
            self.show(&lines)?;
        }

        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let rest = std::mem::take(&mut self.line);
        self.show(&rest)?;
        self.inner.flush()
    }
}

/// Where an export goes.
#[derive(Debug)]
pub(super) enum ExportTarget {
    Stdout,
    /// A pipe, a terminal or a device.
    Stream(PathBuf),
    /// A file that gets its name when it is whole, and is written beside it until then.
    File {
        output: PathBuf,
        part: PathBuf,
    },
}

impl ExportTarget {
    /// Where the name that was given leads.
    ///
    /// # Errors
    ///
    /// `file_exists` where a file has that name, or one that the export needs beside it, and nobody
    /// said that they may be written over.
    pub(super) fn of(output: &Path, format: ExportFormat, force: bool) -> Result<Self, Failure> {
        if output == Path::new("-") {
            return match format {
                ExportFormat::Parquet => Err(Failure::usage(
                    "needs_a_file",
                    "Parquet is not written to standard output: give -o FILE",
                )),
                ExportFormat::Ndjson | ExportFormat::Csv => Ok(Self::Stdout),
            };
        }

        output::check_free(output, force)?;
        if output::kind_of(output)? == OutputKind::Stream {
            // Under another name, as /dev/stdout.
            let is_stdout = is_stdout(output) && format != ExportFormat::Parquet;
            return Ok(match is_stdout {
                true => Self::Stdout,
                false => Self::Stream(output.into()),
            });
        }

        // An export that was cut short may have left it; so may anybody else.
        let part = beside(output, "part");
        output::check_free(&part, force)?;
        if format != ExportFormat::Ndjson {
            output::check_free(&beside(output, "trailer.json"), force)?;
        }
        if output::kind_of(&part)? == OutputKind::File && part.symlink_metadata().is_ok() {
            std::fs::remove_file(&part).map_err(|e| output::unwritable(&part, &e))?;
        }

        let output = output.into();
        Ok(Self::File { output, part })
    }

    /// Opens it; what a reader closes tells so.
    pub(super) fn open(
        &self,
        format: ExportFormat,
        closed: &Arc<AtomicBool>,
    ) -> Result<Box<dyn Write + Send>, Failure> {
        match self {
            Self::Stdout => Ok(to_reader(std::io::stdout(), format, closed)),
            Self::Stream(path) => Ok(to_reader(output::open_stream(path)?, format, closed)),
            Self::File { part, .. } => {
                let made = private::create_new(part).map_err(|e| output::unwritable(part, &e))?;
                Ok(Box::new(made))
            }
        }
    }

    /// What the name is in messages.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("-"),
            Self::Stream(output) | Self::File { output, .. } => output,
        }
    }

    /// The file that is being written, where it is one.
    pub(super) fn part(&self) -> Option<&Path> {
        match self {
            Self::File { part, .. } => Some(part),
            Self::Stdout | Self::Stream(_) => None,
        }
    }
}

/// Whether a name is that of this command's standard output.
fn is_stdout(path: &Path) -> bool {
    let own = std::io::stdout().as_fd().try_clone_to_owned();
    let own = own.and_then(|own| File::from(own).metadata());
    let named = path.metadata();
    own.and_then(|own| Ok((own, named?)))
        .is_ok_and(|(own, named)| (own.dev(), own.ino()) == (named.dev(), named.ino()))
}

/// What is no file, and whether its reader has closed it.
fn to_reader<W: Write + IsTerminal + Send + 'static>(
    inner: W,
    format: ExportFormat,
    closed: &Arc<AtomicBool>,
) -> Box<dyn Write + Send> {
    let is_terminal = inner.is_terminal();
    let reader = ToReader {
        inner,
        closed: closed.clone(),
    };
    match is_terminal {
        true => Box::new(TerminalScreen {
            inner: reader,
            is_json: format == ExportFormat::Ndjson,
            line: Vec::new(),
        }),
        false => Box::new(reader),
    }
}

/// A file beside another one.
pub(super) fn beside(output: &Path, ending: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn on_a_terminal_nothing_that_others_wrote_bites() {
        let hidden = "11\u{202e}A\u{9b}2J\u{1b}[2J";
        for (is_json, wanted) in [
            (true, "{\"plate\":\"11\\u202eA\\u009b2J\\u001b[2J\"}\nب\n"),
            (false, "11\\u{202e}A\\u{9b}2J\\u{1b}[2J,2\nب\n"),
        ] {
            let line = match is_json {
                true => json!({"plate": hidden}).to_string(),
                false => format!("{hidden},2"),
            };
            let mut screen = TerminalScreen {
                inner: Vec::new(),
                is_json,
                line: Vec::new(),
            };
            // A character may be cut by the buffer before it.
            for byte in format!("{line}\nب\n").as_bytes() {
                screen.write_all(&[*byte]).unwrap();
            }

            screen.flush().unwrap();
            assert_eq!(String::from_utf8(screen.inner).unwrap(), wanted);
        }
    }
}
