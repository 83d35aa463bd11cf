//! What was found once is tried again at every run: each file of `cases/` holds entries as they
//! were, or the kind and the seed that drew them, and what has to hold of them.
//!
//! ```json
//! {"why": "…", "log": ["trb", "passage", "TRB"], "entries": ["0801…"]}
//! {"why": "…", "kind": "tangle", "seed": 7, "draws": 40}
//! ```
//!
//! A case that does not hold yet stands in `OPEN`, with the reason; the test fails once it holds.

use super::{
    forge::{Delivery, Forge, sign_onto},
    held::{findings, quiet, records, scopes},
    hostile_kinds::HostileKind,
    hostile_texts::DAY_MS,
    links::HostileLink,
    world::{captives, country, ended, start},
};
use integration_tests::network::Country;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::Value as Json;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use wadi_log::*;
use wadi_node::{Node, Target, Write};
use wadi_record::Passage;

/// Cases that do not hold yet, each with what it waits for.
const OPEN: &[(&str, &str)] = &[];

/// A case as its file has it.
struct KeptCase {
    name: String,
    json: Json,
}

fn all() -> Vec<KeptCase> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile_entries/cases");
    let mut out: Vec<KeptCase> = std::fs::read_dir(dir)
        .expect("the directory of cases")
        .map(|file| {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a case reads");
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            KeptCase { name, json }
        })
        .collect();
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

impl KeptCase {
    fn deliveries(&self, country: &Country) -> Vec<Delivery> {
        let text = |at: usize| self.json["log"][at].as_str().unwrap_or_default();
        let Some(entries) = self.json["entries"].as_array() else {
            let kind = self.json["kind"].as_str().and_then(HostileKind::named);
            let kind = kind.unwrap_or_else(|| panic!("{}: no such kind", self.name));
            let seed = self.json["seed"].as_u64().expect("a seed");
            let draws = self.json["draws"].as_u64().expect("how many draws");
            let mut forge = Forge::new(seed, captives(country));
            return (0..draws).flat_map(|_| forge.deliveries(kind)).collect();
        };

        let by = match text(0) {
            "trb" => "trb",
            _ => "man",
        };
        let key = country.key(by);
        let log = LogId {
            node: key.node(),
            epoch: Epoch([6; 8]),
            lane: text(1).parse().expect("a lane"),
            crossing: text(2).parse().expect("a code"),
        };
        let bytes = |entry: &Json| unhex(entry.as_str().unwrap_or_default()).expect("hexadecimal");
        let entries = entries.iter().map(bytes).collect();
        let head = (DAY_MS / 1_000, vec![]);
        vec![Delivery {
            by,
            block: sign_onto(&key, log, &mut Peaks::default(), entries, head),
        }]
    }

    /// Whether all of it holds; what does not.
    async fn check(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let (_first, one) = self.node("trb-2", 0).await;
        let (_second, other) = self.node("trb-2", 1).await;
        if scopes(&one).await != scopes(&other).await
            || records(&one).await != records(&other).await
        {
            broken.push("two orders, two results".into());
        }

        let (_third, hub) = self.node("hub", 2).await;
        quiet(&hub).await;
        for found in findings(&hub).await {
            if found.starts_with("R00") {
                broken.push(format!("a rule failed: {found}"));
            }
            // Whatever anybody writes, it is no evidence of the hub's clock.
            if found.starts_with("R20") && found.contains("\"node\":{\"node\":\"hub\"}") {
                broken.push(format!("the hub is blamed: {found}"));
            }
        }

        for node in [one, other, hub] {
            let draft = Passage::announce("in").plate("11-A-99999", "IQ");
            let written = node
                .write(Write::by("OF-1", "PORT", Target::New(None), draft))
                .await;
            broken.extend(written.err().map(|e| format!("an honest write: {e}")));
            broken.extend(ended(&node).await);
            node.stop().await;
        }

        broken
    }

    /// A node that got all of it, in an order of its own; its directory lies in the country.
    async fn node(&self, name: &str, order: u64) -> (Country, Arc<Node>) {
        let country = country();
        let node = start(&country, name).await;
        let mut by_log: BTreeMap<LogId, Vec<Delivery>> = BTreeMap::new();
        for delivery in self.deliveries(&country) {
            let log = delivery.block.checkpoint.checkpoint.log;
            by_log.entry(log).or_default().push(delivery);
        }

        let mut logs: Vec<Vec<Delivery>> = by_log.into_values().collect();
        logs.shuffle(&mut StdRng::seed_from_u64(order));
        let mut links: BTreeMap<&str, HostileLink> = BTreeMap::new();
        for by in ["trb", "man"] {
            links.insert(by, HostileLink::open(&country, &node, by).await);
        }
        for delivery in logs.into_iter().flatten() {
            let link = links.get_mut(delivery.by).expect("a captive's link");
            link.send_block(&delivery.block).await;
        }
        for link in links.values_mut() {
            link.settle().await;
        }

        (country, node)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_once_holds() {
    for case in all() {
        let broken = case.check().await;
        let open = OPEN.iter().find(|(name, _)| *name == case.name);
        match open {
            None => assert!(broken.is_empty(), "{}: {broken:#?}", case.name),
            Some((_, why)) => assert!(
                !broken.is_empty(),
                "{} holds by now ({why}): take it off the list",
                case.name
            ),
        }
    }
}
