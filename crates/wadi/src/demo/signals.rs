//! Ctrl-C and the signals that end a process: what they ask of a running demonstration.

use crate::failure::{Exit, Failure};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    signal::unix::{Signal as Stream, SignalKind, signal},
    sync::watch,
};

/// A signal that ends the demonstration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// The terminal was closed.
    HangUp,
    /// Ctrl-C.
    Interrupt,
    /// What service managers and `kill` send.
    Terminate,
}

impl Signal {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HangUp => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// How a command ends that it cut short: 128 and its number, as shells have it.
    pub fn exit(self) -> Exit {
        match self {
            Self::HangUp => Exit::HungUp,
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
        }
    }
}

/// What was asked so far.
#[derive(Clone, Copy, Default, Debug)]
struct StopRequests {
    /// Let the traffic end, and see whether the nodes agree.
    to_end: bool,
    /// Stop, whatever is going on.
    to_stop: Option<Signal>,
}

/// Listens to signals for as long as the process lives: none of them ends it by itself any more.
#[derive(Clone)]
pub struct Signals {
    asked: watch::Receiver<StopRequests>,
    endless: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Result<Self, Failure> {
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, asked) = watch::channel(StopRequests::default());
        let endless = Arc::new(AtomicBool::new(false));
        let this = Self {
            asked,
            endless: endless.clone(),
        };

        tokio::spawn(async move {
            while let Some(signal) = next(&mut hang_up, &mut interrupt, &mut terminate).await {
                // Each one is told, also where nothing new is asked by it: whoever waits for
                // another one hears it.
                let ends = signal == Signal::Interrupt && endless.swap(false, Ordering::Relaxed);
                tell.send_modify(|asked| match ends {
                    true => asked.to_end = true,
                    false => asked.to_stop = asked.to_stop.or(Some(signal)),
                });
            }
        });

        Ok(this)
    }

    /// From here on traffic has no end but Ctrl-C: the next one ends it, and only the one after
    /// that stops everything.
    pub fn until_interrupted(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }

    /// Traffic has ended: Ctrl-C stops.
    pub fn traffic_has_ended(&self) {
        self.endless.store(false, Ordering::Relaxed);
    }

    /// Waits until the traffic is to end.
    pub async fn to_end(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|a| a.to_end).await.is_err() {
            std::future::pending().await
        }
    }

    /// Waits until everything is to stop.
    pub async fn to_stop(&self) -> Signal {
        let mut asked = self.asked.clone();
        let heard = asked
            .wait_for(|a| a.to_stop.is_some())
            .await
            .ok()
            .and_then(|a| a.to_stop);

        match heard {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }

    /// Whether this is not the first time that somebody asks for an end.
    pub fn is_urgent(&self) -> bool {
        let asked = self.asked.borrow();
        asked.to_end && asked.to_stop.is_some()
    }

    /// Waits for one more signal than those heard by now.
    pub async fn another(&self) {
        let mut asked = self.asked.clone();
        asked.mark_unchanged();
        if asked.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

async fn next(
    hang_up: &mut Stream,
    interrupt: &mut Stream,
    terminate: &mut Stream,
) -> Option<Signal> {
    tokio::select! {
        heard = hang_up.recv() => heard.map(|()| Signal::HangUp),
        heard = interrupt.recv() => heard.map(|()| Signal::Interrupt),
        heard = terminate.recv() => heard.map(|()| Signal::Terminate),
    }
}
