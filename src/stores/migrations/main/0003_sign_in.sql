-- How people sign in.
--   select p.name, s.created_us from sessions s join people p on p.id = s.person where s.ended_us is null;
-- Times are microseconds since 1970, UTC.

-- Another whenever all that somebody signed in to has to end: the password is another, or the person may not come in any more.
ALTER TABLE people ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;

-- 1 for those who run the instance, in every workspace. What `members` says is for the others.
ALTER TABLE people ADD COLUMN is_operator BIGINT NOT NULL DEFAULT 0;

ALTER TABLE people ADD COLUMN disabled_us BIGINT;

-- From a sign-in to its end. Tokens are signed, so none is stored.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    -- Not a reference: the person of a demonstration is not stored.
    person TEXT NOT NULL,
    workspace TEXT NOT NULL,
    -- That of the person when the session began.
    generation BIGINT NOT NULL,
    -- Times it was renewed. A token for renewing that says less was used before.
    renewals BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    ended_us BIGINT
);

CREATE INDEX sessions_by_end ON sessions (ended_us);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);
CREATE INDEX sessions_by_person ON sessions (person, created_us);

-- What only servers of this database know, made at first use: `tokens` signs, in hex.
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
