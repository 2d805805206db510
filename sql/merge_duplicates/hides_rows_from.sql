-- Gives the current role, if row-level security may hide rows of a table from it.
-- $1 the table's name, qualified and quoted. Rows: the role, or no row.
SELECT current_user::pg_catalog.text
WHERE pg_catalog.row_security_active($1)
