-- Records of `.ai` apps. One line for each stored record; `fields` is JSON:
--   select row_key, fields from records where record = 'Note';
--   select fields ->> 'body' from records where record = 'Note';

CREATE TABLE records (
    -- The record, as the app declares it.
    record TEXT NOT NULL,
    -- The order in which records were stored; never given twice.
    row_key BIGINT NOT NULL,
    -- Whose it is, where the record has a tenant_key.
    tenant TEXT,
    -- When it is not seen any more: microseconds since 1970, UTC.
    expires_us BIGINT,
    -- What programs see, the id among it. Decimals keep their written scale (1.50); a fraction that came as a JSON
    -- number and was never calculated with has a small e (19.99e0).
    fields TEXT NOT NULL,
    PRIMARY KEY (record, row_key)
);

-- What was given last, so that it is not given again.
CREATE TABLE record_counters (
    record TEXT NOT NULL PRIMARY KEY,
    last_id BIGINT NOT NULL,
    last_key BIGINT NOT NULL,
    -- The unique fields that record_uniques has all values of: a JSON list.
    unique_fields TEXT NOT NULL
);

-- Who holds which value of a unique field. Made from `records`; not to be edited.
CREATE TABLE record_uniques (
    record TEXT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    tenant TEXT,
    row_key BIGINT NOT NULL,
    PRIMARY KEY (record, field, value, row_key)
);

CREATE INDEX record_uniques_by_row ON record_uniques (record, row_key);
