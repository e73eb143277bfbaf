-- What a workspace or a key may use.

CREATE TABLE limits (
    -- The id of a workspace or of a key.
    subject TEXT NOT NULL,
    -- requests_per_minute, tokens_per_minute or concurrent_calls.
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (subject, name)
);
