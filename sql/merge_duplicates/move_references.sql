-- Lets the rows that refer to one that goes refer to the one that stays.
-- referrer: their table; changes: the columns to set; referring_rows and $1, $2, $3: see referring_rows.sql.
UPDATE @referrer@ AS referrer
SET @changes@
FROM @referring_rows@
