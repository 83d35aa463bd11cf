//! The schema on PostgreSQL, as a chain of migrations. A migration that landed is never changed.

/// Each migration takes the database from its index to its index plus one.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE meta (key TEXT PRIMARY KEY, value BIGINT NOT NULL);
-- SQLite's name for what PostgreSQL calls decode(…, 'hex'): both engines read with one text.
CREATE FUNCTION unhex(TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT decode($1, 'hex') $$;
CREATE TABLE nodes (node BYTEA PRIMARY KEY, enrolment BYTEA NOT NULL);
CREATE TABLE logs (
    log BYTEA PRIMARY KEY, size BIGINT NOT NULL, peaks BYTEA NOT NULL, checkpoint BYTEA NOT NULL,
    unkept_bytes BIGINT NOT NULL, grew_ms BIGINT NOT NULL
);
-- Forked entries stand side by side: main = 1 is the branch this node holds as the log, 0 any other, 2 an excerpt.
CREATE TABLE entries (
    log BYTEA NOT NULL, seq BIGINT NOT NULL, leaf BYTEA NOT NULL, bytes BYTEA NOT NULL,
    main BIGINT NOT NULL, received_ms BIGINT NOT NULL,
    PRIMARY KEY (log, seq, leaf)
) PARTITION BY HASH (log);
DO $$ BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format('CREATE TABLE entries_%s PARTITION OF entries FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n);
    END LOOP;
END $$;
CREATE INDEX entries_loose ON entries (log) WHERE main <> 1;
CREATE TABLE tree (
    log BYTEA NOT NULL, level BIGINT NOT NULL, idx BIGINT NOT NULL, hash BYTEA NOT NULL, PRIMARY KEY (log, level, idx)
);
CREATE TABLE checkpoints (
    log BYTEA NOT NULL, size BIGINT NOT NULL, signed BYTEA NOT NULL, kept BIGINT NOT NULL, PRIMARY KEY (log, size)
);
CREATE TABLE cosignatures (
    log BYTEA NOT NULL, witness BYTEA NOT NULL, size BIGINT NOT NULL, time_s BIGINT NOT NULL,
    checkpoint BYTEA NOT NULL, cosignature BYTEA NOT NULL, PRIMARY KEY (log, witness)
);
CREATE TABLE seen (log BYTEA NOT NULL, seq BIGINT NOT NULL, leaf BYTEA NOT NULL, PRIMARY KEY (log, seq, leaf));
CREATE TABLE forks (log BYTEA PRIMARY KEY, proof BYTEA NOT NULL);
CREATE TABLE record_entries (
    record BYTEA NOT NULL, log BYTEA NOT NULL, seq BIGINT NOT NULL, leaf BYTEA NOT NULL,
    PRIMARY KEY (record, log, seq, leaf)
);
CREATE INDEX record_entries_log ON record_entries (log, seq);
CREATE TABLE records (
    id BYTEA PRIMARY KEY, printed TEXT NOT NULL, lane BIGINT NOT NULL, crossing TEXT NOT NULL, state TEXT NOT NULL,
    open BOOLEAN NOT NULL, contested BOOLEAN NOT NULL, json TEXT NOT NULL, digest BYTEA NOT NULL,
    entries BIGINT NOT NULL, at_ms BIGINT NOT NULL, born_ms BIGINT NOT NULL, changed BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX records_printed ON records (printed);
CREATE INDEX records_changed ON records (changed);
CREATE INDEX records_lane ON records (lane, crossing, changed);
CREATE TABLE terms (
    record BYTEA NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL, born_ms BIGINT NOT NULL,
    PRIMARY KEY (what, value, born_ms, record)
);
CREATE INDEX terms_record ON terms (record);
CREATE TABLE waiting (
    log BYTEA NOT NULL, seq BIGINT NOT NULL, leaf BYTEA NOT NULL, record BYTEA NOT NULL, missing BYTEA,
    PRIMARY KEY (log, seq, leaf)
);
CREATE INDEX waiting_record ON waiting (record);
CREATE INDEX waiting_missing ON waiting (missing);
CREATE TABLE refusals (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject TEXT NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL,
    peer TEXT NOT NULL, at_ms BIGINT NOT NULL, times BIGINT NOT NULL DEFAULT 1, UNIQUE (subject, code)
);
CREATE INDEX refusals_at ON refusals (at_ms, id);
CREATE TABLE findings (
    id TEXT PRIMARY KEY, rule TEXT NOT NULL, severity BIGINT NOT NULL, phase TEXT NOT NULL, state TEXT NOT NULL,
    crossing TEXT NOT NULL, assignee TEXT NOT NULL, anchor BYTEA NOT NULL, evidence TEXT NOT NULL, at_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL, json TEXT NOT NULL
);
CREATE INDEX findings_anchor ON findings (anchor);
CREATE INDEX findings_order ON findings (severity, at_ms, id);
CREATE INDEX findings_due ON findings (due_ms) WHERE phase = 'PENDING';
CREATE TABLE peers (node BYTEA PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE carried (
    log BYTEA NOT NULL, start BIGINT NOT NULL, size BIGINT NOT NULL, bytes BYTEA NOT NULL, PRIMARY KEY (log, start)
);
CREATE TABLE local (scope TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (scope, key));
CREATE TABLE resyncs (id TEXT PRIMARY KEY, json TEXT NOT NULL);
INSERT INTO meta VALUES ('schema', 0), ('commits', 0), ('changed', 0);
",
    "
-- Terms that records had until lately: whoever was held together by them is looked at once more.
CREATE TABLE terms_gone (
    record BYTEA NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL, born_ms BIGINT NOT NULL, changed BIGINT NOT NULL,
    PRIMARY KEY (record, what, value, born_ms)
);
",
    "
-- The other branches of forked logs, whole from the fork on: their entries stand beside the log's own with main = 0.
CREATE TABLE branches (
    log BYTEA NOT NULL, leaf BYTEA NOT NULL, start BIGINT NOT NULL, checkpoint BYTEA NOT NULL, leaves BYTEA NOT NULL,
    PRIMARY KEY (log, leaf)
);
-- Each witness's cosignatures of the checkpoints that are kept: the first one over an entry bounds its time from above.
CREATE TABLE cosigned (
    log BYTEA NOT NULL, size BIGINT NOT NULL, witness BYTEA NOT NULL, cosignature BYTEA NOT NULL, PRIMARY KEY (log, size, witness)
);
",
    "
-- Holds that are open, for whoever asks what is detained: few among many that were.
CREATE INDEX records_open ON records (lane) WHERE open;
-- As SQLite's: nothing for a text that is not hexadecimal. What others put into a term must not end a statement.
CREATE OR REPLACE FUNCTION unhex(TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT CASE WHEN $1 ~ '^([0-9a-fA-F]{2})*$' THEN decode($1, 'hex') END $$;
",
    "
-- As SQLite's: lists walk one index that holds all they filter by, and read the rows of their page alone.
DROP INDEX records_changed;
DROP INDEX records_lane;
CREATE INDEX records_list ON records (changed, lane, crossing, state, contested, id);
-- SQLite's name for what PostgreSQL calls strpos.
CREATE FUNCTION instr(TEXT, TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT strpos($1, $2) $$;
DROP INDEX findings_order;
CREATE INDEX findings_list ON findings (severity, at_ms, id, rule, phase, state, crossing, assignee);
",
    "
-- As SQLite's.
CREATE FUNCTION hex(BYTEA) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT upper(encode($1, 'hex')) $$;
",
    "
-- As SQLite's: lists of a day walk the records in the order of their beginnings.
CREATE INDEX records_born ON records (born_ms, id, lane, crossing);
",
    "
-- What findings are about: those about one truck, container or officer are one case.
CREATE TABLE finding_about (
    what TEXT NOT NULL, value TEXT NOT NULL, finding TEXT NOT NULL,
    PRIMARY KEY (what, value, finding)
);
CREATE INDEX finding_about_finding ON finding_about (finding);
-- What became of findings, kept after the findings themselves are gone: how many explained
-- themselves is counted here.
CREATE TABLE finding_courses (
    id TEXT PRIMARY KEY, rule TEXT NOT NULL, crossing TEXT NOT NULL, found_ms BIGINT NOT NULL,
    decided_ms BIGINT NOT NULL, gone_ms BIGINT NOT NULL, disposition TEXT NOT NULL
);
CREATE INDEX finding_courses_list ON finding_courses (
    found_ms, rule, crossing, decided_ms, gone_ms, disposition, id
);
CREATE INDEX records_contested ON records (born_ms, crossing) WHERE contested;
ALTER TABLE findings ADD COLUMN disposition TEXT NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN decided_ms BIGINT NOT NULL DEFAULT 0;
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
