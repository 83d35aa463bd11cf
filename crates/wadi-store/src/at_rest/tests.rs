use super::*;
use crate::tables::{FINDING_ABOUT, LOCAL, RECORDS, TABLES, TERMS};

fn key(n: u8) -> StoreKey {
    StoreKey::new([n; KEY_BYTES])
}

fn cipher(n: u8) -> CellCipher {
    CellCipher::of(Some(&key(n)))
}

fn cell<'k>(table: &'static Table, column: &'static str, kind: &'k str) -> SecretCell<'k> {
    SecretCell::new(table, column, kind)
}

#[test]
fn a_cell_decrypts_by_its_key_in_its_column_and_nowhere_else() {
    let (ours, json) = (cipher(1), cell(&RECORDS, "json", ""));
    let sealed = ours.seal_text(json, r#"{"plate":"11-A-1"}"#).into_owned();
    assert!(sealed.starts_with(TEXT_VERSION) && !sealed.contains("11-A-1"));

    let open = |cipher: &CellCipher, at| cipher.open_text(at, sealed.clone());
    assert_eq!(open(&ours, json).as_deref(), Some(r#"{"plate":"11-A-1"}"#));
    assert_eq!(open(&cipher(2), json), None);
    assert_eq!(open(&ours, cell(&TERMS, "value", "plate")), None);

    let bytes = ours.seal_bytes(ENTRY_BYTES, b"an entry".to_vec());
    assert_eq!(bytes.len(), 8 + 17, "what it costs");
    assert_eq!(ours.entry(bytes.clone()), b"an entry");
    assert_eq!(cipher(2).entry(bytes), b"");
}

#[test]
fn whatever_rots_of_a_cell_or_stands_there_in_clear_does_not_decrypt_and_does_not_panic() {
    let ours = cipher(1);
    for clear in [&b""[..], b"x", &[7; 15], &[7; 16], &[7; 300]] {
        let sealed = ours.seal_bytes(ENTRY_BYTES, clear.to_vec());
        assert_eq!(
            ours.open_bytes(ENTRY_BYTES, sealed.clone()).as_deref(),
            Some(clear)
        );
        for bit in 0..8 * sealed.len() {
            let mut rotten = sealed.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ours.open_bytes(ENTRY_BYTES, rotten), None, "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert_eq!(ours.open_bytes(ENTRY_BYTES, sealed[..end].into()), None);
        }
        assert_eq!(ours.open_bytes(ENTRY_BYTES, clear.to_vec()), None);
    }

    let json = cell(&RECORDS, "json", "");
    for clear in ["", "{}", "~1", "~1AAAA", "~1\u{e9}", "~"] {
        assert_eq!(ours.open_text(json, clear.into()), None, "{clear:?}");
        let sealed = ours.seal_text(json, clear).into_owned();
        assert_eq!(ours.open_text(json, sealed).as_deref(), Some(clear));
    }
}

#[test]
fn equal_terms_are_equal_cells_so_that_an_index_finds_them() {
    let ours = cipher(1);
    assert_eq!(ours.term("plate", "11A1"), ours.term("plate", "11A1"));
    // What a lookout seeks is held against plates and containers.
    assert_eq!(ours.term("plate", "11A1"), ours.term("target", "11A1"));
    assert_ne!(ours.term("plate", "11A1"), ours.term("plate", "11A2"));
}

#[test]
fn ids_of_records_stay_in_clear_where_sql_joins_by_them_and_nothing_else_does() {
    let (ours, id) = (cipher(1), RecordId([0xab; 32]).to_string());
    assert_eq!(ours.term("link", &id), id);
    assert_eq!(ours.about("record", "TRB-P-1"), "TRB-P-1");

    // Others may put into a link what they like.
    for odd in ["11-A-1", &id.to_uppercase(), id.get(..63).unwrap()] {
        assert!(looks_sealed(&ours.term("link", odd)), "{odd:?}");
    }
    assert!(looks_sealed(&ours.term("plate", &id)));
    assert!(looks_sealed(&ours.about("plate", "TRB-P-1")));
    let anchor = cell(&LOCAL, "value", "anchor");
    assert_eq!(ours.seal_text(anchor, "1 00"), "1 00");
    assert!(looks_sealed(
        &ours.seal_text(cell(&FINDING_ABOUT, "value", "officer"), "OF-1")
    ));
}

#[test]
fn without_a_key_every_cell_is_what_it_is() {
    let none = CellCipher::default();
    let json = cell(&RECORDS, "json", "");
    assert!(matches!(none.seal_text(json, "~1x"), Cow::Borrowed("~1x")));
    assert_eq!(none.open_text(json, "~1x".into()).as_deref(), Some("~1x"));
    assert_eq!(none.seal_bytes(ENTRY_BYTES, vec![1, 2]), [1, 2]);
    assert_eq!(none.entry(vec![1, 2]), [1, 2]);
}

#[test]
fn a_key_reads_back_from_its_text_and_tells_nothing_of_itself() {
    let key = StoreKey::new(std::array::from_fn(|n| n as u8));
    let text = key.to_text();
    assert_eq!(text.len(), 128);
    assert_eq!(StoreKey::from_text(&format!("{text}\n")), Some(key.clone()));
    assert_eq!(StoreKey::from_text(text.get(..126).unwrap()), None);
    assert_eq!(StoreKey::from_text("no key"), None);
    assert_eq!(format!("{key:?}"), "StoreKey(…)");
    assert_ne!(key.check(), super::tests::key(1).check());
}

/// Both were made by another implementation: OpenSSL's AES-256-SIV, as Python's `cryptography` has
/// it.
#[test]
fn cells_of_this_version_stay_readable_and_are_what_the_rfc_says() {
    let key = StoreKey::new(std::array::from_fn(|n| n as u8));
    let ours = CellCipher::of(Some(&key));
    assert_eq!(ours.term("plate", "11A1"), "~1CsfIenNb3q8bda46wC8GWBmYnqU");
    assert_eq!(key.check(), -5_719_748_840_229_152_334);
}

#[test]
fn what_says_something_of_people_or_goods_is_marked() {
    let secret: Vec<String> = TABLES
        .iter()
        .flat_map(|table| {
            let columns = table.columns.iter().filter(|column| column.secret);
            columns.map(|column| format!("{}.{}", table.name, column.name))
        })
        .collect();

    assert_eq!(
        secret,
        [
            "entries.bytes",
            "records.json",
            "terms.value",
            "terms_gone.value",
            "refusals.why",
            "findings.assignee",
            "findings.json",
            "finding_about.value",
            "peers.json",
            "carried.bytes",
            "local.value",
            "resyncs.json",
        ]
    );
}

#[test]
fn key_and_database_have_to_fit_each_other() {
    let (ours, other) = (key(1), key(2));
    let said = Some(ours.check());
    let code = |outcome: Result<CellCipher, StoreError>| match outcome {
        Ok(cipher) => {
            if cipher.is_on() {
                "encrypted"
            } else {
                "clear"
            }
        }
        Err(error) => error.code(),
    };
    let to_write = |said, key, found| code(cipher_to_write(said, key, found));
    let to_read = |said, key, found| code(cipher_of(said, key, found));
    use FoundCells::{Clear, Encrypted, None as Nothing, Unknown};

    assert_eq!(to_write(None, None, Clear), "clear");
    assert_eq!(to_write(None, Some(&ours), Nothing), "encrypted");
    assert_eq!(to_write(None, Some(&ours), Clear), "database_not_encrypted");
    assert_eq!(to_write(said, Some(&ours), Clear), "encrypted");
    assert_eq!(to_write(said, None, Clear), "database_encrypted");
    assert_eq!(to_write(said, Some(&other), Clear), "store_key_wrong");
    assert_eq!(to_write(None, Some(&other), Unknown), "store_key_wrong");

    // What the database says of its key rotted, or is gone.
    assert_eq!(to_write(Some(7), Some(&ours), Encrypted), "encrypted");
    assert_eq!(to_write(None, Some(&ours), Encrypted), "encrypted");

    // A copy in clear is read whether a key is at hand or not.
    assert_eq!(to_read(None, Some(&ours), Clear), "clear");
    assert_eq!(to_read(said, Some(&other), Unknown), "store_key_wrong");
}
