-- Begins every script. Each transition of the journal is one script, and so atomic.
-- Keys: rows (number -> request), facts (number -> state, attempts, delivery, times, id, whether that was found by looking
-- for it, error), meta, one sorted set of numbers for each state, in the order of RowState, and posts (id -> number of the
-- row).
local rows, facts, meta, posts = KEYS[1], KEYS[2], KEYS[3], KEYS[#KEYS]
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000

local function known(number)
  local text = redis.call('HGET', facts, number)
  return text and cjson.decode(text) or {s = 0, a = 0}
end

local function move(number, fact, state, score)
  redis.call('ZREM', KEYS[4 + fact.s], number)
  fact.s = state
  redis.call('ZADD', KEYS[4 + state], score, number)
  redis.call('HSET', facts, number, cjson.encode(fact))
end
