"""The journal's transitions, each atomic in Redis.

Keys: rows (number → request), facts (number → what is known of it), meta, and one sorted set of numbers for each state.
"""

from __future__ import annotations

_COMMON = """
local rows, facts, meta = KEYS[1], KEYS[2], KEYS[3]
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
"""

INTEND = (
    _COMMON
    + """
local number, delivery = ARGV[1], ARGV[2]
if redis.call('HEXISTS', rows, number) == 0 then
  return {'missing'}
end
local stopped = redis.call('HGET', meta, 'stopped')
if stopped then
  return {'stopped', stopped}
end
local fact = known(number)
if fact.s == 0 or (fact.s == 1 and fact.d == delivery) then
  fact.a, fact.d, fact.sent = fact.a + 1, delivery, now
  move(number, fact, 1, now)
  return {'go'}
end
return {'taken', tostring(fact.s)}
"""
)
"""Note the intent to send a row: number, name of the delivery."""

END = (
    _COMMON
    + """
local number, delivery, state = ARGV[1], ARGV[2], tonumber(ARGV[3])
local fact = known(number)
local may = false
if delivery ~= '' then
  -- Whoever sent it knows best, even if it has been given up meanwhile; but only the last one who did.
  may = fact.d == delivery and (fact.s == 1 or fact.s == 4)
else
  may = fact.s == 4
end
if not may then
  return 0
end
fact.id, fact.e, fact.t, fact.ended = nil, nil, nil, now
if ARGV[4] ~= '' then fact.id = ARGV[4] end
if ARGV[5] ~= '' then fact.e, fact.t = ARGV[5], ARGV[6] end
move(number, fact, state, state == 0 and tonumber(number) or fact.sent or 0)
return 1
"""
)
"""Note an outcome: number, name of the delivery (or nothing, for who settles unknown rows), state, id of the post,
error, its type. Answer: 1 if it was noted, 0 if somebody else has sent the row since."""

GIVE_UP = (
    _COMMON
    + """
local old = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now - tonumber(ARGV[1]), 'LIMIT', 0, 1000)
for _, number in ipairs(old) do
  local fact = known(number)
  move(number, fact, 4, fact.sent)
end
return #old
"""
)
"""Make rows unknown whose intent is older than a number of seconds and that have no outcome. Answer: how many."""
