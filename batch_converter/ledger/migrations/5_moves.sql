-- What became of sources whose PDF is there: `--after move:DIR`.

-- One row a file that was moved, or was about to be when its run died (is_done = 0).
-- `family` is the document that it was moved with; the files of an indirect document go
-- together. Size and time are those of the file where it is now.
CREATE TABLE relocation (
    id         INTEGER PRIMARY KEY,
    family     INTEGER NOT NULL REFERENCES document (id),
    document   INTEGER REFERENCES document (id), -- NULL: a part that is none by itself
    source     BLOB NOT NULL,
    target     BLOB NOT NULL,
    folder     BLOB NOT NULL,
    size_bytes INTEGER,
    mtime_ns   INTEGER,
    is_done    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX relocation_source ON relocation (source);
CREATE INDEX relocation_target ON relocation (target);
CREATE INDEX relocation_open ON relocation (family) WHERE is_done = 0;

-- Where the source is now; NULL: where it was found.
ALTER TABLE document ADD COLUMN moved_to BLOB;
ALTER TABLE outcome ADD COLUMN moved_to BLOB;
