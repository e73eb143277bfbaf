-- One UTC day of the ledger.
--   select outcome, count(*), sum(cost_nano) from calls group by outcome;
-- Times are microseconds since 1970, UTC; durations nanoseconds; money nano-USD, null where no price is known.

-- A line for each caller.
CREATE TABLE calls (
    -- Counts up in the order lines came here.
    seq INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at_us BIGINT NOT NULL,
    workspace TEXT NOT NULL,
    -- The credential in hex; 0 on an instance without keys.
    credential TEXT NOT NULL,
    -- A JSON list.
    tags TEXT NOT NULL,
    door TEXT NOT NULL,
    kind TEXT NOT NULL,
    form TEXT NOT NULL,
    model TEXT NOT NULL,
    -- provider/model that answered; empty if nobody did.
    target TEXT NOT NULL,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- The call that paid, if another did.
    payer TEXT,
    -- SHA-256 of the canonical request.
    request_key TEXT,
    attempts BIGINT NOT NULL,
    items_hit BIGINT NOT NULL,
    items_joined BIGINT NOT NULL,
    items_miss BIGINT NOT NULL,
    -- From admission to the end of each stage, a JSON list; 0 is not reached.
    marks TEXT NOT NULL,
    lane_wait_ns BIGINT NOT NULL,
    first_ns BIGINT NOT NULL,
    total_ns BIGINT NOT NULL,
    -- As the upstream counted them; null where it did not say.
    tokens_in BIGINT,
    tokens_cached_read BIGINT,
    tokens_cached_write BIGINT,
    tokens_out BIGINT,
    tokens_reasoning BIGINT,
    cost_nano BIGINT,
    saved_nano BIGINT,
    bytes BIGINT NOT NULL,
    error_stage TEXT NOT NULL,
    error_code TEXT NOT NULL,
    error_blame TEXT NOT NULL,
    config TEXT NOT NULL
);

CREATE INDEX calls_by_time ON calls (workspace, at_us, id);
CREATE INDEX calls_by_credential ON calls (workspace, credential, at_us, id);
CREATE INDEX calls_by_model ON calls (workspace, model, at_us, id);
CREATE INDEX calls_by_provider ON calls (workspace, provider, at_us, id);
CREATE INDEX calls_by_outcome ON calls (workspace, outcome, at_us, id);

CREATE TABLE call_tags (
    workspace TEXT NOT NULL,
    tag TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (workspace, tag, at_us, id)
) WITHOUT ROWID;

-- A line for each request to an upstream.
CREATE TABLE attempts (
    seq INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- The call, or the first of a batch, it served.
    call TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    -- Empty for a batch of several workspaces.
    workspace TEXT NOT NULL,
    credential TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    target TEXT NOT NULL,
    provider TEXT NOT NULL,
    -- 1 for the first.
    number BIGINT NOT NULL,
    items BIGINT NOT NULL,
    status TEXT NOT NULL,
    -- 0 if nobody saw its end.
    total_ns BIGINT NOT NULL,
    tokens_in BIGINT,
    tokens_cached_read BIGINT,
    tokens_cached_write BIGINT,
    tokens_out BIGINT,
    tokens_reasoning BIGINT,
    cost_nano BIGINT,
    config TEXT NOT NULL
);

CREATE INDEX attempts_by_call ON attempts (call);
CREATE INDEX attempts_by_time ON attempts (workspace, at_us, id);
CREATE INDEX attempts_by_credential ON attempts (workspace, credential, at_us, id);
CREATE INDEX attempts_by_model ON attempts (workspace, model, at_us, id);
CREATE INDEX attempts_by_provider ON attempts (workspace, provider, at_us, id);
CREATE INDEX attempts_by_status ON attempts (workspace, status, at_us, id);

-- Sums of calls by the hour, exact: they are kept in the transaction that adds the lines they count.
CREATE TABLE usage (
    workspace TEXT NOT NULL,
    hour_us BIGINT NOT NULL,
    credential TEXT NOT NULL,
    model TEXT NOT NULL,
    calls BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    joined BIGINT NOT NULL,
    misses BIGINT NOT NULL,
    mixed BIGINT NOT NULL,
    bypassed BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    abandoned BIGINT NOT NULL,
    tokens_in BIGINT NOT NULL,
    tokens_out BIGINT NOT NULL,
    cost_nano BIGINT NOT NULL,
    saved_nano BIGINT NOT NULL,
    -- Time of calls that hit or joined, and of those that missed.
    free_ns BIGINT NOT NULL,
    paid_ns BIGINT NOT NULL,
    PRIMARY KEY (workspace, hour_us, credential, model)
) WITHOUT ROWID;
