//! `wadi bench console`: how soon and how small the console's pages come from a hub of many
//! records, through HTTP as a browser asks for them; and the interface's lists, as a program does.

use crate::{
    bench::{
        Bench,
        hub::{BenchSite, SITES, feed_all, until_reconciled},
    },
    failure::Failure,
};
use clap::Args;
use serde_json::{Map, Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};
use wadi_log::{Crossing, Enrolment, Role};
use wadi_node::Node;
use wadi_store::{FindingFilter, LocalKey, LocalScope, RecordFilter};
use wadi_web::{Limits, Token, TokenScope, hash_token, new_token};

/// How long a page may take to its first byte, milliseconds.
const FIRST_BYTE_MS_MAX: f64 = 50.0;
/// Compressed bytes of a page's first view at most.
const VIEW_BYTES_MAX: usize = 14 * 1024;
/// How long the first page of a list may take to its last byte, milliseconds, and its bytes, as the
/// interface gives it by default.
const LIST_MS_MAX: f64 = 20.0;
const LIST_BYTES_MAX: usize = 50_000;
/// Compressed bytes of styles and script together at most.
const ASSET_BYTES_MAX: usize = 30 * 1024;
/// Requests that warm a page up, and are not counted.
const WARM_UP: usize = 3;
/// Of so many records one contradicts itself, so that there are findings to show.
const CONTRADICT_EACH: usize = 50;
/// Records whose pages are asked for in turn.
const RECORDS_ASKED: usize = 50;
/// How long one answer may take; what takes longer is a failure.
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(Args)]
pub struct ConsoleArgs {
    /// Records of the hub, 1,000,000 at most; each is an entry of its own and an edit.
    #[arg(
        long,
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(100..=1_000_000)
    )]
    records: u64,
    /// Times that each page is asked for.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    times: u64,
}

/// An answer, as far as it is measured.
struct Measured {
    status: u16,
    first_byte_ms: f64,
    whole_ms: f64,
    head: String,
    body_bytes: usize,
    body: Vec<u8>,
}

/// Asks over a connection of its own, as a browser does first.
struct PageAsker {
    address: SocketAddr,
    /// The line by which it is known.
    known_by: String,
}

impl PageAsker {
    fn ask(&self, head: &str, body: &str) -> Result<Measured, Failure> {
        self.ask_as(head, body, "identity")
    }

    fn ask_as(&self, head: &str, body: &str, encoding: &str) -> Result<Measured, Failure> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_nodelay(true)?;
        let request = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}Accept-Encoding: \
             {encoding}\r\nAccept-Language: ar\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.known_by,
            body.len()
        );

        let asked = Instant::now();
        stream.write_all(request.as_bytes())?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        let first_byte_ms = asked.elapsed().as_secs_f64() * 1e3;

        let mut answer = first.to_vec();
        stream.read_to_end(&mut answer)?;
        let whole_ms = asked.elapsed().as_secs_f64() * 1e3;
        measured(&answer, first_byte_ms, whole_ms)
    }

    /// A page, compressed as a browser has it.
    fn compressed(&self, path: &str) -> Result<Measured, Failure> {
        self.ask_as(&format!("GET {path}"), "", "gzip")
    }

    /// What a program asks for, as it is.
    fn plain(&self, path: &str) -> Result<Measured, Failure> {
        self.ask(&format!("GET {path}"), "")
    }
}

/// Parts an answer into its head and its body, whose chunks are joined.
fn measured(answer: &[u8], first_byte_ms: f64, whole_ms: f64) -> Result<Measured, Failure> {
    let broken = || Failure::new("bench", "an answer does not read");
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(broken)?;
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());

    let body = match head.contains("transfer-encoding: chunked") {
        true => joined(body).ok_or_else(broken)?,
        false => body.to_vec(),
    };
    Ok(Measured {
        status: status.ok_or_else(broken)?,
        first_byte_ms,
        whole_ms,
        head,
        body_bytes: body.len(),
        body,
    })
}

/// The chunks of a body (RFC 9112, 7.1), one after the other.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = rest.get(line + 2..)?;
        if size == 0 {
            return Some(out);
        }

        out.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

/// A hub that holds so many records, of which some contradict themselves.
async fn filled(bench: &Bench, records: usize) -> Result<Arc<Node>, Failure> {
    let sites = SITES
        .iter()
        .map(|code| BenchSite::new(bench, code))
        .collect::<Result<Vec<_>, _>>()?;
    let papers = bench.enrol("hub", Role::Hub, Crossing::HUB)?;
    let mut known: Vec<Enrolment> = sites.iter().map(|s| s.enrolment.clone()).collect();
    known.push(papers.1.clone());

    let hub = bench.node(papers, known).await?;
    feed_all(sites, records, CONTRADICT_EACH, Some(&hub)).await?;
    until_reconciled(&hub, Instant::now()).await?;
    Ok(hub)
}

/// Serves interface and console as the daemon does; where, and the operator's token.
async fn served(hub: &Arc<Node>) -> Result<(SocketAddr, String), Failure> {
    let token = new_token(rand::random());
    let kept = Token::new("bench", TokenScope::Operator);
    let value = serde_json::to_string(&kept).map_err(|e| Failure::new("token", e.to_string()))?;
    let kept = LocalKey {
        scope: LocalScope::Token,
        key: hash_token(&token),
        value,
    };
    hub.set_local(vec![kept], vec![]).await?;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let api = wadi_web::router(hub.clone(), None);
    let app = wadi_console::router(api.clone()).merge(api);
    tokio::spawn(wadi_web::serve(
        listener,
        app,
        Limits::default(),
        |stream| async { Ok(stream) },
    ));
    Ok((address, token))
}

/// What is asked for, by page: paths that are asked in turn.
async fn pages(hub: &Node) -> Result<Vec<(&'static str, Vec<String>)>, Failure> {
    let filter = RecordFilter {
        limit: RECORDS_ASKED as u32,
        ..RecordFilter::default()
    };
    let rows = hub.store().records(&filter).await?;
    let each = |path: &dyn Fn(&str) -> String| rows.iter().map(|r| path(&r.printed)).collect();
    let plates = rows.iter().filter_map(|r| {
        let json: Value = serde_json::from_str(&r.json).ok()?;
        let plate = json["fields"]["vehicle.plate"].as_str()?.to_string();
        Some(format!("/console/records?q={plate}"))
    });
    let findings = FindingFilter {
        limit: RECORDS_ASKED as u32,
        ..FindingFilter::default()
    };
    let findings = hub.store().findings(&findings).await?;

    Ok(vec![
        ("board", vec!["/console/sites".into()]),
        ("records", vec!["/console/records".into()]),
        ("search", plates.collect()),
        ("record", each(&|id| format!("/console/records/{id}"))),
        (
            "history",
            each(&|id| format!("/console/records/{id}/history")),
        ),
        ("findings", vec!["/console/findings".into()]),
        (
            "finding",
            findings
                .iter()
                .map(|f| format!("/console/findings/{}", f.id))
                .collect(),
        ),
    ])
}

/// Lists of the interface, each with the filters that it has; the first page of each.
async fn lists(hub: &Node) -> Result<Vec<String>, Failure> {
    let filter = RecordFilter {
        limit: 1,
        ..RecordFilter::default()
    };
    let rows = hub.store().records(&filter).await?;
    let plate = rows.first().and_then(|row| {
        let json: Value = serde_json::from_str(&row.json).ok()?;
        Some(json["fields"]["vehicle.plate"].as_str()?.to_string())
    });
    let plate = plate.unwrap_or_default();

    let filtered = [
        "/v1/records",
        "/v1/records?kind=passage",
        "/v1/records?state=ADMITTED",
        "/v1/records?state=DETAINED",
        "/v1/records?state=CONTESTED",
        "/v1/records?kind=passage&state=ADMITTED",
        "/v1/records?fields=id,state",
        "/v1/findings",
        "/v1/findings?severity=2",
        "/v1/findings?phase=PENDING",
        "/v1/findings?state=OPEN",
        "/v1/findings/cases",
        "/v1/findings/statistics",
        "/v1/refusals",
        "/v1/quarantine",
        "/v1/resyncs",
        "/v1/sites",
        "/v1/members",
        "/v1/members/acts",
        "/v1/tokens",
    ];
    let of_a_crossing = SITES.iter().take(1).flat_map(|code| {
        [
            format!("/v1/records?crossing={code}"),
            format!("/v1/records?crossing={code}&kind=passage&state=ADMITTED"),
            format!("/v1/findings?crossing={code}"),
        ]
    });
    let of_a_plate = [
        format!("/v1/records?plate={plate}"),
        format!("/v1/records?q={plate}"),
    ];
    let filtered = filtered.iter().map(|path| path.to_string());
    Ok(filtered.chain(of_a_crossing).chain(of_a_plate).collect())
}

/// The value below which so much of a sorted list lies.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    let value = sorted
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or_default();
    (value * 1e3).round() / 1e3
}

/// Asks for a page so many times. A page that is not there is told by its status.
fn measure(
    asker: &PageAsker,
    paths: &[String],
    times: usize,
) -> Result<Result<Value, u16>, Failure> {
    let Some(first) = paths.first() else {
        return Ok(Err(404));
    };
    for _ in 0..WARM_UP {
        let answer = asker.compressed(first)?;
        if answer.status != 200 {
            return Ok(Err(answer.status));
        }
    }

    let (mut first_bytes, mut sizes) = (Vec::new(), Vec::new());
    for path in paths.iter().cycle().take(times) {
        let answer = asker.compressed(path)?;
        if answer.status != 200 {
            return Ok(Err(answer.status));
        }
        first_bytes.push(answer.first_byte_ms);
        sizes.push(answer.body_bytes as f64);
    }

    first_bytes.sort_by(f64::total_cmp);
    sizes.sort_by(f64::total_cmp);
    let (p50, p99) = (quantile(&first_bytes, 0.5), quantile(&first_bytes, 0.99));
    let largest = sizes.last().copied().unwrap_or_default();
    Ok(Ok(json!({
        "path": first,
        "asked": times,
        "first_byte_ms": {"median": p50, "p99": p99},
        "gzip_bytes": {"median": quantile(&sizes, 0.5), "largest": largest},
        "first_byte_within": p99 <= FIRST_BYTE_MS_MAX,
        "first_view_within": largest <= VIEW_BYTES_MAX as f64,
    })))
}

/// Asks for the first page of a list so many times. One that is not there is told by its status.
fn measure_list(
    asker: &PageAsker,
    path: &str,
    times: usize,
) -> Result<Result<Value, u16>, Failure> {
    let (mut took, mut bytes) = (Vec::new(), 0);
    for n in 0..times + WARM_UP {
        let answer = asker.plain(path)?;
        if answer.status != 200 {
            return Ok(Err(answer.status));
        }
        bytes = answer.body_bytes;
        if n >= WARM_UP {
            took.push(answer.whole_ms);
        }
    }

    took.sort_by(f64::total_cmp);
    let (p50, p99) = (quantile(&took, 0.5), quantile(&took, 0.99));
    Ok(Ok(json!({
        "whole_ms": {"median": p50, "p99": p99},
        "bytes": bytes,
        "within": p99 <= LIST_MS_MAX && bytes <= LIST_BYTES_MAX,
    })))
}

/// Bytes of styles and script, compressed, as the first page names them.
fn assets(asker: &PageAsker) -> Result<Value, Failure> {
    let page = asker.ask("GET /console", "")?;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let named = text
        .split('"')
        .filter(|part| part.starts_with("/console/assets/"));

    let mut sizes = Map::new();
    let mut sum = 0;
    for path in named {
        let bytes = asker.compressed(path)?.body_bytes;
        sum += bytes;
        sizes.insert(path.rsplit('.').next().unwrap_or(path).into(), bytes.into());
    }
    Ok(json!({
        "gzip_bytes": sizes,
        "together": sum,
        "within": sum > 0 && sum <= ASSET_BYTES_MAX,
    }))
}

/// Signs in as a browser does.
fn signed_in(address: SocketAddr, token: &str) -> Result<PageAsker, Failure> {
    let nobody = PageAsker {
        address,
        known_by: String::new(),
    };
    let answer = nobody.ask("POST /console/sign-in", &format!("token={token}&next="))?;
    let cookies: Vec<&str> = answer
        .head
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next())
        .collect();
    if cookies.is_empty() {
        let why = format!(
            "the console did not let the bench sign in: {}",
            answer.status
        );
        return Err(Failure::new("bench", why));
    }

    Ok(PageAsker {
        address,
        known_by: format!("Cookie: {}\r\n", cookies.join("; ")),
    })
}

pub(super) async fn console(args: ConsoleArgs) -> Result<Value, Failure> {
    let bench = Bench::new()?;
    let records = usize::try_from(args.records).unwrap_or(usize::MAX);
    let times = usize::try_from(args.times).unwrap_or(usize::MAX);
    let hub = filled(&bench, records).await?;
    let (address, token) = served(&hub).await?;
    let (pages, lists) = (pages(&hub).await?, lists(&hub).await?);
    let counts = hub.store().counts().await?;

    let asked = tokio::task::spawn_blocking(move || -> Result<Value, Failure> {
        let asker = signed_in(address, &token)?;
        let (mut there, mut not_there) = (Map::new(), Map::new());
        for (name, paths) in &pages {
            match measure(&asker, paths, times)? {
                Ok(figures) => drop(there.insert((*name).into(), figures)),
                Err(status) => drop(not_there.insert((*name).into(), status.into())),
            }
        }

        let program = PageAsker {
            address,
            known_by: format!("Authorization: Bearer {token}\r\n"),
        };
        let mut first_pages = Map::new();
        for path in lists {
            match measure_list(&program, &path, times)? {
                Ok(figures) => drop(first_pages.insert(path, figures)),
                Err(status) => drop(not_there.insert(path, status.into())),
            }
        }

        Ok(json!({
            "pages": there,
            "lists": first_pages,
            "not_there": not_there,
            "assets": assets(&asker)?,
        }))
    });
    let mut told = asked
        .await
        .map_err(|e| Failure::new("bench", e.to_string()))??;
    hub.stop().await;

    told["records"] = counts.records.into();
    told["findings"] = counts.findings.into();
    told["bars"] = json!({
        "first_byte_ms": FIRST_BYTE_MS_MAX,
        "first_view_gzip_bytes": VIEW_BYTES_MAX,
        "assets_gzip_bytes": ASSET_BYTES_MAX,
        "list_ms": LIST_MS_MAX,
        "list_bytes": LIST_BYTES_MAX,
    });
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_measured_without_the_marks_of_its_chunks() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                       3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        let answer = measured(answer, 1.0, 2.0).unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"abcde"[..])
        );
        assert!(measured(b"HTTP/1.1 200 OK\r\n", 1.0, 1.0).is_err());
        assert_eq!(joined(b"5\r\nabc\r\n"), None, "cut short");
    }

    #[test]
    fn of_two_hundred_times_the_second_longest_is_the_hundredth_part() {
        let all: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((quantile(&all, 0.5), quantile(&all, 0.99)), (100.0, 198.0));
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
