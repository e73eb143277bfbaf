-- Who may do what: workspaces, people and keys.
--   select short, name, workspace, role from api_keys where revoked_us is null;
-- Times are microseconds since 1970, UTC.

-- Numbers that the whole database has once.
CREATE TABLE facts (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- `people_epoch` is another whenever anything of this file's tables changed; `probe` is written to see whether it can be.
INSERT INTO facts (name, value) VALUES ('people_epoch', 1), ('probe', 0);

CREATE TABLE workspaces (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_us BIGINT NOT NULL
);

-- What was done before there were keys belongs to it.
INSERT INTO workspaces (id, name, created_us) VALUES ('default', 'default', 0);

CREATE TABLE people (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    email TEXT UNIQUE,
    -- argon2, in PHC's notation.
    password TEXT NOT NULL,
    created_us BIGINT NOT NULL
);

CREATE TABLE members (
    person TEXT NOT NULL REFERENCES people (id),
    workspace TEXT NOT NULL REFERENCES workspaces (id),
    -- read, write, admin or operator.
    role TEXT NOT NULL,
    PRIMARY KEY (person, workspace)
);

CREATE INDEX members_by_workspace ON members (workspace);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    -- What stands in the key itself, to find its line by.
    short TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    workspace TEXT NOT NULL REFERENCES workspaces (id),
    role TEXT NOT NULL,
    -- SHA-256 of the whole key, in hex. The key itself is nowhere.
    sha256 TEXT NOT NULL,
    -- Doors and models it is for: JSON lists; null is all.
    doors TEXT,
    models TEXT,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    revoked_us BIGINT
);

CREATE INDEX api_keys_by_workspace ON api_keys (workspace, created_us);
