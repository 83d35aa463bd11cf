//! An export that is interrupted never looks whole: its process killed, the node gone or its own
//! disk full in the middle. And one that is not takes the same memory however long it is, and has
//! what the list has that it is an export of.

use integration_tests::{PATIENCE, World, run_json, wadi};
use serde_json::{Value, json};
use std::{
    fs::OpenOptions,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::FileTypeExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
};

const FORMATS: [&str; 3] = ["ndjson", "csv", "parquet"];

/// What a node does after its pages.
#[derive(Clone, Copy)]
enum Then {
    /// It has no more records, once it is let go on.
    End,
    /// It says nothing any more.
    Silence,
    /// It dies in the middle of a page.
    Death,
}

/// A node as far as an export sees one.
struct Pages {
    url: String,
    asked: mpsc::Receiver<usize>,
    go: mpsc::Sender<()>,
}

fn page(records: usize) -> String {
    let record = |n: usize| {
        json!({
            "id": format!("TRB-P-{n}"),
            "record": format!("{n:064x}"),
            "kind": "passage",
            "crossing": "TRB",
            "state": "ADMITTED",
            "flags": [],
            "safety": "at_hub",
            "changed": n,
            "contested": {},
            "events": [],
            "fields": {
                "direction": "in",
                "vehicle.plate_raw": format!("22 A {n}"),
                "note": format!("{n} ").repeat(60),
            },
        })
    };

    json!({"records": (0..records).map(record).collect::<Vec<_>>()}).to_string()
}

fn read_head(stream: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::<u8>::new(), [0u8]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
}

/// Answers with the first bytes of a body, and closes.
fn answer(mut stream: TcpStream, body: &str, bytes: usize) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body.as_bytes()[..bytes]);
}

/// Serves so many pages of 500 records.
fn node(pages: usize, then: Then) -> Pages {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel();

    std::thread::spawn(move || {
        let (full, none) = (page(500), page(0));
        let mut silent = Vec::new();
        for (n, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            read_head(&mut stream);
            let _ = tell.send(n);
            match then {
                _ if n < pages => answer(stream, &full, full.len()),
                Then::End => {
                    let _ = may_go.recv();
                    answer(stream, &none, none.len());
                }
                Then::Silence => silent.push(stream),
                Then::Death => answer(stream, &full, full.len() / 2),
            }
        }
    });

    Pages { url, asked, go }
}

impl Pages {
    /// Waits until a page was asked for: all before it are taken.
    fn until_asked_for(&self, page: usize) {
        while self
            .asked
            .recv_timeout(PATIENCE)
            .expect("the client asks for the next page")
            < page
        {}
    }
}

fn arguments<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--json", "export", "--url", url, "--token", "t"], more].concat()
}

fn export(dir: &Path, url: &str, more: &[&str]) -> Command {
    let mut command = Command::new(wadi());
    command
        .current_dir(dir)
        .args(arguments(url, more))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());

    command.stderr(Stdio::piped());
    command
}

fn code(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let last: Value =
        serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
    last["error"].as_str().unwrap_or_default().into()
}

/// There is a part, it has no trailer, and no file has the name of a whole one.
fn assert_cut(dir: &Path, what: &str) {
    assert!(
        !dir.join("all.out").exists() && !dir.join("all.out.trailer.json").exists(),
        "{what}"
    );

    let part = std::fs::read(dir.join("all.out.part")).unwrap();
    assert!(
        !String::from_utf8_lossy(&part).contains("\"sha256\""),
        "{what}"
    );
    assert!(part.len() <= 4 || !part.ends_with(b"PAR1"), "{what}");
}

#[test]
fn an_export_whose_process_is_killed_or_whose_node_dies_never_looks_whole() {
    for format in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let to_file = ["--format", format, "-o", "all.out"];
        let silent = node(2, Then::Silence);
        let mut child = export(dir.path(), &silent.url, &to_file).spawn().unwrap();

        silent.until_asked_for(2);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_cut(dir.path(), format);

        // What lies there may be anybody's: whoever begins again says that it may go.
        let again = export(dir.path(), &silent.url, &to_file).output().unwrap();
        assert_eq!(
            (again.status.code(), code(&again).as_str()),
            (Some(2), "file_exists"),
            "{format}: {again:?}"
        );
        assert_cut(dir.path(), format);

        let to_file = [&to_file[..], &["--force"]].concat();
        let dying = node(2, Then::Death);
        let output = export(dir.path(), &dying.url, &to_file).output().unwrap();
        assert_eq!(
            (output.status.code(), code(&output).as_str()),
            (Some(1), "unreachable"),
            "{format}: {output:?}"
        );

        assert_cut(dir.path(), format);
        // Begun again it is whole, and what was left lying is gone.
        let whole = node(2, Then::End);
        whole.go.send(()).unwrap();

        let output = export(dir.path(), &whole.url, &to_file).output().unwrap();
        assert!(output.status.success(), "{format}: {output:?}");

        let trailer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(trailer["export"]["rows"], 1_000);
        assert!(dir.path().join("all.out").exists() && !dir.path().join("all.out.part").exists());
        assert_eq!(
            dir.path().join("all.out.trailer.json").exists(),
            format != "ndjson"
        );
    }
}

#[test]
fn an_export_whose_disk_is_full_says_so_and_never_looks_whole() {
    for format in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let pages = node(2, Then::End);
        pages.go.send(()).unwrap();

        // A file may grow to 2 blocks and no further; who ignores the signal is told by the write
        // itself.
        let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\"";
        let output = Command::new("sh")
            .current_dir(dir.path())
            .args(["-c", script])
            .arg(wadi())
            .args(arguments(
                &pages.url,
                &["--format", format, "-o", "all.out"],
            ))
            .stdin(Stdio::null())
            .output()
            .unwrap();

        assert_eq!(
            (output.status.code(), code(&output).as_str()),
            (Some(1), "unwritable"),
            "{format}: {output:?}"
        );

        assert_cut(dir.path(), format);
    }

    // Standard output may be a full disk, too.
    for format in ["ndjson", "csv"] {
        let dir = tempfile::tempdir().unwrap();
        let pages = node(2, Then::End);
        pages.go.send(()).unwrap();

        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = export(dir.path(), &pages.url, &["--format", format])
            .stdout(full)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).to_string();
        assert_eq!(
            (output.status.code(), told.contains("[unwritable]")),
            (Some(1), true),
            "{format}: {told}"
        );
    }

    // What cannot be begun is said before a record is read.
    let dir = tempfile::tempdir().unwrap();
    let pages = node(1, Then::End);
    let output = export(dir.path(), &pages.url, &["-o", "no/such/place"])
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), code(&output).as_str()),
        (Some(1), "unwritable")
    );
    assert!(pages.asked.try_recv().is_err());
}

/// The most memory that a process ever held, kB.
fn peak_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_long_export_takes_no_more_memory_than_a_short_one() {
    let peak = |format: &str, count: usize| {
        let dir = tempfile::tempdir().unwrap();
        let pages = node(count, Then::End);
        let child = export(
            dir.path(),
            &pages.url,
            &["--format", format, "-o", "all.out"],
        )
        .spawn()
        .unwrap();

        pages.until_asked_for(count);
        // All records but the last group of rows are written by now.
        let held = peak_kb(child.id());
        pages.go.send(()).unwrap();

        let output = child.wait_with_output().unwrap();
        let trailer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!(trailer["export"]["rows"], count * 500, "{output:?}");

        held
    };

    for format in FORMATS {
        let (short, long) = (peak(format, 10), peak(format, 80));
        assert!(
            long < short + 24 * 1024,
            "{format}: 5,000 records took {short} kB, 40,000 took {long} kB"
        );
    }
}

#[test]
fn what_is_no_file_gets_the_export_and_stays_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());

    let lines_of = |text: &str| {
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let trailer = lines.last().unwrap();
        assert_eq!(trailer["export"]["rows"], lines.len() - 1);
        lines.len()
    };

    let pages = node(2, Then::End);
    pages.go.send(()).unwrap();
    let named = pipe.clone();
    let reader = std::thread::spawn(move || std::fs::read_to_string(named).unwrap());
    let output = export(dir.path(), &pages.url, &["-o", "pipe"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines_of(&reader.join().unwrap()), 1_001);
    assert!(pipe.metadata().unwrap().file_type().is_fifo());

    // Standard output by its other name.
    let pages = node(2, Then::End);
    pages.go.send(()).unwrap();
    let output = export(dir.path(), &pages.url, &["-o", "/dev/stdout"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines_of(&String::from_utf8_lossy(&output.stdout)), 1_001);
    assert!(Path::new("/dev/stdout").is_symlink());

    // Where that is a file the name leads to it, and who follows it writes over what nobody named.
    let file = std::fs::File::create(dir.path().join("file")).unwrap();
    let pages = node(1, Then::End);
    let output = export(dir.path(), &pages.url, &["--force", "-o", "/dev/stdout"])
        .stdout(file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = std::fs::read_to_string(dir.path().join("file")).unwrap();
    assert!(told.contains("is_a_link"), "{told}");
    assert!(Path::new("/dev/stdout").is_symlink());
}

/// `wadi export -o - | head` is no failure: whoever reads has seen enough.
#[test]
fn a_reader_that_closes_the_pipe_ends_an_export_quietly() {
    for format in ["ndjson", "csv"] {
        let dir = tempfile::tempdir().unwrap();
        let pages = node(20, Then::Silence);
        let mut child = export(dir.path(), &pages.url, &["--format", format, "-o", "-"])
            .spawn()
            .unwrap();
        let mut reader = child.stdout.take().unwrap();

        reader.read_exact(&mut [0; 100]).unwrap();
        drop(reader);

        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}

#[test]
fn an_export_of_the_board_has_what_is_detained_and_by_whom() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let (held, free) = (trb.truck("11-A-00001"), trb.truck("22-B-00002"));
    let placed = json!({
        "type": "hold.placed", "type_of_hold": "CUSTOMS", "legal_basis": "order 12",
    });
    let hold = json!({
        "kind": "hold", "officer": "OF-C", "department": "CUS",
        "fields": {"type": "CUSTOMS", "legal_basis": "order 12"},
        "events": [placed, {"type": "link", "record": held}],
    });
    let hold = trb.post("/v1/records", &hold).expect("a hold");
    let board = trb.get("/v1/records?state=DETAINED").expect("a list");
    let board = board["records"].as_array().expect("records");
    assert_eq!(board.len(), 1, "{board:?}");

    for state in ["DETAINED", "detained"] {
        for format in FORMATS {
            let file = format!("{state}.{format}");
            let filter = ["--state", state, "--format", format];
            let export = [&["export", "-o", &file][..], &filter].concat();
            let trailer = run_json(&trb.dir, &export);
            assert_eq!(trailer["export"]["rows"], 1, "{format}: {trailer}");

            let written = std::fs::read(trb.dir.join(&file)).expect("the file");
            let text = String::from_utf8_lossy(&written);
            if format != "parquet" {
                assert!(text.contains(&held) && !text.contains(&free), "{text}");
            }
            if format == "ndjson" {
                let first = text.lines().next().expect("a line");
                let record: Value = serde_json::from_str(first).expect("JSON");
                let by = &record["detained_by"];
                assert_eq!(
                    (&record["id"], by),
                    (&json!(held), &board[0]["detained_by"])
                );
                assert_eq!(by[0]["hold"], hold["id"], "{by}");
            }
        }
    }
}
