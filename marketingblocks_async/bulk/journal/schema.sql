-- The tables of a journal. SQLite has no checksums in its file, so lines that decide what is sent carry one: "mark".

-- What is known of the run as a whole: the source and its hash, the API's base URL, …
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    mark INTEGER NOT NULL
) WITHOUT ROWID;

-- One line for each post, which is each row of the source unless a row goes to several channels. Written when the journal is made, never changed.
-- A row that makes no post has an empty hash, and its cells instead of a request.
CREATE TABLE requests (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    hash TEXT NOT NULL,
    request TEXT NOT NULL,
    mark INTEGER NOT NULL
);

-- The state of each row, see RowState; a row without a line here is pending.
CREATE TABLE states (
    number INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    post_id TEXT,
    permalink TEXT,
    error TEXT,
    error_type TEXT,
    sent_at REAL,
    ended_at REAL,
    mark INTEGER NOT NULL
);

-- Each time that the run ran. A session without an end was killed, or is running.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    began_at REAL NOT NULL,
    ended_at REAL,
    ending TEXT
);
