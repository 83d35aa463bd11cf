//! `wadi bench link`: a site and a hub that were apart for the common workload meet again over a
//! thin link.
//!
//! Both are processes of their own, with the settings that they have by default. The link is a
//! userspace proxy between them, which counts each UDP payload that is offered to it.

use super::link_plot::{self, Sample, Sampler};
use crate::{bench::pair::BenchPair, cli::lab::link_failure, failure::Failure, output};
use clap::Args;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use wadi_lab::{LinkProfile, UdpLink};

/// How long the base may take over a fast link, and the outage's work over the thin one.
const BASE_MAX: Duration = Duration::from_secs(600);
const WORK_MAX: Duration = Duration::from_secs(600);
/// The level at which the workload's plain JSON is compressed for comparison.
const JSON_ZSTD_LEVEL: i32 = 19;
/// What is said after both agree, acknowledgements and findings, is over by then.
const SETTLE_PAUSE: Duration = Duration::from_secs(5);
/// How often bytes are looked at while the first of them are waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Args)]
pub struct LinkArgs {
    /// Directory of the workload, as scripts/workload.py writes it.
    #[arg(long)]
    workload: PathBuf,
    /// What the link is like: vsat-64, vsat-256, vsat-512, vsat-10m, leo, cellular, hf-32, fibre,
    /// sandstorm, brisk or lan; what is different stands behind it, as vsat-256,loss=5%.
    #[arg(long, default_value = "vsat-256")]
    links: String,
    /// The program to measure, where it is not this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Which packets are lost comes out of this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw what each side offered to the link over time, as SVG, into this file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Replace the file that --plot names.
    #[arg(long, requires = "plot")]
    force: bool,
}

/// The workload's lines.
struct Workload {
    base: Vec<String>,
    site: Vec<String>,
    hub: Vec<String>,
}

impl Workload {
    fn read(dir: &Path) -> Result<Self, Failure> {
        let lines = |name: &str| -> Result<Vec<String>, Failure> {
            let path = dir.join(name);
            let text = std::fs::read_to_string(&path).map_err(|e| {
                let why = format!(
                    "{}: {e}; scripts/workload.py --out DIR writes it",
                    path.display()
                );
                Failure::usage("no_workload", why)
            })?;

            Ok(text.lines().map(String::from).collect())
        };

        Ok(Self {
            base: lines("base.jsonl")?,
            site: lines("site_ops.jsonl")?,
            hub: lines("hub_ops.jsonl")?,
        })
    }

    /// Bytes of both parties' operations as plain JSON, raw and compressed.
    fn json_bytes(&self) -> Result<(usize, usize), Failure> {
        let all = [&self.site, &self.hub]
            .map(|lines| lines.join("\n") + "\n")
            .concat();
        let compressed = zstd::bulk::compress(all.as_bytes(), JSON_ZSTD_LEVEL)?;
        Ok((all.len(), compressed.len()))
    }
}

/// What the link had been offered at some time.
#[derive(Clone, Copy)]
struct Offered {
    up: u64,
    down: u64,
}

impl Offered {
    fn to(link: &UdpLink) -> Self {
        Self {
            up: link.up_bytes(),
            down: link.down_bytes(),
        }
    }
}

pub async fn link(args: LinkArgs) -> Result<Value, Failure> {
    let profile: LinkProfile = args.links.parse().map_err(link_failure)?;
    if let Some(path) = &args.plot {
        output::check_free(path, args.force)?;
    }

    let workload = Workload::read(&args.workload)?;
    let program = match args.program {
        Some(program) => program,
        None => std::env::current_exe()?,
    };

    let dir = tempfile::tempdir()?;
    let fast = LinkProfile::named("lan").expect("a known name");
    let rate_bits_s = profile.provisioned_bits_s();
    let rate_kbit_s = rate_bits_s / 1_000;
    let pair = BenchPair::start(&program, dir.path(), fast, rate_kbit_s, args.seed).await?;
    let measured = measure(&pair, &workload, profile).await;

    pair.stop().await;

    let (mut value, samples) = measured?;
    value["links"] = args.links.clone().into();
    value["seed"] = args.seed.into();
    let (raw, compressed) = workload.json_bytes()?;
    value["json_bytes"] = raw.into();
    value["json_zstd19_bytes"] = compressed.into();

    if let Some(path) = &args.plot {
        let converged_s = value["converge_ms"].as_f64().unwrap_or(0.0) / 1_000.0;
        let drawn = link_plot::svg(&args.links, &samples, rate_bits_s, converged_s)?;
        output::write(path, drawn.as_bytes())?;
    }

    Ok(value)
}

async fn measure(
    pair: &BenchPair,
    workload: &Workload,
    profile: LinkProfile,
) -> Result<(Value, Vec<Sample>), Failure> {
    // Both hold the base before the outage.
    let records = pair.site.import(workload.base.clone()).await?;
    pair.converged(BASE_MAX).await?;

    pair.cut_link().await?;
    pair.link.reshape(profile);
    let (site, hub) = tokio::join!(
        pair.site.import(workload.site.clone()),
        pair.hub.edit(&workload.hub, &records)
    );

    site?;
    hub?;

    let before = Offered::to(&pair.link);
    let cpu_before = [pair.site.cpu_s(), pair.hub.cpu_s()];
    let began = Instant::now();
    let sampler = Sampler::begin(pair.link.clone());
    pair.link.set_up(true);

    let contact = contact(&pair.link, before).await?;
    let converged = pair.converged(WORK_MAX).await?;
    let after = Offered::to(&pair.link);
    let samples = sampler.end().await;
    let block_bytes = pair.block_bytes().await?;
    let cpu_after = [pair.site.cpu_s(), pair.hub.cpu_s()];

    tokio::time::sleep(SETTLE_PAUSE).await;
    pair.converged(WORK_MAX).await?;
    let settled = Offered::to(&pair.link);
    let idle_cold_bytes = idle_cold(pair).await?;

    let [site_cpu, hub_cpu] =
        [0, 1].map(|n| ((cpu_after[n] - cpu_before[n]) * 100.0).round() / 100.0);
    let ms = |at: Instant| (at - began).as_millis() as u64;

    let value = json!({
        "block_bytes": block_bytes,
        "wire_up_bytes": after.up - before.up,
        "wire_down_bytes": after.down - before.down,
        "settled_up_bytes": settled.up - before.up,
        "settled_down_bytes": settled.down - before.down,
        "contact_ms": ms(contact),
        "converge_ms": ms(converged),
        "idle_cold_bytes": idle_cold_bytes,
        "site_cpu_s": site_cpu,
        "hub_cpu_s": hub_cpu,
        "site_rss_bytes": pair.site.rss_bytes(),
        "hub_rss_bytes": pair.hub.rss_bytes(),
    });
    Ok((value, samples))
}

/// Waits for the first answer of the hub.
async fn contact(link: &UdpLink, before: Offered) -> Result<Instant, Failure> {
    let deadline = Instant::now() + WORK_MAX;
    while Offered::to(link).down == before.down {
        if Instant::now() > deadline {
            return Err(Failure::new(
                "no_contact",
                "the site does not find the link again",
            ));
        }

        tokio::time::sleep(POLL_INTERVAL).await;
    }

    Ok(Instant::now())
}

/// Bytes both ways of a connection that finds nothing new: what dialling costs while the link is
/// down is not counted.
async fn idle_cold(pair: &BenchPair) -> Result<u64, Failure> {
    pair.cut_link().await?;
    let before = pair.link.bytes();
    pair.link.set_up(true);
    pair.converged(WORK_MAX).await?;
    Ok(pair.link.bytes() - before)
}
