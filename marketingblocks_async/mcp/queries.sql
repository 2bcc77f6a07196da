-- What is asked of the journal and written into it. The states are those of RowState.

-- name: find
SELECT * FROM writes WHERE request_key = :request_key

-- name: insert
INSERT OR IGNORE INTO writes (request_key, tool, hash, request, channel, state, bound_at)
VALUES (:request_key, :tool, :hash, :request, :channel, 0, :now)

-- name: same_channel
-- Those that were sent, or may have been, or that a server has in hand; the last one first.
SELECT * FROM writes
WHERE tool = :tool AND channel IS :channel AND request_key <> :request_key AND (state IN (1, 2, 4) OR owner IS NOT NULL)
ORDER BY sent_at IS NULL DESC, sent_at DESC

-- name: take
UPDATE writes SET owner = :owner
WHERE request_key = :request_key AND hash = :hash AND state = 0 AND (owner IS NULL OR owner = :owner)
RETURNING *

-- name: latest
SELECT
    coalesce(max(sent_at), 0) AS sent_at,
    coalesce(max(CASE WHEN post_id NOT GLOB '*[^0-9]*' THEN CAST(post_id AS INTEGER) END), 0) AS post_id
FROM writes WHERE channel IS NOT NULL

-- name: intend
UPDATE writes SET state = 1, attempts = attempts + 1, sent_at = :sent_at, highest_id = :highest_id
WHERE number = :number AND owner = :owner AND state IN (0, 1)

-- name: end
-- Also if another server took this one for dead, because the file of its lock was deleted, and has not sent it since.
UPDATE writes SET state = :state, owner = NULL, post_id = :post_id, answer = :answer, ended_at = :now
WHERE number = :number AND (owner = :owner OR (state = 4 AND sent_at = :intended))

-- name: owners
SELECT DISTINCT owner FROM writes WHERE owner IS NOT NULL AND owner <> :owner

-- name: give_up
UPDATE writes SET state = CASE state WHEN 1 THEN 4 ELSE state END, owner = NULL WHERE owner = :owner

-- name: unknown_posts
SELECT * FROM writes WHERE state = 4 AND channel IS NOT NULL
AND channel NOT IN (SELECT channel FROM writes WHERE state = 1 AND channel IS NOT NULL)
ORDER BY number

-- name: done_posts_before
-- Also those whose id the API did not tell: a listed post may be theirs.
SELECT * FROM writes WHERE state = 2 AND channel IS NOT NULL AND sent_at < :earliest
ORDER BY sent_at DESC LIMIT 1000

-- name: done_posts_since
SELECT * FROM writes WHERE state = 2 AND channel IS NOT NULL AND sent_at >= :earliest
ORDER BY sent_at LIMIT 10000

-- name: sent_posts
-- Those that were sent, or may have been, or that a server has in hand.
SELECT number, request_key, request, channel, CASE state WHEN 0 THEN NULL ELSE sent_at END AS sent_at FROM writes
WHERE channel IS NOT NULL AND (state IN (1, 2, 4) OR owner IS NOT NULL)

-- name: claimed
SELECT post_id FROM writes WHERE channel IS NOT NULL AND post_id IS NOT NULL

-- name: highest_ids
SELECT sent_at, highest_id FROM writes WHERE channel IS NOT NULL AND sent_at IS NOT NULL ORDER BY sent_at

-- name: settle_found
UPDATE writes SET state = 2, post_id = :post_id, answer = NULL, ended_at = :now
WHERE number = :number AND attempts = :attempts AND state = 4
AND channel NOT IN (SELECT channel FROM writes WHERE state = 1 AND channel IS NOT NULL)
AND NOT EXISTS (SELECT 1 FROM writes AS other WHERE other.post_id = :post_id AND other.channel IS NOT NULL)

-- name: last_other_update
SELECT number FROM writes
WHERE tool = :tool AND hash <> :hash AND state IN (1, 2, 4) AND json_extract(request, '$.comment_bot_id') = :automation
ORDER BY sent_at DESC LIMIT 1

-- name: explain
UPDATE writes SET answer = :answer WHERE number = :number AND state = 4

-- name: answer
SELECT answer FROM writes WHERE number = :number

-- name: settle_absent
UPDATE writes SET state = 0, answer = NULL
WHERE number = :number AND attempts = :attempts AND state = 4
AND channel NOT IN (SELECT channel FROM writes WHERE state = 1 AND channel IS NOT NULL)
