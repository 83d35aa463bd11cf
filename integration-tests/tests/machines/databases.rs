//! A hub's database that is away, locked, read-only, newer, another's or rotten, told to real
//! processes: the hub says what is wrong under a stable code, the crossings' records wait where
//! they are safe, and all of them come once it is mended.

use integration_tests::{Site, World, papers, run, run_json};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    path::Path,
    process::Output,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use wadi_store::TemporaryServer;

/// Somebody else who is connected to the server.
struct Admin {
    conn: PgConnection,
    runtime: Runtime,
}

impl Admin {
    fn at(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let conn = runtime.block_on(PgConnection::connect(url)).unwrap();
        Self { conn, runtime }
    }

    fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_string());
        self.runtime
            .block_on(sqlx::raw_sql(sql).execute(&mut self.conn))
            .unwrap();
    }
}

fn trucks(site: &Site, from: u32, count: u32) {
    let line = |n: u32| {
        json!({
            "id": format!("K{n}"),
            "plate": format!("33-B-{n:05}"),
            "direction": "in",
            "officer": "OF-1",
        })
        .to_string()
    };
    let lines: Vec<String> = (from..from + count).map(line).collect();
    assert_eq!(
        site.post_text("/v1/imports", &lines.join("\n")).unwrap()["written"],
        count
    );
}

/// An act of the hub's own, and the problem where it is refused.
fn register(hub: &Site, officer: &str) -> Result<Value, Value> {
    hub.post(
        "/v1/control",
        &json!({"say": "officer", "officer": officer, "department": "PORT"}),
    )
}

fn problem(answer: Result<Value, Value>) -> (String, u64) {
    let error = answer.expect_err("it should have been refused");
    (
        error["code"].as_str().unwrap_or_default().into(),
        error["status"].as_u64().unwrap_or_default(),
    )
}

fn count(site: &Site) -> Value {
    site.get("/v1/sites")
        .map(|s| s["records"].clone())
        .unwrap_or_default()
}

/// What a command that failed says: its error's code, and its exit code.
fn failure(output: &Output) -> (String, Option<i32>) {
    let text = String::from_utf8_lossy(&output.stdout);
    let last: Value =
        serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
    (
        last["error"].as_str().unwrap_or_default().into(),
        output.status.code(),
    )
}

fn check(dir: &Path) -> Output {
    run(dir, &["--json", "node", "check"])
}

#[test]
fn a_database_that_is_locked_away_or_read_only_for_a_while_costs_no_record() {
    let mut world = World::default();
    let mut server =
        TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let url = server.create("wadi").unwrap();

    world.prepare(
        "hub",
        &[],
        &format!(
            "database = {:?}",
            format!("{url}&options[statement_timeout]=5000")
        ),
    );

    world.boot("hub");
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trucks(trb, 0, 20);
    world.settle(&["hub", "trb"]);

    let refused = |code: &str| (code.to_string(), 503);
    let mut written = 20;
    let mut more = || {
        trucks(trb, written, 20);
        written += 20;
        written
    };

    // Slow: somebody holds a lock for longer than a statement may take.
    let mut other = Admin::at(&url);
    other.run("BEGIN; LOCK TABLE meta IN EXCLUSIVE MODE");
    let due = more();
    assert_eq!(problem(register(hub, "OF-2")), refused("database_slow"));
    assert_eq!(count(hub), 20, "it can be read");

    // The crossing is told that the hub cannot store, and offers all of it again until the hub can.
    world.wait("the crossing knows why", || {
        trb.refusals().contains(&"peer_store".to_string())
    });
    other.run("ROLLBACK");
    world.wait("what waited has come", || count(hub) == due);
    register(hub, "OF-2").unwrap();
    world.settle(&["hub", "trb"]);
    drop(other);

    // Away.
    server.stop(true);
    let due = more();
    assert_eq!(problem(register(hub, "OF-3")), refused("database_down"));
    assert_eq!(problem(hub.get("/v1/sites")), refused("database_down"));
    assert_eq!(problem(hub.get("/readyz")), refused("database_down"));

    std::thread::sleep(Duration::from_secs(2));
    server.launch().unwrap();
    world.wait("what waited has come", || count(hub) == due);
    register(hub, "OF-3").unwrap();
    world.settle(&["hub", "trb"]);

    // Read-only, as after the wrong one of two servers was made the first.
    let mut admin = Admin::at(&server.url("postgres"));
    admin.run("ALTER DATABASE wadi SET default_transaction_read_only = on");
    admin.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'wadi'",
    );

    let before = due;
    let due = more();
    assert_eq!(
        problem(register(hub, "OF-4")),
        refused("database_read_only")
    );
    assert_eq!(count(hub), before, "it can be read");

    admin.run("ALTER DATABASE wadi RESET default_transaction_read_only");
    world.wait("what waited has come", || count(hub) == due);
    register(hub, "OF-4").unwrap();
    world.settle(&["hub", "trb"]);

    // Nobody took a database that was away for one that lies, and what came is whole.
    for site in [hub, trb] {
        let codes = site.refusals();
        assert!(
            !codes
                .iter()
                .any(|c| c == "fork_unproven" || c == "unreadable"),
            "{codes:?}"
        );

        let verified = run_json(&site.dir, &["audit", "verify", "--config", "node.toml"]);
        assert_eq!(verified["damaged"], 0, "{verified}");
    }

    let officers = ["OF-2", "OF-3", "OF-4"].map(|o| register(hub, o).is_ok());
    assert_eq!(officers, [true; 3]);
}

#[test]
fn one_locked_table_costs_its_own_readers_an_answer_and_holds_up_nobody_else() {
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let url = server.create("wadi").unwrap();
    world.prepare("hub", &[], &format!("database = {url:?}"));
    world.boot("hub");
    let hub = world.site("hub");
    hub.truck("11-A-00001");

    let mut other = Admin::at(&url);
    other.run("BEGIN; LOCK TABLE findings IN ACCESS EXCLUSIVE MODE");
    let answers: Vec<(String, u64)> = std::thread::scope(|scope| {
        let ask = || problem(hub.get("/v1/findings"));
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();

        let began = Instant::now();
        let records = hub.get("/v1/records").expect("another table is read");
        assert_eq!(records["records"].as_array().map(Vec::len), Some(1));
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{:?}",
            began.elapsed()
        );
        asked.into_iter().map(|a| a.join().unwrap()).collect()
    });
    for answer in answers {
        assert_eq!(answer, ("database_slow".to_string(), 503));
    }

    other.run("ROLLBACK");
    hub.get("/v1/findings").expect("nobody holds it any more");
}

/// What a caller may put into an address that PostgreSQL takes in no text, or that nobody sees.
const ODD: [&str; 8] = [
    "%00",
    "A%00B",
    "11-A-00001%00",
    "%01",
    "%0A",
    "%7F",
    "%C2%85",
    "%E2%80%AE",
];

/// Addresses that end with a text of the caller's.
const FREE_TEXTS: [&str; 32] = [
    "/v1/records?q=",
    "/v1/records?near=true&q=",
    "/v1/records?plate=",
    "/v1/records?container=",
    "/v1/records?crossing=",
    "/v1/records?state=",
    "/v1/records?department=",
    "/v1/records?after=",
    "/v1/records?older=5.",
    "/v1/records?fields=",
    "/v1/records/file?q=",
    "/v1/records/",
    "/v1/findings?assignee=",
    "/v1/findings?about=plate:",
    "/v1/findings?about=officer:",
    "/v1/findings?about=outage:",
    "/v1/findings?record=",
    "/v1/findings?after=1.5.",
    "/v1/findings/cases?after=5.",
    "/v1/findings/cases/plate/",
    "/v1/findings/statistics?rule=",
    "/v1/findings/",
    "/v1/day?from_ms=0&until_ms=1&crossing=",
    "/v1/looks?who=",
    "/v1/looks?record=",
    "/v1/members/acts?node=",
    "/v1/members/acts?after=",
    "/v1/quarantine?log=",
    "/v1/quarantine?after=",
    "/v1/resyncs/",
    "/v1/compare?after=",
    "/v1/compare/root?size=1&log=",
];

#[test]
fn what_no_text_can_hold_is_answered_on_postgres_as_on_sqlite() {
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let database = format!("database = {:?}", server.create("wadi").unwrap());
    world.prepare("hub", &[], &database);
    world.boot("hub");
    world.start("hub2", &[]);
    let (postgres, sqlite) = (world.site("hub"), world.site("hub2"));
    for hub in [postgres, sqlite] {
        hub.truck("11-A-00001");
    }

    let ask = |method: &str, path: &str, body: Option<&Value>| {
        let told = |hub: &Site| {
            let (status, answer) = hub.exchange(method, path, body);
            (
                status,
                answer["code"].as_str().unwrap_or_default().to_string(),
            )
        };
        let (here, there) = (told(postgres), told(sqlite));
        assert!((200..500).contains(&here.0), "{method} {path}: {here:?}");
        assert_eq!(here, there, "{method} {path}");
        here
    };

    for odd in ODD {
        for text in FREE_TEXTS {
            ask("GET", &format!("{text}{odd}"), None);
        }
        for named in ["/v1/tokens/", "/v1/accounts/", "/v1/findings/desk/views/"] {
            let (status, code) = ask("DELETE", &format!("{named}{odd}"), None);
            assert_eq!(status, 404, "{named}{odd}: {code}");
        }
    }
    let nothing = json!({"subject": "a\u{0}", "code": "\u{0}", "times": 1, "reason": "a slip"});
    let (_, code) = ask("POST", "/v1/refusals/dismiss", Some(&nothing));
    assert_eq!(code, "no_such_refusal");

    // In a plate such characters are dropped, as blanks are: the truck is found all the same.
    for odd in ["%00", "%01", "%E2%80%AE"] {
        let path = format!("/v1/records?plate=11-A-{odd}00001");
        let found = postgres.get(&path).expect("a list");
        assert_eq!(found["records"].as_array().map(Vec::len), Some(1), "{odd}");
    }
    assert_eq!(
        postgres.get("/readyz").expect("it goes on")["status"],
        "ready"
    );
}

#[test]
fn a_hub_starts_on_its_own_database_or_says_why_not() {
    let mut world = World::default();
    let mut server =
        TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let url = server.create("wadi").unwrap();
    let database = format!("database = {url:?}");

    world.prepare("hub", &[], &database);
    world.boot("hub");
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trucks(trb, 0, 10);
    world.settle(&["hub", "trb"]);

    // Checked while the daemon writes to it: nobody waits, and nobody is disturbed.
    let checked = check(&hub.dir);
    assert!(checked.status.success(), "{checked:?}");
    assert!(
        String::from_utf8_lossy(&checked.stderr).contains("another daemon writes to this database")
    );

    let told: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(
        (&told["node"], &told["role"]),
        (&json!("hub"), &json!("hub"))
    );
    assert_eq!(
        (&told["database"]["written_to"], &told["database"]["anchor"]),
        (&json!(true), &json!("whole"))
    );

    trucks(trb, 10, 10);
    world.settle(&["hub", "trb"]);
    hub.stop();

    let start = || run(&hub.dir, &["--json", "node", "run"]);

    // Away.
    server.stop(false);
    for output in [start(), check(&hub.dir)] {
        assert_eq!(
            failure(&output),
            ("database_open".into(), Some(1)),
            "{output:?}"
        );
    }

    server.launch().unwrap();
    // Written by a newer version: it is left alone.
    let mut admin = Admin::at(&url);
    admin.run("UPDATE meta SET value = value + 97 WHERE key = 'schema'");
    for output in [start(), check(&hub.dir)] {
        assert_eq!(
            failure(&output),
            ("database_newer".into(), Some(1)),
            "{output:?}"
        );
    }

    admin.run("UPDATE meta SET value = value - 97 WHERE key = 'schema'");
    // Another commission's.
    let elsewhere = world.dir().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();

    let config = format!(
        "papers = {:?}\nlisten = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{database}\n",
        papers().join("other/nodes/elsewhere")
    );

    std::fs::write(elsewhere.join("node.toml"), config).unwrap();
    for output in [
        run(&elsewhere, &["--json", "node", "run"]),
        check(&elsewhere),
    ] {
        assert_eq!(
            failure(&output),
            ("database_of_other_node".into(), Some(1)),
            "{output:?}"
        );
    }

    assert!(!elsewhere.join("anchor").exists());

    // Put back from an older backup: the anchor knows of more, and the check says so before
    // anything is started.
    admin.run("UPDATE meta SET value = value - 1 WHERE key = 'commits'");
    let behind = check(&hub.dir);
    let told: Value = serde_json::from_slice(&behind.stdout).unwrap();
    assert_eq!(
        (behind.status.code(), &told["database"]["anchor"]),
        (Some(4), &json!("lost_tail"))
    );

    admin.run("UPDATE meta SET value = value + 1 WHERE key = 'commits'");
    // Read-only: it starts, and shows what it holds.
    admin.run("ALTER DATABASE wadi SET default_transaction_read_only = on");
    let checked = check(&hub.dir);
    assert!(
        String::from_utf8_lossy(&checked.stderr).contains("read-only"),
        "{checked:?}"
    );

    world.boot("hub");
    assert_eq!(count(hub), 20);
    assert_eq!(
        problem(register(hub, "OF-2")),
        ("database_read_only".into(), 503)
    );

    admin.run("ALTER DATABASE wadi RESET default_transaction_read_only");
    trucks(trb, 20, 10);
    world.settle(&["hub", "trb"]);
    assert_eq!(count(hub), 30, "nothing of it was lost");
}

#[test]
fn an_audit_of_a_hub_on_postgres_names_the_entry_whose_byte_was_flipped() {
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let url = server.create("wadi").unwrap();
    world.prepare("hub", &[], &format!("database = {url:?}"));
    world.boot("hub");
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trucks(trb, 0, 40);
    world.settle(&["hub", "trb"]);

    // While the daemon writes: the audit sees one moment of the database, and writes nothing.
    let audit = |arguments: &[&str]| {
        run(
            &hub.dir,
            &[&["--json", "audit", "verify"], arguments].concat(),
        )
    };

    let read = |output: &Output| -> Value {
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default()
    };
    let root = papers().join("certs/root.pub");
    let root = root.to_str().unwrap();
    let by_url = ["--database", &url, "--root", root];
    let ways: [&[&str]; 3] = [&["--config", "node.toml"], &["."], &by_url];

    for way in ways {
        let output = audit(way);
        let found = read(&output);
        assert_eq!(
            (output.status.code(), &found["damaged"]),
            (Some(0), &json!(0)),
            "{way:?}: {output:?}"
        );

        assert!(found["entries"].as_u64().unwrap() > 40, "{found}");
    }

    hub.stop();
    let rot = |column: &str, table: &str, at: u32, which: &str| {
        let flipped = format!("set_byte({column}, {at}, get_byte({column}, {at}) # 1)");
        Admin::at(&url).run(&format!(
            "UPDATE {table} SET {column} = {flipped} WHERE {which}"
        ));
    };

    // One byte of the eighth entry, and of the twentieth: the first one is named.
    let of_trb =
        |seq: u32| format!("seq = {seq} AND get_byte(log, 24) = 3 AND substr(log, 26, 3) = 'TRB'");
    for seq in [7, 19] {
        rot("bytes", "entries", 60, &of_trb(seq));
    }

    for way in ways {
        let output = audit(way);
        assert_eq!(output.status.code(), Some(4), "{way:?}: {output:?}");

        let found = read(&output);
        let first = found["first"].as_str().unwrap();
        assert!(
            first.ends_with("passage/TRB@7: the entry's bytes do not have its hash"),
            "{found}"
        );
    }

    for seq in [7, 19] {
        rot("bytes", "entries", 60, &of_trb(seq));
    }

    assert_eq!(read(&audit(&["."]))["damaged"], 0, "mended");

    // An entry that is gone, and a signature that is another's.
    let mut admin = Admin::at(&url);
    admin.run(&format!(
        "CREATE TABLE aside AS SELECT * FROM entries WHERE {}",
        of_trb(11)
    ));
    admin.run(&format!("DELETE FROM entries WHERE {}", of_trb(11)));

    let found = read(&audit(&["."]));
    assert!(
        found["first"]
            .as_str()
            .unwrap()
            .ends_with("passage/TRB@11: the entry is missing"),
        "{found}"
    );

    admin.run("INSERT INTO entries SELECT * FROM aside");
    assert_eq!(read(&audit(&["."]))["damaged"], 0, "mended");

    rot(
        "cosignature",
        "cosignatures",
        40,
        "log = (SELECT log FROM cosignatures ORDER BY log DESC LIMIT 1)",
    );

    let output = audit(&["."]);
    let found = read(&output);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        found["first"].as_str().unwrap().contains("cosignature of"),
        "{found}"
    );
}
