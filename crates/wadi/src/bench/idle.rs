//! `wadi bench idle`: what a site and a hub cost on which nothing happens, while their link stands
//! and while it is down.
//!
//! Both are processes of their own, with the settings that they have by default.

use crate::{bench::pair::BenchPair, cli::lab::link_failure, failure::Failure};
use clap::Args;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use wadi_lab::LinkProfile;

/// How long the two may take to be in step.
const STEP_MAX: Duration = Duration::from_secs(120);
/// The share of one core that an idle site may take, of a hundred.
const SITE_PERCENT_MAX: f64 = 0.5;

#[derive(Args)]
pub struct IdleArgs {
    /// How long nothing happens while the link stands, and as long again while it is down.
    #[arg(
        long,
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(5..=86_400)
    )]
    seconds: u64,
    /// What the link is like, as `bench link` has it.
    #[arg(long, default_value = "vsat-256")]
    links: String,
    /// The program to measure, where it is not this one.
    #[arg(long)]
    program: Option<PathBuf>,
}

pub(super) async fn idle(args: IdleArgs) -> Result<Value, Failure> {
    let profile: LinkProfile = args.links.parse().map_err(link_failure)?;
    let program = match args.program {
        Some(program) => program,
        None => std::env::current_exe()?,
    };
    let rate_kbit_s = profile.provisioned_bits_s() / 1_000;
    let dir = tempfile::tempdir()?;
    let pair = BenchPair::start(&program, dir.path(), profile, rate_kbit_s, 1).await?;
    let measured = measure(&pair, Duration::from_secs(args.seconds)).await;
    pair.stop().await;

    let mut told = measured?;
    told["links"] = args.links.into();
    told["site_percent_of_a_core_max"] = SITE_PERCENT_MAX.into();
    Ok(told)
}

async fn measure(pair: &BenchPair, while_nothing: Duration) -> Result<Value, Failure> {
    pair.converged(STEP_MAX).await?;
    let connected = of_nothing(pair, while_nothing).await;
    pair.cut_link().await?;
    let dark = of_nothing(pair, while_nothing).await;

    Ok(json!({
        "connected": connected,
        "dark": dark,
        "site_rss_bytes": pair.site.rss_bytes(),
        "hub_rss_bytes": pair.hub.rss_bytes(),
    }))
}

/// Of a time in which nobody asks anything of either: shares of one core, of a hundred, and bytes
/// offered to the link, both ways.
async fn of_nothing(pair: &BenchPair, time: Duration) -> Value {
    let (site, hub, bytes) = (pair.site.cpu_s(), pair.hub.cpu_s(), pair.link.bytes());
    let began = Instant::now();
    tokio::time::sleep(time).await;
    let took = began.elapsed().as_secs_f64();

    let percent = |cpu_s: f64| (cpu_s / took * 10_000.0).round() / 100.0;
    json!({
        "seconds": took.round(),
        "site_percent_of_a_core": percent(pair.site.cpu_s() - site),
        "hub_percent_of_a_core": percent(pair.hub.cpu_s() - hub),
        "wire_bytes": pair.link.bytes() - bytes,
    })
}
