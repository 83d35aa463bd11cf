//! What blocks cost: the common workload's entries as logs of a site and a hub, byte for byte the
//! same in each run.

mod workload;

use std::{collections::BTreeMap, time::Instant};
use wadi_log::Block;
use wadi_sync::{
    BlockDecoder, BlockEncoder, BlockMeter, CodecVersion, CostPart, ReadFrame, Reliance,
};
use workload::{HeldLogs, WorkloadLines};

/// Bytes and seconds of a stream.
#[derive(Debug, Default)]
struct Cost {
    bytes: usize,
    encode_s: f64,
    decode_s: f64,
}

/// Sends blocks over one stream to a receiver that holds what both held before.
fn send(version: CodecVersion, blocks: &[Block], past: &HeldLogs) -> Cost {
    let mut encoder = BlockEncoder::of_version(version).unwrap();
    let mut decoder = BlockDecoder::new().unwrap();
    let mut cost = Cost::default();
    for block in blocks {
        let began = Instant::now();
        let held = past.answer(encoder.asks_of(block));
        let frame = encoder.encode_with(block, &held, Reliance::Stream).unwrap();
        cost.encode_s += began.elapsed().as_secs_f64();
        cost.bytes += frame.len();

        let began = Instant::now();
        let read = match decoder.read(&frame).unwrap() {
            ReadFrame::Whole(block) => block,
            ReadFrame::Said(said) => {
                let held = past.answer(said.asks());
                decoder.rebuild(said, &held).unwrap().unwrap()
            }
        };
        cost.decode_s += began.elapsed().as_secs_f64();
        assert_eq!(read, *block);
    }

    cost
}

fn parts(blocks: &[Block], past: &HeldLogs) -> Vec<(String, f64)> {
    let mut meter = BlockMeter::new();
    let mut sums: Vec<(String, f64)> = Vec::new();
    for block in blocks {
        let held = past.answer(meter.asks_of(block));
        for (n, (part, bytes)) in meter
            .bytes_by_part(block, &held)
            .unwrap()
            .into_iter()
            .enumerate()
        {
            match sums.get_mut(n) {
                Some(sum) => sum.1 += bytes,
                None => sums.push((part.name().into(), bytes)),
            }
        }
    }
    sums
}

/// Writes entries of the workload, each behind its length, for scripts/codec_dictionary.py.
#[test]
#[ignore = "writes the file that WADI_CODEC_SAMPLE names"]
fn write_a_sample() {
    let to = std::env::var("WADI_CODEC_SAMPLE").expect("the file to write");
    let (_, site, hub) = WorkloadLines::make(1_000, 7).logs(8 * 1024);
    let taken = [&site[..], &hub[..]].concat();
    let mut out = Vec::new();
    for entry in taken.iter().flat_map(|block| &block.entries).step_by(5) {
        out.extend((entry.len() as u16).to_be_bytes());
        out.extend(entry);
    }
    std::fs::write(to, out).unwrap();
}

/// Entries of logs as they came to a hub, one a block: what live traffic costs. Each stands behind
/// its log and its length of two bytes.
#[test]
#[ignore = "reads the file that WADI_CODEC_LOGS names"]
fn measure_live_logs() {
    let bytes = std::fs::read(std::env::var("WADI_CODEC_LOGS").expect("a file")).unwrap();
    let mut rest = &bytes[..];
    let mut logs = workload::LiveLogs::default();
    let mut meters: BTreeMap<_, BlockMeter> = BTreeMap::new();
    let mut sums = [0.0; CostPart::ALL.len()];
    let mut by_kind: BTreeMap<(u8, u8), (usize, f64)> = BTreeMap::new();
    let only = std::env::var("WADI_CODEC_NODE").unwrap_or_default();
    while rest.len() > 30 {
        let log = wadi_log::LogId::from_slice(&rest[..28]).unwrap();
        let length = usize::from(rest[28]) << 8 | usize::from(rest[29]);
        let entry = rest[30..30 + length].to_vec();
        rest = &rest[30 + length..];
        let kind = entry[3];
        let block = logs.next_block(log, entry);
        if !log.node.to_string().starts_with(&only) {
            continue;
        }
        let meter = meters
            .entry((log.node, log.lane))
            .or_insert_with(BlockMeter::new);
        let held = logs.past.answer(meter.asks_of(&block));
        let mut total = 0.0;
        for (n, (part, bytes)) in meter
            .bytes_by_part(&block, &held)
            .unwrap()
            .iter()
            .enumerate()
        {
            sums[n] += bytes;
            if *part != CostPart::Signatures {
                total += bytes;
            }
        }
        let sum = by_kind.entry((kind, log.lane as u8)).or_default();
        sum.0 += 1;
        sum.1 += total;
    }
    for (part, bytes) in CostPart::ALL.iter().zip(sums) {
        println!("{}: {bytes:.0}", part.name());
    }
    for ((kind, lane), (count, bytes)) in by_kind {
        println!(
            "kind {kind} lane {lane}: {count} entries, {:.1} B each and a signature",
            bytes / count as f64
        );
    }
}

/// How blocks are cut: as a site signs them while it is alone, as they are read for a link that
/// comes up, and one for each write while a link is up.
const CUTS: [(&str, usize); 3] = [("signed", 8 * 1024), ("backlog", 32 * 1024), ("live", 0)];

/// The bar: blocks of the workload beside the plain JSON of its operations under zstd -19.
const BACKLOG_RATIO_MAX: f64 = 0.50;
/// Bytes of a live block of one write, its signature of 64 with it.
const LIVE_BYTES_MAX: f64 = 80.0;

fn us_an_entry(seconds: f64, blocks: &[&[Block]]) -> f64 {
    let entries = blocks
        .iter()
        .flat_map(|b| b.iter())
        .map(|b| b.entries.len());
    (seconds * 1e7 / entries.sum::<usize>() as f64).round() / 10.0
}

#[test]
fn the_workload_costs_less_than_its_json_and_a_write_hardly_more_than_its_signature() {
    let var = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |n| n.parse().expect("a number"))
    };
    let n = var("WADI_WORKLOAD_N", 10_000) as usize;
    let seed = var("WADI_WORKLOAD_SEED", 11);
    let workload = WorkloadLines::make(n, seed);
    let (json, json_zstd19) = (workload.json_bytes(), workload.json_zstd19_bytes());
    println!("n {n}, seed {seed}: JSON {json} bytes, {json_zstd19} under zstd -19");
    println!("blocks   codec    site bytes  blocks  hub bytes  blocks  of JSON  us encode  decode");

    for (cut, run_bytes) in CUTS {
        let (past, site, hub) = workload.logs(run_bytes);
        for version in CodecVersion::ALL {
            let costs = [&site, &hub].map(|blocks| send(version, blocks, &past));
            let bytes = costs[0].bytes + costs[1].bytes;
            let ratio = bytes as f64 / json_zstd19 as f64;
            let blocks = [&site[..], &hub[..]];
            let [encode, decode] = [
                costs.iter().map(|c| c.encode_s).sum(),
                costs.iter().map(|c| c.decode_s).sum(),
            ]
            .map(|seconds| us_an_entry(seconds, &blocks));
            println!(
                "{cut:8} {:8} {:10} {:7} {:10} {:7} {ratio:8.3} {encode:10} {decode:7}",
                format!("{version:?}"),
                costs[0].bytes,
                site.len(),
                costs[1].bytes,
                hub.len(),
            );
            println!(
                "{}",
                serde_json::json!({
                    "blocks": cut,
                    "codec": version.mark(),
                    "json_zstd19_bytes": json_zstd19,
                    "block_bytes": bytes,
                    "ratio": (ratio * 1e3).round() / 1e3,
                    "encode_us": encode,
                    "decode_us": decode,
                })
            );

            if version == CodecVersion::Columns && cut == "backlog" {
                assert!(ratio <= BACKLOG_RATIO_MAX, "{ratio:.3}");
            }
            if version == CodecVersion::Columns && cut == "live" {
                let each = bytes as f64 / (site.len() + hub.len()) as f64;
                assert!(each <= LIVE_BYTES_MAX, "{each:.1} bytes a write");
            }
        }

        for (who, blocks) in [("site", &site), ("hub", &hub)] {
            let of = |(part, bytes): &(String, f64)| format!("{part} {bytes:.0}");
            let parts: Vec<String> = parts(blocks, &past).iter().map(of).collect();
            println!("         {who}: {}", parts.join(", "));
        }
    }
}
