-- What is asked of a journal and written into it. A statement begins after a line "-- name: …".

-- name: application
PRAGMA application_id

-- name: version
PRAGMA user_version

-- name: meta
SELECT name, value FROM meta

-- name: set_meta
INSERT OR REPLACE INTO meta VALUES (?, ?, ?)

-- name: structure
PRAGMA quick_check(1)

-- name: damaged
-- Lines that are not what was written. The types first, since a broken file can hold any.
SELECT
    (SELECT count(*) FROM meta WHERE mark IS NOT mark(name, value))
    + (SELECT count(*) FROM requests WHERE mark IS NOT mark(number, key, hash))
    + (SELECT count(*) FROM states AS s LEFT JOIN requests AS r ON r.number = s.number
       WHERE r.number IS NULL OR s.mark IS NOT mark(s.number, s.state, s.post_id)
       OR typeof(s.attempts) <> 'integer' OR typeof(s.permalink) NOT IN ('text', 'null')
       OR typeof(s.error) NOT IN ('text', 'null') OR typeof(s.error_type) NOT IN ('text', 'null')
       OR typeof(s.sent_at) NOT IN ('real', 'null') OR typeof(s.ended_at) NOT IN ('real', 'null'))
    + (SELECT count(*) FROM sessions WHERE typeof(began_at) <> 'real' OR typeof(ended_at) NOT IN ('real', 'null')
       OR typeof(ending) NOT IN ('text', 'null'))

-- name: total
SELECT count(*) FROM requests

-- name: states
SELECT state, count(*) FROM states GROUP BY state

-- name: rows
SELECT r.number, r.key, r.hash, r.request, coalesce(s.state, 0), coalesce(s.attempts, 0),
       s.post_id, s.error, s.error_type, s.sent_at, s.ended_at, s.permalink
FROM requests AS r LEFT JOIN states AS s ON s.number = r.number
WHERE r.number > ? AND coalesce(s.state, 0) IN (SELECT value FROM json_each(?))
ORDER BY r.number LIMIT ?

-- name: done_before
SELECT r.number, r.key, r.hash, r.request, s.state, s.attempts,
       s.post_id, s.error, s.error_type, s.sent_at, s.ended_at, s.permalink
FROM requests AS r JOIN states AS s ON s.number = r.number
WHERE s.state = 2 AND s.sent_at < ?
ORDER BY s.sent_at DESC LIMIT ?

-- name: done_since
SELECT r.number, r.key, r.hash, r.request, s.state, s.attempts,
       s.post_id, s.error, s.error_type, s.sent_at, s.ended_at, s.permalink
FROM requests AS r JOIN states AS s ON s.number = r.number
WHERE s.state = 2 AND s.sent_at >= ?
ORDER BY s.sent_at LIMIT ?

-- name: done_alike
-- Rows with the text of an unknown one, to which the API told no id: a listed post may be theirs, whenever they were sent.
-- So may it of rows that were left out without being known.
SELECT r.number, r.key, r.hash, r.request, s.state, s.attempts,
       s.post_id, s.error, s.error_type, s.sent_at, s.ended_at, s.permalink
FROM requests AS r JOIN states AS s ON s.number = r.number
WHERE (s.state = 2 OR (s.state = 3 AND s.error_type = 'SkippedError')) AND s.post_id IS NULL AND json_extract(r.request, '$.caption_text') IN (
    SELECT json_extract(u.request, '$.caption_text') FROM requests AS u JOIN states AS t ON t.number = u.number WHERE t.state = 4
) LIMIT ?

-- name: sent
-- Of posts that were sent since a time, or may have been; if so told also of those that are still to be sent.
SELECT DISTINCT likeness(r.hash, r.request) FROM requests AS r LEFT JOIN states AS s ON s.number = r.number
WHERE r.hash <> '' AND (
    ((s.state IN (1, 2, 4) OR (s.state = 3 AND s.error_type = 'SkippedError')) AND coalesce(s.sent_at, 1e99) >= ?)
    OR (coalesce(s.state, 0) = 0 AND ?)
)

-- name: single_posts
-- Of the journal of an MCP server's single writes at an API, those since a time; with a server that has it in hand if it
-- was not sent yet.
SELECT likeness_of(request), CASE state WHEN 0 THEN owner END FROM writes
WHERE EXISTS (SELECT 1 FROM meta WHERE name = 'base_url' AND rtrim(value, '/') = ?) AND channel IS NOT NULL AND (
    (state IN (1, 2, 4) AND coalesce(sent_at, 1e99) >= ?) OR (state = 0 AND owner IS NOT NULL)
)

-- name: pending
-- In one piece: for each row that SQLite hands over, a thread has to get Python's lock back from the event loop.
SELECT json_group_array(json_array(number, hash, request)) FROM (
    SELECT r.number AS number, r.hash AS hash, r.request AS request FROM requests AS r LEFT JOIN states AS s ON s.number = r.number
    WHERE r.number > ? AND coalesce(s.state, 0) = 0 ORDER BY r.number LIMIT ?
)

-- name: due_times
-- Of the posts in some states, with how many posts and how many rows have each, and the first and the last of the posts.
SELECT json_extract(r.request, '$.schedule_time'), json_extract(r.request, '$.time_zone'),
    count(*), count(DISTINCT r.number % ?), min(r.number), max(r.number)
FROM requests AS r LEFT JOIN states AS s ON s.number = r.number
WHERE coalesce(s.state, 0) IN (SELECT value FROM json_each(?)) AND instr(r.request, '"schedule_time":"') AND json_valid(r.request)
    AND json_extract(r.request, '$.schedule_time') IS NOT NULL
GROUP BY 1, 2

-- name: post_ids
SELECT post_id, number FROM states WHERE post_id IS NOT NULL

-- name: last_activity
SELECT max(max(coalesce(sent_at, 0)), max(coalesce(ended_at, 0))) FROM states

-- name: ended_by_second
SELECT cast(ended_at AS INTEGER), state, count(*) FROM states
WHERE ended_at IS NOT NULL AND state >= 2 AND error_type IS NOT ?
GROUP BY 1, 2 ORDER BY 1, 2

-- name: sessions
SELECT began_at, ended_at, ending FROM sessions ORDER BY id

-- name: last_session
SELECT max(max(began_at, coalesce(ended_at, 0))) FROM sessions

-- name: first_session
SELECT coalesce(min(began_at), 1e99) FROM sessions

-- name: begin_session
INSERT INTO sessions (id, began_at) VALUES (?, ?)

-- name: end_session
UPDATE sessions SET ended_at = ?, ending = ? WHERE id = ?

-- name: add_request
INSERT INTO requests VALUES (?, ?, ?, ?, ?)

-- name: keys_are_unique
CREATE UNIQUE INDEX requests_by_key ON requests (key) WHERE hash <> ''

-- name: intend
INSERT INTO states (number, state, attempts, mark, sent_at) VALUES (?, 1, 1, ?, ?)
ON CONFLICT (number) DO UPDATE SET state = 1, attempts = attempts + 1, post_id = NULL, mark = excluded.mark,
    sent_at = excluded.sent_at

-- name: end
INSERT INTO states (number, state, post_id, mark, permalink, error, error_type, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET state = excluded.state, post_id = excluded.post_id, mark = excluded.mark,
    permalink = excluded.permalink, error = excluded.error, error_type = excluded.error_type, ended_at = excluded.ended_at
