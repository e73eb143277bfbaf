-- What else operators ask of a call.

-- What policy said: allowed or denied; empty where it was not asked.
ALTER TABLE calls ADD COLUMN decision TEXT NOT NULL DEFAULT '';
-- The first request that carried embedding items of it with others'.
ALTER TABLE calls ADD COLUMN batch TEXT;
-- 1 where its tokens are not what the upstream said but a count or a division of our own.
ALTER TABLE calls ADD COLUMN tokens_estimated BIGINT NOT NULL DEFAULT 0;
-- Of the request as it came; `bytes` are those of the answer that were told.
ALTER TABLE calls ADD COLUMN request_bytes BIGINT NOT NULL DEFAULT 0;
