-- What object stores tell versions of an object apart by: of the source that `state` is
-- about, and of the PDF that this ledger has put there last. NULL of what is on a disk.

ALTER TABLE document ADD COLUMN etag TEXT;
ALTER TABLE document ADD COLUMN pdf_etag TEXT;
