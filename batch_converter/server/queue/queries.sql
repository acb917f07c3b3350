-- Every statement of the queue, by the name that `query` finds it under (database.py).

-- name: add
INSERT INTO document (
    id, owner, name, state, size_bytes, received_bytes, mtime_ns, sha256, pages, pdf_bytes,
    submitted_at, started_at, ended_at, attempts, crashes, error_code, messages, warnings,
    is_fetched, keeps_source, sequence
) VALUES (
    :id, :owner, :name, :state, :size_bytes, :received_bytes, :mtime_ns, :sha256, NULL, 0,
    :submitted_at, NULL, NULL, 0, 0, NULL, '[]', '[]', 0, :keeps_source, :sequence
)

-- name: save
UPDATE document SET
    state = :state, size_bytes = :size_bytes, received_bytes = :received_bytes,
    mtime_ns = :mtime_ns, sha256 = :sha256, pages = :pages, pdf_bytes = :pdf_bytes,
    started_at = :started_at, ended_at = :ended_at, attempts = :attempts, crashes = :crashes,
    error_code = :error_code, messages = :messages, warnings = :warnings,
    is_fetched = :is_fetched, sequence = :sequence
WHERE number = :number

-- name: remove
DELETE FROM document WHERE number = :number

-- name: by_id
SELECT * FROM document WHERE id = :id

-- name: sums
SELECT owner, state, count(*) AS documents, sum(size_bytes) AS bytes_in,
    sum(pdf_bytes) AS bytes_out, sum(NOT is_fetched) AS unfetched,
    sum(pdf_bytes + CASE WHEN state IN ('failed', 'cancelled')
        THEN min(received_bytes, size_bytes) ELSE size_bytes END) AS stored_bytes
FROM document GROUP BY owner, state

-- name: standing
SELECT id, state, keeps_source FROM document

-- name: in_state
SELECT * FROM document WHERE state = :state ORDER BY number

-- name: submitted_before
SELECT * FROM document WHERE submitted_at <= :before ORDER BY number LIMIT :limit

-- name: idle_uploads
SELECT * FROM document
WHERE state = 'uploading' AND coalesce(started_at, submitted_at) <= :before LIMIT :limit

-- name: next_owner_after
SELECT min(owner) AS owner FROM document WHERE state = 'waiting' AND owner > :after

-- name: next_unserved_owner_after
SELECT min(owner) AS owner FROM document WHERE state = 'waiting' AND owner > :after
    AND owner NOT IN (SELECT owner FROM document WHERE state = 'converting')

-- name: next_of_owner
SELECT * FROM document WHERE state = 'waiting' AND owner = :owner
ORDER BY crashes, number LIMIT 1

-- name: turns
SELECT number, turn FROM (
    SELECT number, row_number() OVER (ORDER BY crashes, number) AS turn FROM document
    WHERE state = 'waiting' AND owner = :owner
) WHERE number IN (SELECT value FROM json_each(:numbers))

-- name: page
SELECT * FROM document
WHERE owner = :owner AND (:state = '' OR state = :state)
    AND (:filter = '' OR instr(folded(name), :filter) > 0)
ORDER BY number LIMIT :limit OFFSET :offset

-- name: page_total
SELECT count(*) AS total FROM document
WHERE owner = :owner AND (:state = '' OR state = :state)
    AND (:filter = '' OR instr(folded(name), :filter) > 0)

-- name: of_owner_after
SELECT * FROM document WHERE owner = :owner AND number > :after ORDER BY number LIMIT :limit

-- name: changed_after
SELECT * FROM document WHERE owner = :owner AND sequence > :after ORDER BY sequence LIMIT :limit

-- name: same_bytes
SELECT * FROM document WHERE owner = :owner AND sha256 = :sha256 AND size_bytes = :size_bytes
    AND state IN ('waiting', 'converting', 'ready') ORDER BY name = :name DESC, number DESC LIMIT 1

-- name: latest_sequence
SELECT coalesce(max(sequence), 0) AS sequence FROM document
