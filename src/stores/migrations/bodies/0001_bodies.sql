-- Requests and answers of one workspace and one UTC day.
--   select call, length from exchanges join bodies on sha256 = request;

-- Equal bodies lie here once.
CREATE TABLE bodies (
    -- Of the whole body, secrets masked, in hex.
    sha256 TEXT NOT NULL PRIMARY KEY,
    -- Bytes of the whole body.
    length BIGINT NOT NULL,
    -- 1 where `bytes` are packed as one block of LZ4.
    packed BIGINT NOT NULL,
    bytes BLOB NOT NULL
);

CREATE TABLE exchanges (
    call TEXT NOT NULL PRIMARY KEY,
    at_us BIGINT NOT NULL,
    request TEXT NOT NULL REFERENCES bodies (sha256),
    -- Null where there was none, or it was longer than may be kept.
    answer TEXT REFERENCES bodies (sha256)
);
