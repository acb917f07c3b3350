-- What one service alone knows is said by the run, not by the ledger: when it forgets a
-- task, and whether an answer meant that it took the request.

ALTER TABLE document ADD COLUMN task_expires_at REAL; -- NULL: never

-- Until now there was one service, which keeps results for 24 hours.
UPDATE document SET task_expires_at = submitted_at + 86400 WHERE task_id IS NOT NULL;

-- A redirect was put down as an answer; the request was not carried out there.
UPDATE call SET outcome = 'refused' WHERE outcome = 'answered' AND http_status >= 300;

ALTER TABLE run ADD COLUMN kind TEXT NOT NULL DEFAULT 'convert';

-- A run that ended without counting files called tasks off.
UPDATE run SET kind = 'cancel' WHERE totals IS NULL AND exit_code IS NOT NULL;

ALTER TABLE document RENAME COLUMN parts_mark TO parts_fingerprint;
