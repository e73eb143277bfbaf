-- What was spent of budgets, as servers note it about once a second and when they end. It is what commands show, and what a
-- start begins with where the ledger has less: its day was dropped, or none is kept.

CREATE TABLE spent (
    -- The id of a workspace or of a key.
    subject TEXT NOT NULL,
    -- day or month, UTC.
    span TEXT NOT NULL,
    -- Its beginning, microseconds since 1970.
    from_us BIGINT NOT NULL,
    -- nano-USD.
    nano BIGINT NOT NULL,
    PRIMARY KEY (subject, span)
);
