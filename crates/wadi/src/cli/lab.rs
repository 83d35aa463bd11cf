//! `wadi lab`: a link as thin as you like between two processes of this machine.
//!
//! It takes orders on standard input while it runs, and says what became of packets.

use crate::{
    failure::{Exit, Failure},
    print::{print_error, print_line},
};
use clap::Args;
use serde_json::{Value, json};
use std::{
    fmt::Write,
    io::Read,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use wadi_lab::{
    Heading, LabError, LinkCommand, LinkProfile, LinkSchedule, PacketCount, TcpLink, UdpLink,
    WayCounters,
};

/// Bytes of a line of standard input at most.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Lines that wait to be carried out at most; then standard input waits.
const WAITING_LINES_MAX: usize = 64;
/// Bytes of a schedule's file at most.
const SCHEDULE_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[derive(Args)]
#[command(after_help = "\
While it runs, lines on standard input change the link:
  down                     nothing gets through, and what is on its way is lost
  up                       packets get through again
  profile NAME             from now on the link is like this one
  black-hole up|down|off   one way swallows everything, and nobody is told
  move                     every flow comes from another address from now on
  counters                 says what became of packets so far

Up is from who dials to who is dialled. Kinds of links: vsat-64, vsat-256, vsat-512, vsat-10m, \
leo, cellular, hf-32, fibre, sandstorm, brisk, lan. What is different stands behind the name, as \
in vsat-256,loss=5% or hf-32,burst=10%x4,delay=1s; there are rate, delay, queue, jitter, loss, \
burst, duplicate and reorder.")]
pub struct LabArgs {
    /// Where the dialling side sends to; port 0 for any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Whom it reaches there: a node's listen address, or with --tcp that of its console.
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
    /// What the link is like.
    #[arg(long, value_name = "NAME", default_value = "vsat-256")]
    link: String,
    /// Which packets are lost comes out of this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A link for TCP: rate, delay, and up or down, without losses.
    #[arg(long)]
    tcp: bool,
    /// When the link changes: 20s/40s for up 20 s and down 40 s over and over, or a file of lines
    /// such as 20s down.
    #[arg(long, value_name = "SPEC|FILE")]
    schedule: Option<String>,
    /// Says every so many seconds what became of packets; without it at the end alone.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: Option<u64>,
}

/// A description of a link that does not read, as a failure of the command line.
pub(crate) fn link_failure(error: LabError) -> Failure {
    let why = error.to_string();
    match error {
        LabError::UnknownProfile { .. } => Failure::usage("unknown_links", why),
        _ => Failure::usage("bad_link", why),
    }
}

/// Either kind of link.
enum AnyLink {
    Udp(UdpLink),
    Tcp(TcpLink),
}

impl AnyLink {
    async fn open(args: &LabArgs, profile: LinkProfile) -> Result<Self, Failure> {
        let opened = match args.tcp {
            false => UdpLink::listen(args.listen, args.to, profile, args.seed)
                .await
                .map(Self::Udp),
            true => TcpLink::listen(args.listen, args.to, profile, args.seed)
                .await
                .map(Self::Tcp),
        };

        opened.map_err(|e| Failure::new("cannot_listen", format!("{}: {e}", args.listen)))
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(link) => link.address,
            Self::Tcp(link) => link.address,
        }
    }

    fn run_schedule(&mut self, schedule: LinkSchedule) {
        match self {
            Self::Udp(link) => link.run_schedule(schedule),
            Self::Tcp(link) => link.run_schedule(schedule),
        }
    }

    async fn control(&self, command: LinkCommand) -> Result<(), Failure> {
        match self {
            Self::Udp(link) => Ok(link.control(command).await?),
            Self::Tcp(link) => {
                link.control(&command);
                Ok(())
            }
        }
    }

    fn counters(&self, way: Heading) -> WayCounters {
        match self {
            Self::Udp(link) => link.counters(way),
            Self::Tcp(link) => link.counters(way),
        }
    }
}

/// What happens next to a running lab.
enum LabEvent {
    Line(String),
    /// Standard input has ended: nothing more is ordered.
    NoMoreLines,
    Report,
    End,
}

pub(crate) async fn run(args: LabArgs, json: bool) -> Result<Exit, Failure> {
    let profile = args.link.parse().map_err(link_failure)?;
    let schedule = args.schedule.as_deref().map(read_schedule).transpose()?;
    let mut link = AnyLink::open(&args, profile).await?;

    let mut terminated = signal(SignalKind::terminate())?;
    let (address, kind) = (link.address(), if args.tcp { "tcp" } else { "udp" });
    match json {
        true => print_line!(
            "{}",
            json!({"listen": address, "to": args.to, "link": args.link, "kind": kind})
        ),
        false => print_line!(
            "{kind} on {address}, to {}, as {}; Ctrl-C ends it.",
            args.to,
            args.link
        ),
    }

    if let Some(schedule) = schedule {
        link.run_schedule(schedule);
    }

    let began = Instant::now();
    let mut lines = Some(follow_input());
    let period = Duration::from_secs(args.every.unwrap_or(86_400));
    let mut reports = tokio::time::interval(period);
    reports.tick().await;

    loop {
        let event = tokio::select! {
            line = next_line(&mut lines) => line.map_or(LabEvent::NoMoreLines, LabEvent::Line),
            _ = reports.tick(), if args.every.is_some() => LabEvent::Report,
            _ = terminated.recv() => LabEvent::End,
            _ = tokio::signal::ctrl_c() => LabEvent::End,
        };

        match event {
            LabEvent::Line(line) if line.trim().is_empty() => {}
            LabEvent::Line(line) if line.trim() == "counters" => report(&link, began, json),
            LabEvent::Line(line) => match line.parse() {
                Ok(command) => link.control(command).await?,
                Err(error) => print_error!("wadi: {error} [{}]", error.code()),
            },
            LabEvent::NoMoreLines => lines = None,
            LabEvent::Report => report(&link, began, json),
            LabEvent::End => break,
        }
    }

    report(&link, began, json);
    Ok(Exit::Done)
}

/// The next line of standard input; none at its end. It never resolves after that.
async fn next_line(lines: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads standard input on a thread of its own, which ends with the process.
fn follow_input() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(WAITING_LINES_MAX);
    std::thread::spawn(move || {
        let mut line = Vec::new();
        for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
            if byte != b'\n' {
                // What is longer than any order is cut, and reads as none.
                if line.len() < LINE_BYTES_MAX {
                    line.push(byte);
                }
                continue;
            }

            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            if sender.blocking_send(text).is_err() {
                return;
            }
        }
    });

    lines
}

/// A spec, or a file of lines.
fn read_schedule(text: &str) -> Result<LinkSchedule, Failure> {
    let path = Path::new(text);
    let Ok(meta) = path.metadata() else {
        return LinkSchedule::parse_spec(text).map_err(|error| {
            Failure::usage("bad_link", format!("{error}; there is no such file"))
        });
    };
    if meta.len() > SCHEDULE_BYTES_MAX {
        let why = format!("{text}: {SCHEDULE_BYTES_MAX} bytes are the most");
        return Err(Failure::usage("bad_link", why));
    }

    let lines = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage("unreadable", format!("{text}: {error}")))?;
    LinkSchedule::parse_lines(&lines)
        .map_err(|(line, error)| Failure::usage("bad_link", format!("{text}:{line}: {error}")))
}

fn report(link: &AnyLink, began: Instant, json: bool) {
    let [up, down] = Heading::BOTH.map(|way| link.counters(way));
    let seconds = began.elapsed().as_secs_f64();
    match json {
        true => print_line!(
            "{}",
            json!({
                "seconds": (seconds * 10.0).round() / 10.0,
                "up": counters_json(&up),
                "down": counters_json(&down),
            })
        ),
        false => print_line!(
            "after {seconds:.1} s\n{}{}",
            counters_text("up", &up),
            counters_text("down", &down)
        ),
    }
}

/// Each counter with its name.
fn named(counters: &WayCounters) -> [(&'static str, PacketCount); 8] {
    let WayCounters {
        offered,
        delivered,
        lost,
        dropped,
        blocked,
        cut_off,
        duplicated,
        reordered,
    } = *counters;
    [
        ("offered", offered),
        ("delivered", delivered),
        ("lost", lost),
        ("dropped", dropped),
        ("blocked", blocked),
        ("cut_off", cut_off),
        ("duplicated", duplicated),
        ("reordered", reordered),
    ]
}

fn counters_json(counters: &WayCounters) -> Value {
    let member = |(name, count): (&str, PacketCount)| {
        let value = json!({"packets": count.packets, "bytes": count.bytes});
        (name.to_string(), value)
    };
    Value::Object(named(counters).into_iter().map(member).collect())
}

fn counters_text(way: &str, counters: &WayCounters) -> String {
    let mut text = String::new();
    for (name, count) in named(counters) {
        if count.packets > 0 || name == "offered" {
            let (packets, bytes) = (count.packets, count.bytes);
            let _ = writeln!(
                text,
                "{way:>6} {name:<11}{packets:>10} packets {bytes:>13} B"
            );
        }
    }

    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_a_spec_or_a_file_and_an_error_names_the_line() {
        assert!(read_schedule("20s/40s").is_ok());
        assert_eq!(read_schedule("20s").unwrap_err().code, "bad_link");

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schedule");
        let text = path.display().to_string();
        std::fs::write(&path, "0s up\n5s down\n").unwrap();
        assert!(read_schedule(&text).is_ok());

        std::fs::write(&path, "0s up\n5s dwon\n").unwrap();
        let failure = read_schedule(&text).unwrap_err();
        assert!(failure.why.contains(":2: "), "{}", failure.why);
        assert!(
            failure.why.contains("did you mean down?"),
            "{}",
            failure.why
        );
    }

    #[test]
    fn counters_are_shown_by_name_and_those_of_nothing_are_left_out() {
        let counters = WayCounters {
            offered: PacketCount {
                packets: 2,
                bytes: 1_300,
            },
            ..WayCounters::default()
        };
        let text = counters_text("up", &counters);
        assert_eq!(text.lines().count(), 1);
        assert!(
            text.contains("offered") && text.contains("1300 B"),
            "{text}"
        );
        assert_eq!(counters_json(&counters)["offered"]["bytes"], 1_300);
        assert_eq!(counters_json(&counters)["lost"]["packets"], 0);
    }
}
