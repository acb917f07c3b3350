-- The digest of a source as a run converted it; the document has that of its present PDF.

ALTER TABLE outcome ADD COLUMN source_sha256 TEXT;
