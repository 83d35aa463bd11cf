//! Where the software's log goes. Logging harms nobody: a reader that is gone, one that does not
//! read and a full disk cost lines of the log, which are counted and told, and never a task that
//! wanted to say something.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, Registry, layer::Layered, reload};
use wadi_node::Node;

/// Lines that wait to be written; more are dropped and counted.
const LINES_MAX: usize = 8_192;
/// How often it is looked whether lines were lost.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

type FilterHandle = reload::Handle<EnvFilter, Layered<FormatLayer, Registry>>;
type FormatLayer = tracing_subscriber::fmt::Layer<
    Registry,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    NonBlocking,
>;

/// The log of a running daemon.
pub struct Log {
    filter: FilterHandle,
    failing: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    dropped: ErrorCounter,
    // Writes what waits when it goes.
    _guard: WorkerGuard,
}

impl Log {
    /// Starts logging to standard error; panics go there, too.
    pub fn start(filter: EnvFilter) -> Self {
        let failing: Arc<AtomicBool> = Arc::default();
        let lost: Arc<AtomicU64> = Arc::default();
        let sink = Sink {
            to: io::stderr(),
            failing: failing.clone(),
            lost: lost.clone(),
        };

        let builder = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(LINES_MAX);
        let (writer, guard) = builder.thread_name("log").finish(sink);
        let dropped = writer.error_counter();

        // Colours are for people who look on, not for journals and files.
        let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let format = tracing_subscriber::fmt::layer()
            .with_ansi(colours)
            .with_writer(writer)
            .log_internal_errors(false);
        let (filter, handle) = reload::Layer::new(filter);
        use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

        let _ = tracing_subscriber::registry()
            .with(format)
            .with(filter)
            .try_init();

        // The usual hook writes to standard error itself, and would wait for a reader that does not
        // read.
        std::panic::set_hook(Box::new(|info| tracing::error!("{info}")));
        Self {
            filter: handle,
            failing,
            lost,
            dropped,
            _guard: guard,
        }
    }

    /// What changes the filter while the daemon runs.
    pub fn filter(&self) -> impl Fn(EnvFilter) + Send + 'static {
        let handle = self.filter.clone();
        move |filter| {
            let _ = handle.reload(filter);
        }
    }

    /// Tells the node of lines that were lost, as long as it runs.
    pub fn watch(&self, node: Arc<Node>) -> impl Future<Output = ()> + Send + 'static {
        let failing = self.failing.clone();
        let lost = self.lost.clone();
        let dropped = self.dropped.clone();

        async move {
            let mut heard = 0;
            loop {
                tokio::time::sleep(CHECK_INTERVAL).await;
                let lines = lost
                    .load(Ordering::Relaxed)
                    .saturating_add(dropped.dropped_lines() as u64);
                let is_failing = failing.load(Ordering::Relaxed) || lines > heard;

                heard = lines;
                let why =
                    format!("the log cannot be written: {lines} lines are lost since the start");
                node.set_alarm("log", is_failing.then(|| why.clone()));
                node.tasks().trouble("log", is_failing.then_some(why));
            }
        }
    }
}

/// Takes every line, whether or not it can be written.
struct Sink<W> {
    to: W,
    failing: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.to.write_all(line).is_ok();
        self.failing.store(!written, Ordering::Relaxed);
        if !written {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.to.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full(bool);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(bytes.len())
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_and_nothing_else() {
        let mut sink = Sink {
            to: Full(true),
            failing: Arc::default(),
            lost: Arc::default(),
        };

        assert_eq!(sink.write(b"a line\n").unwrap(), 7);

        sink.flush().unwrap();
        assert!(sink.failing.load(Ordering::Relaxed));
        assert_eq!(sink.lost.load(Ordering::Relaxed), 1);

        sink.to = Full(false);
        sink.write_all(b"another\n").unwrap();
        assert!(!sink.failing.load(Ordering::Relaxed), "there is room again");
        assert_eq!(
            sink.lost.load(Ordering::Relaxed),
            1,
            "what was lost stays lost"
        );
    }
}
