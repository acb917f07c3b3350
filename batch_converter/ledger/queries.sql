-- Every statement of the ledger, by the name that `query` finds it under (queries.py).
-- {report_columns} and {report_values} are the columns of a file's report,
-- {document_columns} those of a document (rows.py).


-- Runs

-- name: begin_run
INSERT INTO run (run_id, started_at, engine, kind, settings)
VALUES (:run_id, :at, :engine, :kind, :settings)

-- name: count_run
UPDATE run SET finished_at = :at, totals = :totals WHERE id = :run

-- name: end_run
UPDATE run SET exit_code = :exit_code, finished_at = coalesce(:at, finished_at), causes = :causes
WHERE id = :run

-- name: end_dead_runs
UPDATE run SET finished_at = :at WHERE finished_at IS NULL

-- name: run_by_number
SELECT * FROM run WHERE id = :run

-- name: run_by_id
SELECT * FROM run WHERE run_id = :run_id

-- name: run_ids
SELECT run_id FROM run

-- name: all_runs
SELECT * FROM run ORDER BY id

-- name: last_success_before
SELECT finished_at FROM run
WHERE kind = 'convert' AND exit_code = 0 AND id < :run ORDER BY id DESC LIMIT 1

-- name: settings_before
SELECT settings FROM run WHERE kind = 'convert' AND id < :run ORDER BY id DESC LIMIT 1

-- name: last_conversion_run
SELECT * FROM run WHERE kind = 'convert' ORDER BY id DESC LIMIT 1


-- Calls

-- name: begin_call
INSERT INTO call (run, document, kind, started_at) VALUES (:run, :document, :kind, :at)

-- name: end_call
UPDATE call SET outcome = :outcome, http_status = :http_status WHERE id = :call

-- name: lose_open_calls
UPDATE call SET outcome = 'lost' WHERE outcome IS NULL

-- name: lose_open_calls_of_document
UPDATE call SET outcome = 'lost' WHERE outcome IS NULL AND document = :document

-- name: last_submission
SELECT outcome FROM call WHERE document = :document AND kind = 'submit' ORDER BY id DESC LIMIT 1

-- name: billed_calls_since
SELECT count(*) FROM call
WHERE started_at >= :since AND kind <> 'token' AND outcome IS NOT 'unsent'

-- name: calls_by_kind
SELECT kind, count(*) AS calls FROM call
WHERE (:run IS NULL OR run = :run) AND outcome IS NOT 'unsent' GROUP BY kind

-- name: lost_submissions
SELECT count(*) FROM call WHERE run = :run AND kind = 'submit' AND outcome = 'lost'


-- Documents: `move` alone changes a state

-- name: move
UPDATE document SET state = :to
WHERE id = :document AND instr(:allowed_from, '"' || state || '"')

-- name: document_state
SELECT state FROM document WHERE id = :document

-- name: set_task
UPDATE document SET task_id = :task_id, submitted_at = :submitted_at,
    task_expires_at = :expires_at, engine = :engine
WHERE id = :document

-- name: forget_task
UPDATE document SET task_id = NULL, submitted_at = NULL, task_expires_at = NULL
WHERE id = :document

-- name: describe_source
UPDATE document SET size_bytes = :size_bytes, mtime_ns = :mtime_ns, etag = :etag, pages = :pages,
    source_sha256 = :source_sha256, parts_fingerprint = :parts_fingerprint
WHERE id = :document

-- name: touch_source
UPDATE document SET size_bytes = :size_bytes, mtime_ns = :mtime_ns, etag = :etag,
    parts_fingerprint = :parts_fingerprint
WHERE id = :document

-- name: announce_pdf
UPDATE document SET pdf_sha256 = :sha256, pdf_bytes = :size_bytes, engine = :engine,
    options = :options, warnings = :warnings
WHERE id = :document

-- name: learn_pdf_etag
UPDATE document SET pdf_etag = :pdf_etag WHERE id = :document

-- name: forget_pdf
-- Its ETag stays: what has that may be replaced.
UPDATE document SET pdf_sha256 = NULL, pdf_bytes = NULL WHERE id = :document

-- name: set_converted
UPDATE document SET task_id = NULL, converted_at = :at, error_code = NULL, error_message = NULL,
    pages = coalesce(:pages, pages)
WHERE id = :document

-- name: set_failure
UPDATE document SET error_code = :code, error_message = :message WHERE id = :document

-- name: submitting_documents
SELECT id FROM document WHERE state = 'submitting'

-- name: unfinished_outputs
SELECT output FROM document WHERE state <> 'converted'

-- name: submitted_documents
SELECT count(*) FROM document WHERE state = 'submitted'

-- name: failed_documents
SELECT * FROM document WHERE state = 'failed' ORDER BY path

-- name: documents_with_task
SELECT * FROM document
WHERE state IN ('submitted', 'failed') AND task_id IS NOT NULL
    AND (:engine IS NULL OR engine = :engine)
ORDER BY submitted_at

-- name: documents_by_state
SELECT state, count(*) AS documents FROM document GROUP BY state

-- name: failures_by_code
SELECT error_code, count(*) AS documents FROM document WHERE state = 'failed' GROUP BY error_code

-- name: converted_totals
SELECT coalesce(sum(size_bytes), 0) AS bytes_in, coalesce(sum(pdf_bytes), 0) AS bytes_out,
    coalesce(sum(pages), 0) AS pages, count(warnings) AS with_warnings, count(moved_to) AS moved
FROM document WHERE state = 'converted'

-- name: documents_in_state
-- In the words of a file's report; what is of an earlier life of the document is left out.
SELECT source_root, source, output,
    iif(state IN ('converted', 'failed'), state, 'remaining') AS status,
    NULL AS attempts, NULL AS polls, task_id, size_bytes AS bytes_in,
    iif(state = 'converted', pdf_bytes, NULL) AS bytes_out, pages,
    iif(state = 'converted', pdf_sha256, NULL) AS sha256,
    iif(state = 'converted', source_sha256, NULL) AS source_sha256, submitted_at,
    iif(state = 'converted', converted_at, NULL) AS completed_at,
    iif(state = 'failed', error_code, NULL) AS error_code,
    iif(state = 'failed', error_message, NULL) AS error_message,
    iif(state = 'converted', warnings, NULL) AS warnings, moved_to, NULL AS timeline
FROM document WHERE state = :state ORDER BY path

-- name: converted_sources
SELECT path, moved_to, source_sha256, parts_fingerprint FROM document
WHERE state = 'converted' ORDER BY path

-- name: converted_pdfs
SELECT output, pdf_sha256, pdf_bytes, converted_at FROM document
WHERE state = 'converted' ORDER BY output


-- Found files, and the output of each

-- name: create_found
CREATE TEMP TABLE IF NOT EXISTS found (
    path BLOB PRIMARY KEY, source_root BLOB, source BLOB, wanted BLOB,
    size_bytes INTEGER, mtime_ns INTEGER, etag TEXT, in_shard INTEGER, chosen INTEGER
) WITHOUT ROWID

-- name: clear_found
DELETE FROM found

-- name: record_found
-- One that was reached before (overlapping sources) counts once.
INSERT OR IGNORE INTO found
    (path, source_root, source, wanted, size_bytes, mtime_ns, etag, in_shard)
VALUES (:path, :source_root, :source, :wanted, :size_bytes, :mtime_ns, :etag, :in_shard)

-- name: forget_other_shards
DELETE FROM found WHERE NOT in_shard

-- name: count_found
SELECT count(*) FROM found

-- name: follow_sources
-- The same file may be given under another source than before.
UPDATE document SET source_root = found.source_root, source = found.source FROM found
WHERE document.path = found.path
    AND (document.source_root <> found.source_root OR document.source <> found.source)

-- name: found_without_document
SELECT found.* FROM found LEFT JOIN document ON document.path = found.path
WHERE found.path > :after AND document.id IS NULL ORDER BY found.path LIMIT :limit

-- name: insert_document
INSERT INTO document (path, source_root, source, output, output_key, size_bytes, mtime_ns, etag,
    state)
VALUES (:path, :source_root, :source, :output, :key, :size_bytes, :mtime_ns, :etag, 'pending')

-- name: output_is_taken
SELECT EXISTS (SELECT 1 FROM document WHERE output_key = :key)

-- name: output_is_in_the_way
-- A PDF has the name, or lies below it as if it were a folder.
SELECT EXISTS (SELECT 1 FROM document WHERE output_key = :key)
    OR EXISTS (SELECT 1 FROM document WHERE output_key > :first AND output_key < :last)

-- name: absent_holder_of_output
SELECT document.* FROM document LEFT JOIN found ON found.path = document.path
WHERE document.output_key = :key AND found.path IS NULL

-- name: move_source
UPDATE document SET path = :path, source_root = :source_root, moved_to = NULL WHERE id = :document

-- name: vanished_documents
SELECT document.path, document.source, document.output FROM document
LEFT JOIN found ON found.path = document.path
WHERE document.path > :after AND document.path < :last AND found.path IS NULL
    AND document.moved_to IS NULL
ORDER BY document.path LIMIT :limit


-- The plan: what is to be done with each found file

-- name: found_page
SELECT {document_columns}, found.path AS found_key, found.size_bytes AS found_size_bytes,
    found.mtime_ns AS found_mtime_ns, found.etag AS found_etag, document.source_sha256, document.parts_fingerprint,
    document.engine, document.options, document.pdf_bytes, document.pdf_sha256,
    document.converted_at, document.error_code, document.error_message
FROM found JOIN document ON document.path = found.path
WHERE found.path > :after ORDER BY found.path LIMIT :limit

-- name: learn_adopted
UPDATE document SET pdf_sha256 = :pdf_sha256, pdf_bytes = :pdf_bytes, pages = :pages,
    source_sha256 = :source_sha256, parts_fingerprint = :parts_fingerprint, engine = :engine,
    options = :options, warnings = NULL
WHERE id = :document

-- name: forget_contents
UPDATE document SET source_sha256 = NULL, pages = NULL WHERE id = :document

-- name: choose_found
UPDATE found SET chosen = :document WHERE path = :path

-- name: create_queue
CREATE TEMP TABLE IF NOT EXISTS queue (position INTEGER PRIMARY KEY, document INTEGER UNIQUE)

-- name: clear_queue
DELETE FROM queue

-- name: enqueue_submitted
-- What was decided not to be touched is not, wherever its task is.
INSERT INTO queue (document) SELECT id FROM document
WHERE state = 'submitted' AND engine = :engine
    AND id NOT IN (SELECT document FROM outcome WHERE run = :run AND document IS NOT NULL)
ORDER BY submitted_at

-- name: enqueue_chosen
INSERT OR IGNORE INTO queue (document)
SELECT document.id FROM found JOIN document ON document.id = found.chosen
ORDER BY CASE :order
    WHEN 'smallest' THEN document.size_bytes
    WHEN 'largest' THEN -document.size_bytes
    WHEN 'oldest' THEN document.mtime_ns
END, document.path

-- name: count_queue
SELECT count(*) FROM queue

-- name: queue_page
SELECT queue.position, {document_columns}
FROM queue JOIN document ON document.id = queue.document
WHERE queue.position > :after ORDER BY queue.position LIMIT :limit


-- Outcomes: what a run did with each file

-- name: record_outcome
INSERT OR REPLACE INTO outcome (run, document, path, {report_columns})
VALUES (:run, :document, :path, {report_values})

-- name: copy_source_digest
UPDATE outcome SET source_sha256 = document.source_sha256 FROM document
WHERE document.id = outcome.document AND outcome.run = :run AND outcome.document = :document

-- name: record_skipped
-- The document has the rest.
INSERT OR REPLACE INTO outcome (run, document, status) VALUES (:run, :document, 'skipped')

-- name: record_known
-- Known at another path than the document's.
INSERT INTO outcome (run, status, path, source_root, source, output)
VALUES (:run, 'skipped', :path, :source_root, :source, :output)

-- name: copy_warnings
-- The run that made the PDF died before it could say so.
UPDATE outcome SET warnings = document.warnings FROM document
WHERE document.id = outcome.document AND outcome.run = :run AND outcome.document = :document

-- name: record_remaining
-- Two searches, one after the other: of `id IN queue OR path IN found` SQLite would hold the numbers
-- of all rows in memory, to name each once. A row that is there already is passed over.
INSERT OR IGNORE INTO outcome (run, document, status, path, source_root, source, output, bytes_in,
    pages, task_id, submitted_at)
SELECT :run, document.id, 'remaining', document.path, document.source_root, document.source,
    document.output, document.size_bytes, document.pages, document.task_id, document.submitted_at
FROM (
    SELECT document AS id FROM queue
    UNION ALL SELECT document.id FROM found JOIN document ON document.path = found.path
) AS meant
JOIN document ON document.id = meant.id

-- name: forget_old_skips
DELETE FROM outcome
WHERE status = 'skipped' AND run <= (SELECT max(id) FROM run) - :kept_runs

-- name: outcome_totals
SELECT count(*) AS found, sum(status = 'converted') AS converted,
    sum(status = 'skipped') AS skipped, sum(status = 'failed') AS failed,
    sum(status = 'remaining') AS remaining, count(warnings) AS with_warnings,
    sum(iif(status = 'converted', bytes_in, 0)) AS bytes_in,
    sum(iif(status = 'converted', bytes_out, 0)) AS bytes_out,
    sum(iif(status = 'converted', coalesce(pages, 0), 0)) AS pages, count(moved_to) AS moved
FROM outcome WHERE run = :run

-- name: outcomes_of_run
-- `known_NAME` is what stands for NAME where the outcome itself has none.
SELECT outcome.*, coalesce(outcome.path, document.path) AS place,
    document.source_root AS known_source_root, document.source AS known_source,
    document.output AS known_output, document.size_bytes AS known_bytes_in,
    document.pages AS known_pages,
    iif(outcome.status = 'skipped', document.pdf_bytes, NULL) AS known_bytes_out,
    iif(outcome.status = 'skipped', document.pdf_sha256, NULL) AS known_sha256,
    iif(outcome.status = 'skipped', document.source_sha256, NULL) AS known_source_sha256
FROM outcome LEFT JOIN document ON document.id = outcome.document
WHERE outcome.run = :run ORDER BY coalesce(outcome.path, document.path)

-- name: paths_without_document
SELECT path, status FROM outcome WHERE run = :run AND document IS NULL ORDER BY path

-- name: has_document_at
SELECT EXISTS (SELECT 1 FROM outcome
    WHERE run = :run AND document = (SELECT id FROM document WHERE path = :path))

-- name: document_paths_of_run
-- The index of paths has all that this reads.
SELECT path AS key FROM document
WHERE EXISTS (SELECT 1 FROM outcome WHERE run = :run AND document = document.id) ORDER BY path

-- name: document_outputs_of_run
SELECT output_key AS key FROM document
WHERE EXISTS (SELECT 1 FROM outcome WHERE run = :run AND document = document.id)
ORDER BY output_key

-- name: failed_paths_of_run
SELECT coalesce(outcome.path, document.path) AS path
FROM outcome LEFT JOIN document ON document.id = outcome.document
WHERE run = :run AND status = 'failed' ORDER BY 1

-- name: paths_of_run
SELECT coalesce(outcome.path, document.path) AS path
FROM outcome LEFT JOIN document ON document.id = outcome.document WHERE run = :run

-- name: paths_left_by_run
SELECT coalesce(outcome.path, document.path) AS path, outcome.error_code AS error_code
FROM outcome LEFT JOIN document ON document.id = outcome.document
WHERE run = :run AND status IN ('failed', 'remaining') ORDER BY 1

-- name: paths_of_many_files
-- Of documents that other files are a part of, and of those that may lack such a file.
SELECT path, state = 'failed' AS may_lack FROM document WHERE moved_to IS NULL
    AND (parts_fingerprint IS NOT NULL OR (state = 'failed' AND error_code = 'not_djvu'))


-- Sources that are moved once their PDF is there

-- name: keepable_documents
-- Those that this run converted or found up to date, and of a plan also those in line.
SELECT document.id, document.path, document.source, document.output, document.size_bytes,
    document.mtime_ns, document.pdf_bytes, document.source_sha256, document.parts_fingerprint,
    document.state = 'converted' AS is_converted
FROM document
WHERE document.path > :after AND (:last IS NULL OR document.path < :last)
    AND document.moved_to IS NULL AND (
    (document.state = 'converted' AND EXISTS (
        SELECT 1 FROM outcome WHERE outcome.document = document.id AND outcome.run = :run
            AND outcome.status IN ('converted', 'skipped')))
    OR (:planned AND EXISTS (SELECT 1 FROM queue WHERE queue.document = document.id)))
ORDER BY document.path LIMIT :limit

-- name: documents_in_folder
-- Of files in it, not in folders below it, that were not moved away.
SELECT path, state = 'converted' AND parts_fingerprint IS NULL AS is_one_file FROM document
WHERE path > :first AND path < :last AND moved_to IS NULL
    AND instr(substr(path, length(:first) + 1), x'2f') = 0

-- name: announce_move
INSERT INTO relocation (family, document, source, target, folder)
VALUES (:family, :document, :source, :target, :folder)

-- name: finish_move
UPDATE relocation SET is_done = 1, size_bytes = :size_bytes, mtime_ns = :mtime_ns
WHERE family = :family AND source = :source AND is_done = 0

-- name: set_moved
UPDATE document SET moved_to = :target WHERE id = :document

-- name: set_outcome_moved
UPDATE outcome SET moved_to = :target WHERE run = :run AND document = :document

-- name: withdraw_moves
DELETE FROM relocation WHERE family = :family AND is_done = 0

-- name: open_moves
SELECT family, document, source, target, folder FROM relocation WHERE is_done = 0
ORDER BY family, id

-- name: outcome_warnings
SELECT warnings FROM outcome WHERE run = :run AND document = :document

-- name: set_outcome_warnings
UPDATE outcome SET warnings = :warnings WHERE run = :run AND document = :document

-- name: return_found
-- A file lies again where it was moved from, that one or another.
UPDATE document SET moved_to = NULL
WHERE moved_to IS NOT NULL AND path IN (SELECT path FROM found)

-- name: found_where_moved_to
-- What this ledger has moved is known there too: it is not taken for another document.
SELECT found.path, found.source_root, found.source, document.output
FROM found
JOIN relocation ON relocation.target = found.path AND relocation.is_done
    AND relocation.size_bytes = found.size_bytes AND relocation.mtime_ns = found.mtime_ns
JOIN document ON document.id = coalesce(relocation.document, relocation.family)
WHERE found.path NOT IN (SELECT path FROM document)
GROUP BY found.path

-- name: forget_found
DELETE FROM found WHERE path = :path

-- name: moved_document
SELECT id, source, moved_to FROM document WHERE path = :path AND moved_to IS NOT NULL


-- Observations of a service, for the next run's polling

-- name: insert_observation
INSERT INTO observation (service, pages, low_s, high_s, servers)
VALUES (:service, :pages, :low_s, :high_s, :servers)

-- name: forget_old_observations
DELETE FROM observation WHERE service = :service AND id NOT IN
    (SELECT id FROM observation WHERE service = :service ORDER BY id DESC LIMIT :kept)

-- name: observations_of_service
SELECT pages, low_s, high_s, servers FROM observation WHERE service = :service ORDER BY id
