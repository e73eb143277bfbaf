-- What all servers of this database counted together: each adds what its own calls cost, about once a second, so that a budget
-- holds them all. `nano` is what a server knows in all, what was spent before it began included.

-- nano-USD.
ALTER TABLE spent ADD COLUMN counted BIGINT NOT NULL DEFAULT 0;
