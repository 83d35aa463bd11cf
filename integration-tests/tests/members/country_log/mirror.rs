//! An outsider mirrors the log, with code that others wrote.

use integration_tests::World;
use std::collections::BTreeMap;

/// A hub that lists every second.
pub(crate) fn start_hub(world: &mut World, more: &str) {
    world.prepare("hub", &[], &format!("[country]\nevery_s = 1\n{more}"));
    world.boot("hub");
}

/// GET without a token: status, headers and body.
pub(crate) fn get(url: &str) -> (u16, BTreeMap<String, String>, Vec<u8>) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut answer = agent.get(url).call().expect("an answer");
    let headers = answer.headers().iter().map(|(name, value)| {
        let value = value.to_str().unwrap_or_default().to_string();
        (name.as_str().to_string(), value)
    });
    let headers = headers.collect();
    let body = answer.body_mut().read_to_vec().expect("a body");
    (answer.status().as_u16(), headers, body)
}

pub(crate) fn get_text(url: &str) -> String {
    let (status, _, body) = get(url);
    assert_eq!(status, 200, "{url}");
    String::from_utf8(body).expect("text")
}

/// Reads tiles over HTTP for the code of others.
struct Tiles(String);

impl tlog_tiles::TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        // The older layout that it has names the height of its tiles, too.
        let path = |tile: &tlog_tiles::Tile| tile.path().replacen("tile/8/", "tile/", 1);
        let read = |tile| {
            let (status, _, body) = get(&format!("{}/{}", self.0, path(tile)));
            assert_eq!(status, 200, "{}", path(tile));
            body
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[tlog_tiles::Tile], _data: &[Vec<u8>]) {}
}

/// The leaves of a log, out of its bundles.
fn leaves_of(prefix: &str, size: u64) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    for index in 0..size.div_ceil(256) {
        let width = (size - index * 256).min(256);
        let path = match width {
            256 => format!("tile/entries/{index:03}"),
            width => format!("tile/entries/{index:03}.p/{width}"),
        };
        let (status, headers, bundle) = get(&format!("{prefix}/{path}"));
        assert_eq!(status, 200, "{path}");
        assert!(
            headers["cache-control"].contains("immutable"),
            "{headers:?}"
        );
        let mut rest = bundle.as_slice();
        while let Some((length, more)) = rest.split_first_chunk::<2>() {
            let (leaf, more) = more.split_at(u16::from_be_bytes(*length).into());
            leaves.push(leaf.to_vec());
            rest = more;
        }
    }

    leaves
}

#[test]
fn an_outsider_mirrors_the_log_and_checks_every_leaf() {
    let mut world = World::default();
    start_hub(&mut world, "public = true\n");
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let prefix = format!("{}/tlog", world.site("hub").url());
    let checkpoint = format!("{prefix}/checkpoint");
    // More leaves than one tile has, so that there is a full one, and one above it.
    let size_of = |note: &str| {
        note.lines()
            .nth(1)
            .and_then(|size| size.parse::<u64>().ok())
    };
    world.wait("a checkpoint over trucks", || {
        let (status, _, note) = get(&checkpoint);
        status == 200 && size_of(&String::from_utf8_lossy(&note)) > Some(12)
    });
    let note = get_text(&checkpoint);
    let vkeys = get_text(&format!("{prefix}/vkeys"));
    let vkeys: Vec<&str> = vkeys.lines().collect();
    assert_eq!(vkeys.len(), 2);

    let note = signed_note::Note::from_bytes(note.as_bytes()).expect("a note");
    let key = signed_note::StandardVerifier::new(vkeys[0]).expect("a key");
    let known = signed_note::VerifierList::new(vec![Box::new(key)]);
    note.verify(&known).expect("the hub signed it");
    let head = tlog_tiles::Checkpoint::from_bytes(note.text()).expect("a checkpoint");

    let tiles = Tiles(prefix.clone());
    let (size, root) = (head.size(), *head.hash());
    let reader = tlog_tiles::TileHashReader::new(size, root, &tiles);
    let leaves = leaves_of(&prefix, size);
    assert_eq!(leaves.len() as u64, size);
    for (n, leaf) in leaves.iter().enumerate() {
        let proof = tlog_tiles::prove_record(size, n as u64, &reader).expect("a proof");
        let hash = tlog_tiles::record_hash(leaf);
        tlog_tiles::check_record(&proof, size, root, n as u64, hash).expect("it is in the log");
    }

    let texts: Vec<String> = leaves
        .into_iter()
        .map(|leaf| String::from_utf8(leaf).expect("text"))
        .collect();
    assert!(texts[0].starts_with("wadi.country.leaf/v1 keys\n"));
    assert!(
        vkeys
            .iter()
            .all(|key| texts[0].contains(&format!("vkey {key}\n")))
    );
    let of_truck = |text: &&String| text.contains("/passage/TRB\n");
    assert!(texts.iter().any(|text| of_truck(&text)), "{texts:?}");

    // What the checkpoint does not reach is not there, and nothing else either.
    for path in [
        "tile/0/x999/999",
        "tile/0/000.p/256",
        "tile/9/000",
        "tile/entries/1",
    ] {
        assert_eq!(get(&format!("{prefix}/{path}")).0, 404, "{path}");
    }
}

#[test]
fn who_has_no_token_reads_nothing_of_a_log_that_is_not_public() {
    let mut world = World::default();
    start_hub(&mut world, "");
    let site = world.site("hub");
    world.wait("a checkpoint", || site.get("/tlog/checkpoint").is_ok());

    for path in [
        "checkpoint",
        "vkeys",
        "tile/0/000.p/1",
        "tile/entries/000.p/1",
    ] {
        assert_eq!(get(&format!("{}/tlog/{path}", site.url())).0, 401, "{path}");
    }

    let issued = site.post(
        "/v1/tokens",
        &serde_json::json!({"name": "gate", "scope": {"is": "device", "device": "ANPR-1"}}),
    );
    let token = issued.expect("a token")["token"]
        .as_str()
        .expect("text")
        .to_string();
    let refused = site
        .get_as(&token, "/tlog/checkpoint")
        .expect_err("a camera");
    assert_eq!(refused["code"], "operator_only", "{refused}");
}
