CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Every write, bound to its key before anything is sent. channel is platform and account of a post, else NULL.
CREATE TABLE IF NOT EXISTS writes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    request_key TEXT NOT NULL UNIQUE,
    tool TEXT NOT NULL,
    hash TEXT NOT NULL,
    request TEXT NOT NULL,
    channel TEXT,
    state INTEGER NOT NULL,
    -- The server that has it in hand, if any.
    owner TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- The highest post id that was known before the last intent.
    highest_id INTEGER,
    post_id TEXT,
    answer TEXT,
    bound_at REAL NOT NULL,
    sent_at REAL,
    ended_at REAL
);

CREATE INDEX IF NOT EXISTS writes_by_owner ON writes (owner) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS writes_by_sending ON writes (sent_at) WHERE channel IS NOT NULL;
