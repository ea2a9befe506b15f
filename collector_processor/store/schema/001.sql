-- The evidence store, version 1. Times are Unix nanoseconds; ids are hexadecimal text.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row a sealed revision; a later one adds to those before it and replaces none of them.
CREATE TABLE revisions (
    id                INTEGER PRIMARY KEY,
    trace_id          TEXT NOT NULL,
    revision          INTEGER NOT NULL,
    reason            TEXT NOT NULL,
    verdict           TEXT NOT NULL,
    service           TEXT,
    route             TEXT,
    name              TEXT,
    rooted            INTEGER NOT NULL,
    spans             INTEGER NOT NULL,   -- distinct, of all revisions up to this one
    duplicates        INTEGER NOT NULL,
    start_ns          BIGINT,
    end_ns            BIGINT,
    first_received_ns BIGINT NOT NULL,
    last_received_ns  BIGINT NOT NULL,
    sealed_ns         BIGINT NOT NULL,
    request           BLOB NOT NULL,      -- zstd of an ExportTraceServiceRequest: what it adds
    members           BLOB NOT NULL,      -- 8 bytes span id, 32 bytes digest, for each of these
    UNIQUE (trace_id, revision)
);

-- Which revision of a trace is the verdict.
CREATE TABLE traces (
    trace_id    TEXT PRIMARY KEY,
    revision_id INTEGER NOT NULL REFERENCES revisions (id)
);

CREATE TABLE findings (
    revision_id INTEGER NOT NULL REFERENCES revisions (id),
    code        TEXT NOT NULL,
    population  TEXT NOT NULL,            -- the column of `subjects` that it is counted out of
    required    INTEGER NOT NULL,
    service     TEXT,
    route       TEXT,
    count       INTEGER NOT NULL,         -- of subjects: 1 when that is the trace
    span_ids    TEXT NOT NULL             -- separated by spaces; empty for the trace itself
);
CREATE INDEX findings_by_revision ON findings (revision_id);

-- Denominators: how many subjects of each population a revision was judged on.
CREATE TABLE subjects (
    revision_id           INTEGER NOT NULL REFERENCES revisions (id),
    service               TEXT,
    route                 TEXT,
    traces                INTEGER NOT NULL,
    model_calls           INTEGER NOT NULL,
    generations           INTEGER NOT NULL,
    completed_calls       INTEGER NOT NULL,
    completed_generations INTEGER NOT NULL,
    retried_calls         INTEGER NOT NULL,
    fallback_calls        INTEGER NOT NULL,
    tool_calls            INTEGER NOT NULL,
    requested_tool_calls  INTEGER NOT NULL,
    completed_tool_calls  INTEGER NOT NULL,
    effect_tool_calls     INTEGER NOT NULL,
    guardrails            INTEGER NOT NULL,
    enforced_guardrails   INTEGER NOT NULL
);
CREATE INDEX subjects_by_revision ON subjects (revision_id);

-- Results, each once: those of a revision hold for every later one. `id` only grows, so that it can
-- be a cursor. Spans with the very same result share a row.
CREATE TABLE evaluations (
    id          INTEGER PRIMARY KEY,
    revision_id INTEGER NOT NULL REFERENCES revisions (id),
    name        TEXT NOT NULL,
    version     TEXT,
    target      TEXT NOT NULL,
    service     TEXT,
    route       TEXT,
    passed      INTEGER,                  -- 1, 0, or NULL: could not be judged
    score       DOUBLE PRECISION,
    label       TEXT,
    reason      TEXT,
    evidence    TEXT,                     -- JSON
    arrived     INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    span_ids    TEXT NOT NULL             -- separated by spaces
);
CREATE INDEX evaluations_by_revision ON evaluations (revision_id);

-- Who emitted: one row a process instance; the instance is empty when it does not say.
CREATE TABLE emitters (
    service       TEXT NOT NULL,
    instance      TEXT NOT NULL,
    first_seen_ns BIGINT NOT NULL,
    last_seen_ns  BIGINT NOT NULL,
    PRIMARY KEY (service, instance)
);

-- Acknowledged bytes that cannot be read.
CREATE TABLE undecodable (
    position    BIGINT NOT NULL,
    ordinal     INTEGER NOT NULL,
    received_ns BIGINT NOT NULL,
    signal      TEXT NOT NULL,
    trace_id    TEXT,
    reason      TEXT NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (position, ordinal)
);
