CREATE TABLE document (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('uploading', 'waiting', 'converting', 'ready', 'failed', 'cancelled')
    ),
    size_bytes INTEGER NOT NULL,
    received_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT,
    pages INTEGER,
    pdf_bytes INTEGER NOT NULL,
    submitted_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    error_code TEXT,
    messages TEXT NOT NULL,
    warnings TEXT NOT NULL,
    is_fetched INTEGER NOT NULL,
    keeps_source INTEGER NOT NULL,
    sequence INTEGER NOT NULL
) STRICT;

CREATE INDEX document_turn ON document (state, owner, crashes, number);
CREATE INDEX document_owner ON document (owner, number);
CREATE INDEX document_change ON document (owner, sequence);
CREATE INDEX document_age ON document (submitted_at);
