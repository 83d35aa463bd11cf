//! The schema, as a chain of migrations. A migration that landed is never changed.

/// Each migration takes the database from its index to its index plus one.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE nodes (node BLOB PRIMARY KEY, enrolment BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE logs (
    log BLOB PRIMARY KEY, size INTEGER NOT NULL, peaks BLOB NOT NULL, checkpoint BLOB NOT NULL,
    unkept_bytes INTEGER NOT NULL, grew_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Forked entries stand side by side: main = 1 is the branch this node holds as the log, 0 any other, 2 an excerpt.
CREATE TABLE entries (
    log BLOB NOT NULL, seq INTEGER NOT NULL, leaf BLOB NOT NULL, bytes BLOB NOT NULL,
    main INTEGER NOT NULL, received_ms INTEGER NOT NULL,
    PRIMARY KEY (log, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE TABLE tree (
    log BLOB NOT NULL, level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (log, level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    log BLOB NOT NULL, size INTEGER NOT NULL, signed BLOB NOT NULL, kept INTEGER NOT NULL,
    PRIMARY KEY (log, size)
) STRICT, WITHOUT ROWID;
CREATE TABLE cosignatures (
    log BLOB NOT NULL, witness BLOB NOT NULL, size INTEGER NOT NULL, time_s INTEGER NOT NULL,
    checkpoint BLOB NOT NULL, cosignature BLOB NOT NULL,
    PRIMARY KEY (log, witness)
) STRICT, WITHOUT ROWID;
CREATE TABLE seen (log BLOB NOT NULL, seq INTEGER NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY (log, seq, leaf)) STRICT, WITHOUT ROWID;
CREATE TABLE forks (log BLOB PRIMARY KEY, proof BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE record_entries (
    record BLOB NOT NULL, log BLOB NOT NULL, seq INTEGER NOT NULL, leaf BLOB NOT NULL,
    PRIMARY KEY (record, log, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_entries_log ON record_entries (log, seq);
CREATE TABLE records (
    id BLOB PRIMARY KEY, printed TEXT NOT NULL, lane INTEGER NOT NULL, crossing TEXT NOT NULL, state TEXT NOT NULL,
    open INTEGER NOT NULL, contested INTEGER NOT NULL, json TEXT NOT NULL, digest BLOB NOT NULL,
    entries INTEGER NOT NULL, at_ms INTEGER NOT NULL, changed INTEGER NOT NULL
) STRICT;
CREATE INDEX records_printed ON records (printed);
CREATE INDEX records_changed ON records (changed);
CREATE INDEX records_lane ON records (lane, crossing, changed);
CREATE TABLE terms (
    record BLOB NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (what, value, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX terms_record ON terms (record);
CREATE TABLE waiting (
    log BLOB NOT NULL, seq INTEGER NOT NULL, leaf BLOB NOT NULL, record BLOB NOT NULL, missing BLOB,
    PRIMARY KEY (log, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_record ON waiting (record);
CREATE INDEX waiting_missing ON waiting (missing);
CREATE TABLE refusals (
    id INTEGER PRIMARY KEY, subject TEXT NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL, peer TEXT NOT NULL,
    at_ms INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1, UNIQUE (subject, code)
) STRICT;
CREATE TABLE findings (
    id TEXT PRIMARY KEY, rule TEXT NOT NULL, severity INTEGER NOT NULL, phase TEXT NOT NULL, anchor BLOB NOT NULL,
    evidence TEXT NOT NULL, json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_anchor ON findings (anchor);
CREATE TABLE peers (node BLOB PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE carried (
    log BLOB NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (log, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE local (scope TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (scope, key)) STRICT, WITHOUT ROWID;
CREATE TABLE resyncs (id TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('commits', 0), ('changed', 0);
",
    "
ALTER TABLE records ADD COLUMN born_ms INTEGER NOT NULL DEFAULT 0;
UPDATE records SET born_ms = at_ms;
CREATE TABLE terms_born (
    record BLOB NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL, born_ms INTEGER NOT NULL,
    PRIMARY KEY (what, value, born_ms, record)
) STRICT, WITHOUT ROWID;
INSERT INTO terms_born SELECT t.record, t.what, t.value, r.born_ms FROM terms t JOIN records r ON r.id = t.record;
DROP TABLE terms;
ALTER TABLE terms_born RENAME TO terms;
CREATE INDEX terms_record ON terms (record);
CREATE INDEX entries_loose ON entries (log) WHERE main <> 1;
CREATE INDEX refusals_at ON refusals (at_ms, id);
-- Findings follow from the records: they are found again.
DROP TABLE findings;
CREATE TABLE findings (
    id TEXT PRIMARY KEY, rule TEXT NOT NULL, severity INTEGER NOT NULL, phase TEXT NOT NULL, state TEXT NOT NULL,
    crossing TEXT NOT NULL, assignee TEXT NOT NULL, anchor BLOB NOT NULL, evidence TEXT NOT NULL, at_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL, json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_anchor ON findings (anchor);
CREATE INDEX findings_order ON findings (severity, at_ms, id);
CREATE INDEX findings_due ON findings (due_ms) WHERE phase = 'PENDING';
",
    "
-- Terms that records had until lately: whoever was held together by them is looked at once more.
CREATE TABLE terms_gone (
    record BLOB NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL, born_ms INTEGER NOT NULL, changed INTEGER NOT NULL,
    PRIMARY KEY (record, what, value, born_ms)
) STRICT, WITHOUT ROWID;
",
    "
-- The other branches of forked logs, whole from the fork on: their entries stand beside the log's own with main = 0.
CREATE TABLE branches (
    log BLOB NOT NULL, leaf BLOB NOT NULL, start INTEGER NOT NULL, checkpoint BLOB NOT NULL, leaves BLOB NOT NULL,
    PRIMARY KEY (log, leaf)
) STRICT, WITHOUT ROWID;
-- Each witness's cosignatures of the checkpoints that are kept: the first one over an entry bounds its time from above.
CREATE TABLE cosigned (
    log BLOB NOT NULL, size INTEGER NOT NULL, witness BLOB NOT NULL, cosignature BLOB NOT NULL, PRIMARY KEY (log, size, witness)
) STRICT, WITHOUT ROWID;
",
    "
-- Holds that are open, for whoever asks what is detained: few among many that were.
CREATE INDEX records_open ON records (lane) WHERE open;
",
    "
-- Lists walk one index that holds all they filter by, and read the rows of their page alone. One index more for each filter
-- would be written with every change: this one takes the place of two.
DROP INDEX records_changed;
DROP INDEX records_lane;
CREATE INDEX records_list ON records (changed, lane, crossing, state, contested);
DROP INDEX findings_order;
CREATE INDEX findings_list ON findings (severity, at_ms, id, rule, phase, state, crossing, assignee);
",
    "
-- Lists of a day walk the records in the order of their beginnings. A beginning seldom changes:
-- this index is written once for each record.
CREATE INDEX records_born ON records (born_ms, id, lane, crossing);
",
    "
-- What findings are about: those about one truck, container or officer are one case.
CREATE TABLE finding_about (
    what TEXT NOT NULL, value TEXT NOT NULL, finding TEXT NOT NULL,
    PRIMARY KEY (what, value, finding)
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_about_finding ON finding_about (finding);
-- What became of findings, kept after the findings themselves are gone: how many explained
-- themselves is counted here.
CREATE TABLE finding_courses (
    id TEXT PRIMARY KEY, rule TEXT NOT NULL, crossing TEXT NOT NULL, found_ms INTEGER NOT NULL,
    decided_ms INTEGER NOT NULL, gone_ms INTEGER NOT NULL, disposition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_courses_list ON finding_courses (
    found_ms, rule, crossing, decided_ms, gone_ms, disposition, id
);
CREATE INDEX records_contested ON records (born_ms, crossing) WHERE contested;
ALTER TABLE findings ADD COLUMN disposition TEXT NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN decided_ms INTEGER NOT NULL DEFAULT 0;
DROP INDEX findings_list;
CREATE INDEX findings_list ON findings (
    severity, at_ms, id, rule, phase, state, crossing, assignee, disposition
);
-- Findings follow from the records: they are found again, with what they are about.
DELETE FROM findings;
DELETE FROM local WHERE scope = 'reconcile';
",
    "
-- Auditors work through one phase of the findings at a time: its page, and how many there are by
-- rule and state, are one stretch of an index each, in its order.
CREATE INDEX findings_phase ON findings (
    phase, severity, at_ms, id, rule, state, crossing, assignee, disposition
);
CREATE INDEX findings_counts ON findings (
    phase, rule, state, crossing, assignee, severity, disposition, at_ms
);
-- Beside an index that begins with the phase, SQLite would not look at one of a phase alone.
DROP INDEX findings_due;
CREATE INDEX findings_due ON findings (phase, due_ms);
",
];
