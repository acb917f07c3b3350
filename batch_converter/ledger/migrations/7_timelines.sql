-- What the HTML report tells of a run beside its outcomes, so that it can be written again.

-- JSON: when the document was taken up, then each phase and its seconds,
-- [1717243200.5, "queued", 0.25, "uploading", 1.5]. NULL: the run did not take it up.
ALTER TABLE outcome ADD COLUMN timeline TEXT;

-- JSON: [key, value, whether it was the default] of each setting in force, secrets masked.
ALTER TABLE run ADD COLUMN settings TEXT;

-- JSON: why the run took no new work any more.
ALTER TABLE run ADD COLUMN causes TEXT;
