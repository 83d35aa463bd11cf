use super::*;

/// 2026-03-01.
const NOW_MS: i64 = 1_772_323_200_000;

// The specimens of ICAO Doc 9303, parts 4 to 7, with days of expiry that lie ahead where a test
// needs them.
const TD3: [&str; 2] = [
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F3012040<<<<<<<<<<<<<<08",
];
const TD2: [&str; 2] = [
    "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<",
    "D231458907UTO7408122F1204159<<<<<<<6",
];
const TD1: [&str; 3] = [
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F1204159UTO<<<<<<<<<<<6",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
];
const MRV_A: [&str; 2] = [
    "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L8988901C4XXX4009078F96121096ZE184226B<<<<<<",
];
const MRV_B: [&str; 2] = [
    "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<",
    "L8988901C4XXX4009078F9612109<<<<<<<<",
];

fn read(text: &str) -> Zone {
    Zone::read(text, NOW_MS)
}

fn told(text: &str) -> String {
    read(text).warnings().collect::<Vec<_>>().join(" | ")
}

#[test]
fn every_kind_of_document_is_read() {
    for zone in [&TD3[..], &TD2, &TD1, &MRV_A, &MRV_B] {
        let text = zone.join("\n");
        assert!(!read(&text).failed(), "{}", told(&text));
        assert_eq!(read(&text).is_visa(), zone[0].starts_with('V'));

        // One digit of the birth date, wherever it stands.
        let twin = text.replace("740812", "740813").replace("400907", "400908");
        assert!(told(&twin).contains("a check digit"), "{twin}");
    }
}

#[test]
fn a_zone_is_read_as_readers_send_it() {
    for zone in [&TD3[..], &TD2, &TD1, &MRV_A, &MRV_B] {
        for sent in [
            zone.join("\r"),
            zone.join("\r\n"),
            zone.join("\\n"),
            zone.join(""),
            zone.join("\n").to_lowercase(),
            format!("  {}  \r\n\r\n", zone.join("   \r\n ")),
            format!("\u{2}{}\r\u{3}", zone.join("\r")),
            zone.join("\n").replace("<<", "«"),
            zone.join("\n").replace('<', "«"),
            zone.join("\n").replace('<', "‹"),
            zone.join("\n").replace('<', "&lt;"),
            zone.join("\n").replace('<', "&LT;"),
            zone.join("\n").replace('<', "&lt"),
            zone.join("\n").replace('<', "&amp;lt;"),
            zone.join("\n").replace('<', "&#60;"),
            zone.join("\n").replace('<', "&#060;"),
            zone.join("\n").replace('<', "&#x3C;"),
            zone.join("\n").replace('<', "&amp;#x3c;"),
            zone.join("\n").replace('<', "\\u003c"),
            zone.join("\n").replace('<', "\\u003C").to_uppercase(),
            zone.join("\\n").replace('<', "\\\\u003c"),
            zone.join("\n").replace('<', "\\x3c"),
            zone.join("%0D%0A").replace('<', "%3C"),
            zone.join("\n").replace('<', "%253c"),
            zone.join("&#13;&#10;").replace('<', "=3C"),
            zone.join("\n").replace('<', "&lsaquo;"),
            zone.join("\n").replace('<', "＜"),
            zone.join("\n").replace('<', " "),
            zone.join("\n").replace("UTO", "UTO "),
        ] {
            assert!(!read(&sent).failed(), "{sent:?}: {}", told(&sent));
        }
    }
}

#[test]
fn whatever_takes_no_room_changes_nothing_in_a_zone() {
    let unseen = [
        '\u{202A}',
        '\u{202B}',
        '\u{202C}',
        '\u{202D}',
        '\u{202E}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{61C}',
        '\u{2060}',
        '\u{AD}',
        '\u{FEFF}',
        '\u{200B}',
        '\u{200C}',
        '\u{200D}',
        '\u{200E}',
        '\u{200F}',
        '\u{FE00}',
        '\u{FE0F}',
        '\u{E0100}',
        '\u{180E}',
        '\u{34F}',
        '\u{3164}',
        '\u{FFA0}',
    ];
    for zone in [&TD3[..], &TD2, &TD1, &MRV_A, &MRV_B] {
        for c in unseen {
            let around: Vec<String> = zone.iter().map(|l| format!("{c}{l}{c}")).collect();
            let between = format!("<{c}<");
            for sent in [around.join("\n"), zone.join("\n").replace("<<", &between)] {
                assert!(!read(&sent).failed(), "{c:?}: {}", told(&sent));
            }
        }

        // Every letter of it, in a message that turns directions at each.
        let all: String = zone.join("\n").chars().fold(String::new(), |mut out, c| {
            out.extend([
                '\u{2066}', c, '\u{FE0F}', '\u{200D}', '\u{200C}', '\u{2069}',
            ]);
            out
        });
        assert!(!read(&all).failed(), "{}", told(&all));

        let twin = all.replace("1\u{FE0F}", "2\u{FE0F}");
        assert!(read(&twin).failed(), "a wrong digit stays wrong");
    }
}

#[test]
fn fillers_that_were_cut_off_at_the_ends_of_lines_are_put_back() {
    for zone in [&TD3[..], &TD2, &TD1, &MRV_A, &MRV_B] {
        let cut: Vec<&str> = zone.iter().map(|line| line.trim_end_matches('<')).collect();
        let blanks = cut.join("\n").replace('<', " ");
        for sent in [cut.join("\n"), cut.join("\r\n"), blanks] {
            assert!(!read(&sent).failed(), "{sent:?}: {}", told(&sent));
            let twin = sent.replace("740812", "740813").replace("400907", "400908");
            assert!(told(&twin).contains("a check digit"), "{twin}");
        }
    }

    // A letter that is missing is no filler.
    let short = TD3[1].get(..43).unwrap();
    let told = told(&format!("{}\n{short}", TD3[0]));
    assert!(told.contains("found 44 + 43"), "{told}");
    assert!(read("hello").failed() && read("P<UTO\nL89").failed());
}

#[test]
fn a_letter_in_the_place_of_the_sex_is_told_and_fails_nothing() {
    for (letter, is_told) in [
        ("F", false),
        ("M", false),
        ("<", false),
        ("X", false),
        ("1", true),
    ] {
        let sent = TD3.join("\n").replace("2F3", &format!("2{letter}3"));
        assert!(!read(&sent).failed(), "{sent}");
        assert_eq!(
            told(&sent).contains("the sex in"),
            is_told,
            "{sent}: {}",
            told(&sent)
        );
    }
}

#[test]
fn a_letter_is_never_taken_for_a_digit() {
    let oh = TD3.join("\n").replace("L898902C36", "L8989O2C36");
    assert!(told(&oh).contains("document number"), "{}", told(&oh));

    let oh = TD3.join("\n").replace("7408122F3012040", "74O8122F3O12O40");
    assert!(
        told(&oh).contains("O in line 2, place 16"),
        "where a digit belongs: {}",
        told(&oh)
    );

    let zero = TD3.join("\n").replace("P<UTO", "P<UT0");
    assert!(
        told(&zero).contains("UT0"),
        "no such state: {}",
        told(&zero)
    );
}

#[test]
fn what_is_no_zone_says_why() {
    for (text, why) in [
        ("", "found none"),
        ("P<UTO", "found 5"),
        (&TD3[0].replacen('P', "", 1), "found 43"),
        (
            "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO",
            "found 44 + 13",
        ),
        (&"<".repeat(2_000), "not more than"),
        (&"?".repeat(88), "does not read"),
        (&"P<".repeat(44), "does not agree"),
        (&"الف".repeat(30), "does not read"),
    ] {
        assert!(told(text).contains(why), "{text:?}: {}", told(text));
        assert!(read(text).failed());
    }
}

/// A passport's second line with its check digits made right, so that only the days are wrong.
fn passport(birth: &str, expiry: &str) -> String {
    let digit = |text: &str| mrz::check_digit(text).unwrap().to_string();
    let (number, personal) = ("L898902C36", "<<<<<<<<<<<<<<0");
    let (birth, expiry) = (
        birth.to_string() + &digit(birth),
        expiry.to_string() + &digit(expiry),
    );
    let whole = digit(&format!("{number}{birth}{expiry}{personal}"));

    format!("{}\n{number}UTO{birth}F{expiry}{personal}{whole}", TD3[0])
}

#[test]
fn a_day_that_is_none_fails_though_every_digit_agrees() {
    assert!(!read(&passport("740812", "301204")).failed());
    assert!(
        !read(&passport("000229", "301204")).failed(),
        "2000 was a leap year"
    );
    assert!(
        !read(&passport("<<<<<<", "301204")).failed(),
        "nobody knows when they were born"
    );
    assert!(!read(&passport("7408<<", "301204")).failed(), "nor the day");

    for (birth, expiry) in [
        ("741340", "301204"),
        ("740230", "301204"),
        ("750229", "301204"),
        ("740812", "300230"),
        ("740812", "300000"),
        ("7413<<", "301204"),
    ] {
        let text = passport(birth, expiry);
        assert!(
            told(&text).contains("is no day"),
            "{birth} {expiry}: {}",
            told(&text)
        );
        assert!(read(&text).failed());
    }

    let unborn = passport("200812", "190101");
    assert!(told(&unborn).contains("before its holder was born"));
}

#[test]
fn what_is_out_of_date_or_of_no_state_is_told_and_fails_nothing() {
    let expired = passport("740812", "260228");
    assert!(
        told(&expired).contains("expired on 2026-02-28"),
        "{}",
        told(&expired)
    );
    assert!(!read(&expired).failed());
    assert!(
        !told(&passport("740812", "260301")).contains("expired"),
        "on its last day"
    );

    let nowhere = TD3.join("\n").replace("P<UTO", "P<QQQ");
    assert!(
        told(&nowhere).contains("QQQ: neither"),
        "{}",
        told(&nowhere)
    );
    assert!(!read(&nowhere).failed());

    let specimen = TD3.join("\n");
    assert_eq!(read(&specimen).warnings().count(), 1, "{}", told(&specimen));

    let iraqi = TD3.join("\n").replace("UTO", "IRQ");
    assert_eq!(told(&iraqi), "");
}

#[test]
fn a_zone_that_came_line_by_line_is_put_together() {
    let sent: Vec<&str> = [&TD3[..], &TD1, &MRV_A].concat();
    let zones = whole_zones(&sent);
    assert_eq!(zones.len(), 3);
    for zone in &zones {
        assert!(!read(zone).failed(), "{zone}: {}", told(zone));
    }

    // Whole ones stay, and so does a line that stands alone.
    let (passport, visa) = (TD3.join("\n"), MRV_A.join(""));
    for sent in [
        vec![passport.as_str(), visa.as_str()],
        vec![TD3[0]],
        vec![TD3[0], passport.as_str()],
        vec![TD3[0], TD2[1]],
    ] {
        assert_eq!(whole_zones(&sent), sent);
    }
    assert!(whole_zones(&[]).is_empty());
}

#[test]
fn a_visa_belongs_to_the_passport_that_it_lies_beside() {
    let (passport, visa) = (read(&TD3.join("\n")), read(&MRV_A.join("\n")));
    let wrong_passport = read(&TD3.join("\n").replace("7408122", "7408123"));
    let wrong_visa = read(&MRV_A.join("\n").replace("4009078", "4009079"));
    let failed = |travellers, zones: &[&Zone]| {
        let zones: Vec<Zone> = zones.iter().map(|zone| (*zone).clone()).collect();
        zones_failed(travellers, &zones)
    };

    assert_eq!(failed(1, &[&passport, &visa]), Ok(vec![false]));
    assert_eq!(failed(1, &[&wrong_passport, &visa]), Ok(vec![true]));
    assert_eq!(failed(1, &[&passport, &wrong_visa]), Ok(vec![true]));
    assert_eq!(failed(1, &[&wrong_visa, &passport]), Ok(vec![true]));

    let family = [&passport, &wrong_visa, &passport, &visa];
    assert_eq!(failed(2, &family), Ok(vec![true, false]));
    assert_eq!(
        failed(2, &[&passport, &wrong_passport]),
        Ok(vec![false, true])
    );
    assert_eq!(
        failed(2, &[&wrong_visa, &passport, &passport]),
        Ok(vec![true, false])
    );

    assert_eq!(failed(2, &[&wrong_visa, &visa]), Ok(vec![true, false]));

    for unclear in [
        &[&passport, &wrong_visa][..],
        &[&wrong_visa, &passport],
        &[&passport, &passport, &passport],
        &[&wrong_visa, &visa, &visa],
    ] {
        let told = failed(2, unclear).unwrap_err();
        assert!(told.contains("nobody can tell"), "{told}");
    }

    // A visa of which a letter was not read is no document.
    let cut_visa = read(MRV_A.join("\n").trim_end_matches("B<<<<<<"));
    assert!(cut_visa.is_visa());
    let broken_visa = read(&MRV_A.join("\n").replace("L8988901C4", "L88988901C4"));
    assert!(broken_visa.is_visa() && broken_visa.failed());
    assert!(failed(2, &[&passport, &broken_visa]).is_err());

    for n in [1, 3] {
        let told = failed(0, &vec![&wrong_passport; n]).unwrap_err();
        assert!(told.contains("no check is recorded"), "{told}");
    }
    assert_eq!(failed(2, &[]), Ok(vec![]));
    assert_eq!(failed(0, &[]), Ok(vec![]));
    assert!(
        failed(2, &[&wrong_passport])
            .unwrap_err()
            .contains("nobody can tell")
    );
}
