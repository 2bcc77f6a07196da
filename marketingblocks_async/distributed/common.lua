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

-- Fail the rows that were refused for a reason that might have concerned all rows, unless they were sent again since.
-- Argument: the time at which a row was sent that was created, which says nothing of later refusals; nil for all of them.
-- Returns how many.
local function fail_suspects(sent)
  local left, failed = {}, 0
  for number, attempts in pairs(cjson.decode(redis.call('HGET', meta, 'suspects') or '{}')) do
    local fact = known(number)
    if fact.s == 0 and fact.a == attempts then
      if sent and fact.ended > sent then
        left[number] = attempts
      else
        move(number, fact, 3, fact.sent or 0)
        failed = failed + 1
      end
    end
  end
  if next(left) then
    redis.call('HSET', meta, 'suspects', cjson.encode(left))
  else
    redis.call('HDEL', meta, 'suspects')
  end
  return failed
end
