-- Record an outcome. Arguments: number, name of the delivery (empty when an unknown row is settled), state, post id, error,
-- class of the error, permalink, attempts of an unknown row when it was looked for (empty for any number), what the outcome
-- says of the API (see Sign), consecutive failures that stop the run, why it stops then. Returns 1, or 0 if another worker has
-- sent the row since, or the post that was found belongs to another row.

-- Note a failure under a name that counts once; return how many are in a row now. More than `most` are not told apart.
local function count_failure(name, most)
  local failing, count = cjson.decode(redis.call('HGET', meta, 'failing') or '{}'), 0
  failing[name] = true
  for _ in pairs(failing) do count = count + 1 end
  if count <= most then
    redis.call('HSET', meta, 'failing', cjson.encode(failing))
  end
  return count
end

local number, delivery, state = ARGV[1], ARGV[2], tonumber(ARGV[3])
local fact = known(number)
if delivery ~= '' and fact.d == delivery and fact.s == state and state ~= 4 then
  -- The reply to it was lost, and redis-py has sent it again.
  return 1
end
local sign, stops = ARGV[9], false
if sign == 'well' then
  redis.call('HDEL', meta, 'failing')
elseif sign ~= '' then
  -- A refused row may be at fault itself, and may be delivered again since it is pending; so it counts once. No row is at fault
  -- for an outage, so each delivery counts. Its name keeps it from counting twice if the reply is lost and redis-py sends this
  -- again.
  local most = tonumber(ARGV[10])
  stops = count_failure(sign == 'refused' and number or delivery, most) >= most
end
if stops then
  redis.call('HSETNX', meta, 'stopped', ARGV[11])
  -- They are not the only ones, so it is no fault of theirs.
  redis.call('HDEL', meta, 'suspects')
end
local may = false
if delivery ~= '' then
  -- The worker that sent it last knows its outcome, even if the row counts as unknown meanwhile.
  may = fact.d == delivery and (fact.s == 1 or fact.s == 4)
else
  may = fact.s == 4 and (ARGV[8] == '' or tonumber(ARGV[8]) == fact.a)
end
if not may then
  return 0
end
if ARGV[4] ~= '' then
  local other = redis.call('HGET', posts, ARGV[4])
  if other and other ~= number then
    if delivery == '' then
      return 0
    end
    local taken = known(other)
    if taken.f then
      -- The other row was looked for while this one was being sent, and was given the post of this one. What a response
      -- said of the other is not doubted: whether ids are unique is not documented.
      taken.id, taken.l, taken.f = nil, nil, nil
      move(other, taken, 4, taken.sent or 0)
    end
  end
  redis.call('HSET', posts, ARGV[4], number)
end
fact.id, fact.l, fact.e, fact.t, fact.ended = nil, nil, nil, nil, now
if ARGV[4] ~= '' then fact.id, fact.f = ARGV[4], delivery == '' and 1 or nil end
if ARGV[7] ~= '' then fact.l = ARGV[7] end
if ARGV[5] ~= '' then fact.e, fact.t = ARGV[5], ARGV[6] end
move(number, fact, state, state == 0 and tonumber(number) or fact.sent or 0)
if sign == 'refused' and not stops then
  local suspects = cjson.decode(redis.call('HGET', meta, 'suspects') or '{}')
  suspects[number] = fact.a
  redis.call('HSET', meta, 'suspects', cjson.encode(suspects))
elseif sign == 'well' and state == 2 then
  fail_suspects(fact.sent)
end
return 1
