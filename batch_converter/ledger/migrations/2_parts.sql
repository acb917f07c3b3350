-- How the parts of an indirect document looked when it was converted: it has
-- changed when one of them has, though its own file has not.

ALTER TABLE document ADD COLUMN parts_mark TEXT;
