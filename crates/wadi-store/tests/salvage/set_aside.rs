//! What does not read is set aside, and nothing of it is thrown away.

use super::*;

async fn sql(dir: &Path, sql: &'static str) {
    let path = format!("sqlite://{}", dir.join("node.sqlite").display());
    let mut conn = sqlx::SqliteConnection::connect(&path).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn what_does_not_read_is_set_aside_whole_and_the_anchor_tells_what_is_missing() {
    let image = image(&mut random()).await;
    let (dir, node) = (image.stopped(), image.own.key.node());

    // Another's, and a newer one's, are not touched.
    let stranger = SqliteStore::open_or_set_aside(&dir, image.other.key.node(), "t").await;
    assert_eq!(stranger.err().unwrap().code(), "database_of_other_node");

    sql(&dir, "PRAGMA user_version = 99").await;
    let newer = SqliteStore::open_or_set_aside(&dir, node, "t").await;
    assert_eq!(newer.err().unwrap().code(), "database_newer");
    assert_eq!(SetAside::all(&dir), []);

    let mut file = std::fs::read(dir.join("node.sqlite")).unwrap();
    file[..PAGE].fill(0xa5);
    std::fs::write(dir.join("node.sqlite"), &file).unwrap();
    assert!(SqliteStore::open(&dir, node).await.is_err());

    let store = SqliteStore::open_or_set_aside(&dir, node, "t")
        .await
        .unwrap();
    let AnchorState::LostTail { held: 0, heads, .. } = store.anchor_state() else {
        panic!("nobody tells")
    };
    let (log, tip) = heads[0];
    assert_eq!((log, tip.size), (image.own.log, image.own.peaks.size()));

    store.close().await;
    let aside = SetAside::all(&dir);
    assert_eq!((aside.len(), aside[0].name.as_str()), (1, "t"));
    assert!(aside[0].why.contains("not a database"), "{}", aside[0].why);
    assert_eq!(std::fs::read(aside[0].database()).unwrap(), file);

    assert_whole(&aside[0].dir, &image);
    // Once more, in the same second; and a table that a node cannot start without.
    for spoilt in [
        "DROP TABLE logs",
        "UPDATE nodes SET enrolment = x'00'",
        "INSERT INTO logs VALUES (x'00', 1, x'00', x'00', 0, 0)",
        "UPDATE meta SET value = -3 WHERE key = 'commits'",
        "UPDATE meta SET value = replace(value, substr(value, 1, 1), 'x') WHERE key = 'node'",
    ] {
        let before = SetAside::all(&dir).len();
        let store = SqliteStore::open_or_set_aside(&dir, node, "t")
            .await
            .unwrap();
        let enrolments = vec![enrolment("trb", &image.own.key)];

        store
            .commit(Batch::from(Append {
                enrolments,
                ..Append::default()
            }))
            .await
            .unwrap();

        store.close().await;
        assert_eq!(SetAside::all(&dir).len(), before, "what opens stays");

        sql(&dir, spoilt).await;
        let store = SqliteStore::open_or_set_aside(&dir, node, "t")
            .await
            .unwrap();
        assert!(matches!(store.anchor_state(), AnchorState::LostTail { .. }));

        store.close().await;
        assert_eq!(SetAside::all(&dir).len(), before + 1, "{spoilt}");
    }
}

#[tokio::test]
async fn no_wal_is_thrown_away() {
    let image = image(&mut random()).await;
    let (dir, node) = (image.cut(), image.own.key.node());
    let names = ["node.sqlite", "node.sqlite-wal", "anchor"];
    let files: BTreeMap<&str, Vec<u8>> = names
        .map(|n| (n, std::fs::read(dir.join(n)).unwrap()))
        .into();
    let restore = || {
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        files
            .iter()
            .for_each(|(name, bytes)| std::fs::write(dir.join(name), bytes).unwrap());
    };

    let in_wal = {
        let alone = tempfile::tempdir().unwrap();
        std::fs::write(
            alone.path().join("node.sqlite-wal"),
            &files["node.sqlite-wal"],
        )
        .unwrap();

        let (salvage, found) = scan(alone.path());
        positions(&salvage, &found, &image.own)
    };

    assert!(in_wal.len() > 20);

    // An ordinary power cut: nothing is lost, and no copy stays.
    let store = SqliteStore::open_or_set_aside(&dir, node, "t")
        .await
        .unwrap();
    assert_eq!(*store.anchor_state(), AnchorState::Whole);

    store.close().await;
    assert!(SetAside::all(&dir).is_empty() && !dir.join("node.sqlite-wal-before").exists());

    // The database is gone, or empty: SQLite would delete its WAL unread.
    for gone in [true, false] {
        restore();
        match gone {
            true => std::fs::remove_file(dir.join("node.sqlite")).unwrap(),
            false => std::fs::write(dir.join("node.sqlite"), b"").unwrap(),
        }

        let store = SqliteStore::open_or_set_aside(&dir, node, "t")
            .await
            .unwrap();
        assert!(matches!(
            store.anchor_state(),
            AnchorState::LostTail { held: 0, .. }
        ));

        store.close().await;
        let aside = SetAside::all(&dir);
        let (salvage, found) = scan(&aside[0].dir);
        assert_eq!(positions(&salvage, &found, &image.own), in_wal);
    }

    // Rot in the middle: SQLite drops all that was written after it, and says nothing.
    restore();
    let mut wal = files["node.sqlite-wal"].clone();
    let frame = 32 + (wal.len() - 32) / FRAME / 2 * FRAME;
    wal[frame + 16] ^= 1;
    std::fs::write(dir.join("node.sqlite-wal"), &wal).unwrap();

    let store = SqliteStore::open_or_set_aside(&dir, node, "t")
        .await
        .unwrap();
    assert!(matches!(store.anchor_state(), AnchorState::LostTail { .. }));

    let held = store
        .logs()
        .await
        .unwrap()
        .iter()
        .find(|l| l.log == image.own.log)
        .unwrap()
        .peaks
        .size();

    assert!(held < image.own.peaks.size());

    store.close().await;
    let aside = SetAside::all(&dir);
    assert_eq!(aside.len(), 1);

    let (salvage, found) = scan(&aside[0].dir);
    assert_eq!(positions(&salvage, &found, &image.own), in_wal);

    // The next start finds nothing new.
    SqliteStore::open_or_set_aside(&dir, node, "u")
        .await
        .unwrap()
        .close()
        .await;

    assert_eq!(SetAside::all(&dir), aside);

    // A database that was deleted altogether is begun anew, and the anchor tells.
    restore();
    for name in ["node.sqlite", "node.sqlite-wal"] {
        std::fs::remove_file(dir.join(name)).unwrap();
    }

    let store = SqliteStore::open_or_set_aside(&dir, node, "t")
        .await
        .unwrap();
    assert!(matches!(
        store.anchor_state(),
        AnchorState::LostTail { held: 0, .. }
    ));

    store.close().await;
    assert_eq!(SetAside::all(&dir), []);
}
