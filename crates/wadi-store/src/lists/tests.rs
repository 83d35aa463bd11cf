//! How lists are answered: by which indexes, and with what for their places.

use super::*;
use crate::{
    CameAgain, CarriedWithin, CaseFilter, ChosenFindings, CourseFilter, EmptiedBefore,
    FindingFilter, HoldTerms, MovedWithin, RecordFilter, SoughtBy, StoredOn, sqlite::MIGRATIONS,
};
use wadi_log::RecordId;

pub(super) fn database() -> rusqlite::Connection {
    let conn = rusqlite::Connection::open_in_memory().unwrap();
    for sql in MIGRATIONS {
        conn.execute_batch(sql).unwrap();
    }
    conn
}

pub(super) fn hold_terms() -> HoldTerms {
    let term = |what| CarriedWithin {
        what,
        within_ms: 1_000,
    };
    HoldTerms {
        sought: vec!["plate", "goods"],
        carried: vec![term("container"), term("plate")],
        moved: vec![MovedWithin {
            from: "moved_to",
            to: "plate",
            said: Some("moved_ms"),
            within_ms: 1_000,
        }],
        emptied: Some(EmptiedBefore {
            what: "container",
            emptied: "emptied",
            own: "plate",
            after_ms: 1_000,
        }),
        again: Some(CameAgain {
            what: "plate",
            own: ["plate", "container"],
            within_ms: 1_000,
        }),
        stored: Some(StoredOn {
            came_off: "came_off",
            came_off_by: "came_off_by",
            stored: "stored",
            stored_by: "stored_by",
            declared: "packages",
        }),
    }
}

/// How SQLite means to answer, a line for each step.
fn plan(conn: &rusqlite::Connection, listing: &Listing) -> Vec<String> {
    let sql = format!("EXPLAIN QUERY PLAN {}", listing.sql);
    let mut statement = conn.prepare(&sql).unwrap();
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }

    steps
}

/// No whole rows are walked over, and nothing is sorted but where few rows are.
fn assert_narrow(steps: &[String], of_few: bool) {
    for step in steps {
        // The page, and what was gathered from open holds: few rows, which are in memory.
        let of_few_rows = ["page", "a", "v", "f", "n"]
            .iter()
            .any(|name| step.ends_with(&format!(" {name}")));
        let walks_rows = step.starts_with("SCAN") && !step.contains("INDEX") && !of_few_rows;
        assert!(!walks_rows, "{steps:#?}");
        let sorts = step.contains("TEMP B-TREE FOR ORDER BY");
        assert!(of_few || !sorts || step_after_page(steps), "{steps:#?}");
    }
}

/// No step looks through all terms of a name.
fn assert_by_terms(steps: &[String]) {
    let is_wide = |step: &&String| step.ends_with("PRIMARY KEY (what=?)");
    assert_eq!(steps.iter().find(is_wide), None, "{steps:#?}");
}

/// Whether what is sorted is the page, once it was found.
fn step_after_page(steps: &[String]) -> bool {
    let sorts = steps
        .iter()
        .filter(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
    sorts.count() == 1 && steps.last().is_some_and(|s| s.contains("TEMP B-TREE"))
}

#[test]
fn every_filter_of_records_has_its_index() {
    let conn = database();
    let any = RecordFilter {
        limit: 50,
        ..RecordFilter::default()
    };
    let walked = [
        any.clone(),
        RecordFilter {
            lane: Some(1),
            ..any.clone()
        },
        RecordFilter {
            crossing: Some("TRB".into()),
            ..any.clone()
        },
        RecordFilter {
            state: Some("ADMITTED".into()),
            ..any.clone()
        },
        RecordFilter {
            contested: true,
            ..any.clone()
        },
        RecordFilter {
            before: Some(7),
            ..any.clone()
        },
        RecordFilter {
            of_holds: vec![("owner", "CUS".into())],
            ..any.clone()
        },
        RecordFilter {
            hold_types: Some(vec!["CUSTOMS".into(), "MEDICAL".into()]),
            ..any.clone()
        },
    ];
    for filter in &walked {
        let steps = plan(&conn, &records(filter));
        assert_narrow(&steps, false);
        let by_list = steps.iter().any(|s| s.contains("records_list"));
        assert!(by_list, "{filter:?}: {steps:#?}");
    }

    let few = [
        RecordFilter {
            term: Some(("plate".into(), "X".into())),
            ..any.clone()
        },
        RecordFilter {
            detained: Some(hold_terms()),
            ..any.clone()
        },
        RecordFilter {
            detained: Some(hold_terms()),
            of_holds: vec![("owner", "CUS".into()), ("hold_type", "CUSTOMS".into())],
            ..any.clone()
        },
        RecordFilter {
            detained: Some(hold_terms()),
            of_holds: vec![("owner", "CUS".into())],
            hold_types: Some(vec!["CUSTOMS".into(), "MEDICAL".into()]),
            ..any.clone()
        },
        RecordFilter {
            sought: sought(),
            ..any.clone()
        },
    ];
    for filter in &few {
        let steps = plan(&conn, &records(filter));
        // What is gathered of holds is walked: `held_tests` counts that nothing else is.
        if filter.detained.is_none() {
            assert_narrow(&steps, true);
        }
        assert_by_terms(&steps);
        let walks = steps.iter().any(|s| s.contains("records_list"));
        assert!(!walks, "{filter:?}: {steps:#?}");
    }

    let after = RecordFilter {
        after: Some(RecordId([0; 32])),
        ..any
    };
    assert_narrow(&plan(&conn, &records(&after)), false);
}

fn sought() -> Vec<SoughtBy> {
    let term = |what: &str| SoughtBy::Term {
        what: what.into(),
        value: "X".into(),
    };
    vec![
        term("plate"),
        term("container"),
        SoughtBy::Ids {
            from: RecordId([1; 32]),
            to: RecordId([2; 32]),
            of: Some(("TRB".into(), 1)),
        },
    ]
}

#[test]
fn records_of_a_day_are_walked_in_the_order_of_their_beginnings() {
    let conn = database();
    let of_a_day = RecordFilter {
        by_beginning: true,
        from_ms: Some(1),
        until_ms: Some(9),
        older: Some((5, RecordId([3; 32]))),
        limit: 50,
        ..RecordFilter::default()
    };
    let of_a_crossing = RecordFilter {
        crossing: Some("TRB".into()),
        lane: Some(1),
        ..of_a_day.clone()
    };

    for filter in [&of_a_day, &of_a_crossing] {
        let steps = plan(&conn, &records(filter));
        assert_narrow(&steps, false);
        let by_birth = steps.iter().any(|s| s.contains("records_born (born_ms"));
        assert!(by_birth, "{steps:#?}");
    }
}

#[test]
fn records_are_found_by_any_of_the_things_that_are_sought() {
    let listing = records(&RecordFilter {
        sought: sought(),
        limit: 9,
        ..RecordFilter::default()
    });
    assert_eq!(listing.values.len(), 9);
    assert_eq!(listing.sql.matches("UNION").count(), 2);

    // What no row can hold is not sought, and is not everything either.
    let unreadable = records(&RecordFilter {
        sought: vec![SoughtBy::Term {
            what: "plate".into(),
            value: "\0".into(),
        }],
        limit: 9,
        ..RecordFilter::default()
    });
    assert!(unreadable.sql.contains(NOTHING));
}

#[test]
fn holds_on_records_are_found_by_their_terms() {
    let conn = database();
    let listing = Listing {
        sql: holds_on("json_each($1) AS j", &hold_terms()),
        values: Vec::new(),
    };

    assert_by_terms(&plan(&conn, &listing));
}

#[test]
fn every_filter_of_findings_is_answered_by_one_index() {
    let conn = database();
    let any = FindingFilter {
        limit: 50,
        ..FindingFilter::default()
    };
    let text = || Some("x".to_string());
    let filters = [
        any.clone(),
        FindingFilter {
            rule: text(),
            ..any.clone()
        },
        FindingFilter {
            severity: Some(1),
            ..any.clone()
        },
        FindingFilter {
            crossing: text(),
            ..any.clone()
        },
        FindingFilter {
            phase: text(),
            ..any.clone()
        },
        FindingFilter {
            state: text(),
            ..any.clone()
        },
        FindingFilter {
            assignee: text(),
            ..any.clone()
        },
        FindingFilter {
            until_ms: Some(5),
            ..any.clone()
        },
        FindingFilter {
            from_ms: Some(5),
            disposition: text(),
            ids: Some(ChosenFindings::Without(vec!["a".into(), "b".into()])),
            ..any.clone()
        },
        FindingFilter {
            after: Some((1, 2, "x".into())),
            ..any.clone()
        },
    ];

    for filter in &filters {
        let steps = plan(&conn, &findings(filter));
        assert_narrow(&steps, false);
        let counted = plan(&conn, &finding_counts(filter));
        for steps in [steps, counted] {
            let covered = steps.iter().any(|s| {
                s.contains("COVERING INDEX findings_list")
                    || s.contains("COVERING INDEX findings_phase")
                    || s.contains("COVERING INDEX findings_counts")
            });
            assert!(covered, "{filter:?}: {steps:#?}");
        }
    }
}

/// What auditors ask for all day: the undecided findings of one phase, and how many they are.
#[test]
fn a_phase_of_the_queue_is_one_stretch_of_an_index_and_nothing_is_sorted() {
    let conn = database();
    let firm = FindingFilter {
        phase: Some("FIRM".into()),
        state: Some("UNDECIDED".into()),
        limit: 50,
        ..FindingFilter::default()
    };
    for steps in [
        plan(&conn, &findings(&firm)),
        plan(&conn, &finding_counts(&firm)),
    ] {
        assert!(steps.iter().any(|s| s.contains("(phase=?)")), "{steps:#?}");
        assert!(
            !steps.iter().any(|s| s.contains("TEMP B-TREE FOR GROUP")),
            "{steps:#?}"
        );
    }
}

/// Every look at how a hub stands counts them.
#[test]
fn what_is_overdue_is_counted_within_an_index() {
    let listing = Listing {
        sql: OVERDUE.into(),
        values: vec![BoundValue::Int(5)],
    };
    let steps = plan(&database(), &listing);
    let narrow = |s: &String| s.contains("COVERING INDEX findings_due (phase=? AND due_ms<?)");
    assert!(steps.iter().any(narrow), "{steps:#?}");
}

#[test]
fn what_callers_say_stands_among_the_values_alone() {
    let said = "x' OR 1 = 1 --";
    let listing = records(&RecordFilter {
        state: Some(said.into()),
        term: Some((said.into(), said.into())),
        limit: 9,
        ..RecordFilter::default()
    });

    assert!(!listing.sql.contains(said));
    assert_eq!(listing.values.len(), 5);
    assert!(listing.sql.contains("LIMIT $5"));
}

#[test]
fn cases_and_statistics_are_found_by_their_indexes() {
    let conn = database();
    let case = CaseFilter {
        what: "plate".into(),
        after: Some((3, "x".into())),
        limit: 50,
        ..CaseFilter::default()
    };
    let course = CourseFilter {
        until_ms: 5,
        limit: 50,
        ..CourseFilter::default()
    };
    let about = FindingFilter {
        about: Some(("plate".into(), "x".into())),
        ..FindingFilter::default()
    };

    for (listing, index) in [
        (cases(&case), "PRIMARY KEY (what=?)"),
        (
            case_records("plate", "x", 9),
            "PRIMARY KEY (what=? AND value=?)",
        ),
        (case_records("plate", "x", 9), "records_printed"),
        (courses(&course), "finding_courses_list"),
        (course_officers(&course), "finding_about_finding"),
        (contested(&course), "records_contested"),
        (findings(&about), "PRIMARY KEY (what=? AND value=?)"),
    ] {
        let steps = plan(&conn, &listing);
        assert!(
            steps.iter().any(|s| s.contains(index)),
            "{index}: {steps:#?}"
        );
        let walks = |s: &&String| {
            let of_few = ["cited", "c", "page"]
                .iter()
                .any(|n| s.ends_with(&format!(" {n}")));
            s.starts_with("SCAN") && !s.contains("INDEX") && !of_few
        };
        assert_eq!(steps.iter().find(walks), None, "{steps:#?}");
    }
}
