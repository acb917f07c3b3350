-- What was said beside the PDF that a document has now: `status` counts it, and a run
-- that died before it could say so finds it here.

ALTER TABLE document ADD COLUMN warnings TEXT;

UPDATE document SET warnings = last.warnings FROM (
    SELECT document, warnings, max(run) FROM outcome
    WHERE status = 'converted' AND document IS NOT NULL GROUP BY document
) AS last
WHERE last.document = document.id AND last.warnings IS NOT NULL
    AND document.state = 'converted';
