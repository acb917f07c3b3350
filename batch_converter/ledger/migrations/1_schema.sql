-- The ledger's tables. Paths are bytes as the file system has them; times are
-- seconds since 1970 UTC.

CREATE TABLE run (
    id          INTEGER PRIMARY KEY,
    run_id      TEXT NOT NULL UNIQUE,
    started_at  REAL NOT NULL,
    finished_at REAL,
    engine      TEXT NOT NULL,
    exit_code   INTEGER,
    totals      TEXT
) STRICT;

-- size_bytes, mtime_ns and source_sha256 describe the bytes that `state` is about.
CREATE TABLE document (
    id            INTEGER PRIMARY KEY,
    path          BLOB NOT NULL UNIQUE,
    source_root   BLOB NOT NULL,
    source        BLOB NOT NULL,
    output        BLOB NOT NULL,
    output_key    BLOB NOT NULL UNIQUE,
    size_bytes    INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    source_sha256 TEXT,
    pages         INTEGER,
    state         TEXT NOT NULL CHECK (state IN (
        'pending', 'submitting', 'submit_unknown', 'submitted', 'converted', 'failed'
    )),
    engine        TEXT,
    options       TEXT,
    task_id       TEXT,
    submitted_at  REAL,
    pdf_sha256    TEXT,
    pdf_bytes     INTEGER,
    converted_at  REAL,
    error_code    TEXT,
    error_message TEXT
) STRICT;

CREATE INDEX document_open ON document (state) WHERE state <> 'converted';

-- What a run did with a file. Of a file that was skipped only the first four
-- columns are kept: its document has the rest.
CREATE TABLE outcome (
    id            INTEGER PRIMARY KEY,
    run           INTEGER NOT NULL REFERENCES run (id),
    document      INTEGER REFERENCES document (id),
    status        TEXT NOT NULL CHECK (status IN ('converted', 'skipped', 'failed', 'remaining')),
    path          BLOB,
    source_root   BLOB,
    source        BLOB,
    output        BLOB,
    attempts      INTEGER NOT NULL DEFAULT 0,
    polls         INTEGER NOT NULL DEFAULT 0,
    task_id       TEXT,
    bytes_in      INTEGER,
    bytes_out     INTEGER,
    pages         INTEGER,
    sha256        TEXT,
    submitted_at  REAL,
    completed_at  REAL,
    error_code    TEXT,
    error_message TEXT,
    warnings      TEXT
) STRICT;

CREATE UNIQUE INDEX outcome_once ON outcome (run, document);

-- One row a request, written before it leaves. outcome IS NULL: no answer yet.
CREATE TABLE call (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES run (id),
    document    INTEGER REFERENCES document (id),
    kind        TEXT NOT NULL CHECK (kind IN ('token', 'submit', 'poll', 'cancel')),
    started_at  REAL NOT NULL,
    outcome     TEXT CHECK (outcome IN ('answered', 'refused', 'lost', 'unsent')),
    http_status INTEGER
) STRICT;

-- What documents taught about a service, for the next run's polling.
CREATE TABLE observation (
    id      INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    pages   REAL NOT NULL,
    low_s   REAL NOT NULL,
    high_s  REAL NOT NULL,
    servers REAL NOT NULL
) STRICT;

CREATE INDEX call_by_run ON call (run, kind);
CREATE INDEX call_by_time ON call (started_at);
CREATE INDEX call_by_document ON call (document);
