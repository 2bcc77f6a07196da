-- One exchange between a process and Redis: the accounts of one token's permits, on Redis's own clock.
--
-- Every permit is in exactly one place: held by a process; or in the pool, with the instant from which it may be used
-- again; or in quarantine (in use somewhere, and Redis does not remember where). An exchange returns permits, reports
-- how many the process holds and wants, and grants some. Redis runs scripts one at a time, so the sum of all places is
-- always "limit".
--
-- Instants are microseconds of TIME. The clock is expected to run evenly. If it was set, or if anything shows that
-- Redis has lost data (it restarted, a replica took over, keys were flushed), all permits go into quarantine for as
-- long as a lost lease could still have an effect, except those that living processes say they hold.
--
-- KEYS: the marker and the token's state; without the second, only the marker is updated (a heartbeat).
-- ARGV: the process's name, number of this exchange, number of the last answered one, permits held, permits wanted,
-- "1" if it leaves; the settings (limit, per, lease, grace); pause to begin, refusals since the last exchange, number
-- of shares to fall back to or 0, the process's own clock; then for each returned permit the time until it may be used.
-- Times in microseconds.
-- Reply: 0, permits held, permits to hold at most, permits to count on for the pace, pause left, refusals so far,
-- permits in the pool, time until the quarantine ends, then for each new permit that cannot be used yet the time until
-- it may be. Or 1 if the exchange came too late. Or 2 and the settings that other processes use.

local id, seq, acked = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local claim, want, leaving = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local limit, per, lease, grace = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local pause, refusals, shares = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local clock = tonumber(ARGV[14])
local recovery = lease + grace + per
local first_return = 15

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function load(key)
  local packed = redis.call('GET', key)
  return packed and cmsgpack.unpack(packed)
end

-- The marker says since when this Redis has lost nothing.
local info = redis.call('INFO', 'server')
local run = string.match(info, 'run_id:(%w+)')
local marker = load(KEYS[1])
local marked = marker ~= false
if not marked or marker.run ~= run then
  local born = now
  local flushed = string.find(redis.call('INFO', 'commandstats'), 'cmdstat_flush', 1, true)
  local promoted = not string.find(redis.call('INFO', 'replication'), 'second_repl_offset:-1', 1, true)
  if not flushed and not promoted then
    -- Nothing was lost since it started. The uptime is in whole seconds and up to one too long.
    born = math.min(now, now - (tonumber(string.match(info, 'uptime_in_seconds:(%-?%d+)')) - 1) * 1000000)
  end
  marker = {run = run, born = born, seen = now}
  marked = false
end
if shares > 0 then
  -- Processes that fall back to shares send a heartbeat every half second while they can. After a long silence they may
  -- be using their shares.
  if now - marker.seen > recovery / 2 then
    marker.born = now
  end
  marker.seen = now
  marked = false
end
if not marked then
  redis.call('SET', KEYS[1], cmsgpack.pack(marker))
end
if KEYS[2] == nil then
  return {0}
end

local state = load(KEYS[2])

-- By how much the clock was certainly set forward.
local jump = 0

local function quarantine(from)
  -- A pause ends when it would have by an even clock, as far as that is known, and never later than was left of it.
  local paused = state and math.min(state.paused + jump, now + math.max(0, state.paused - state.at)) or 0
  state = {limit = limit, per = per, born = marker.born, at = now, free = 0, pool = {}, members = {},
    quarantined = limit, quarantine_ends = from + recovery,
    paused = paused, refusals = state and state.refusals or 0}
end

local function others()
  for name, member in pairs(state.members) do
    if name ~= id and not member.void and now <= member.ends + grace then
      return true
    end
  end
  return false
end

-- Return whether the clock may have been set forward by more than the grace since the last exchange of any process.
-- Less cannot end a lease that is valid.
local function may_have_jumped()
  if now - state.at <= grace then
    return false
  end
  local known = state.members[id]
  if known and known.clock then
    -- Since its own last exchange, which was not later. Its clock says how much of that has really passed.
    local ahead = (now - known.ends + lease) - (clock - known.clock)
    if seq > known.seq and ahead > grace then
      jump = ahead
    end
    return jump > 0
  end
  -- A process without a record cannot tell. It trusts the clock as long as that ends nobody's lease: a process that has
  -- little to do exchanges seldom. Else, either all that had a lease are dead or cut off, or the clock has jumped.
  for _, member in pairs(state.members) do
    if not member.void and now > member.ends + grace then
      return true
    end
  end
  return false
end

if not state then
  -- The clock may have been set back since.
  quarantine(math.min(now, marker.born))
elseif state.limit ~= limit or state.per ~= per then
  if others() then
    return {2, state.limit, state.per}
  end
  quarantine(now)
elseif may_have_jumped() or state.born ~= marker.born or now < state.at - 50000 then
  quarantine(now)
end
now = math.max(now, state.at)
state.at = now

local pool, members = {}, state.members
for _, when in ipairs(state.pool) do
  if when > now then pool[#pool + 1] = when else state.free = state.free + 1 end
end
state.pool = pool
if state.quarantined > 0 and now >= state.quarantine_ends then
  state.free = state.free + state.quarantined
  state.quarantined = 0
end

local function put_back(when)
  if when > now then pool[#pool + 1] = when else state.free = state.free + 1 end
end

-- Expired members: their permits come back when the server has certainly counted the requests. They are remembered for
-- a while, so that a late claim of one of them is not mistaken for a loss of data.
for name, member in pairs(members) do
  if not member.void and now > member.ends + grace then
    for _ = 1, member.held do put_back(member.ends + grace + per) end
    member.held, member.want, member.granted, member.granted_free, member.void = 0, 0, {}, 0, true
  elseif member.void and now > member.ends + 60000000 then
    members[name] = nil
  end
end

local member = members[id]
if member and seq <= member.seq then
  -- Overtaken by a later exchange of the same process.
  return {1}
end

local function take_from_quarantine(number)
  local taken = math.min(number, state.quarantined)
  state.quarantined = state.quarantined - taken
  return taken
end

local returns = #ARGV - first_return + 1
if member and member.void then
  claim, returns = 0, 0
elseif member then
  if acked < member.seq then
    -- The last reply did not arrive, so its permits were never used.
    for _, when in ipairs(member.granted) do put_back(when) end
    for _ = 1, member.granted_free do put_back(now) end
    member.held = member.held - #member.granted - member.granted_free
  end
  local missing = member.held - claim - returns
  if missing < 0 then
    -- It holds more than is remembered: some data was lost.
    quarantine(now)
    pool, members, member = state.pool, state.members, nil
  else
    -- Returned in an exchange that did not arrive; no permit takes longer than this.
    for _ = 1, missing do put_back(now + per) end
  end
end
if not member and claim + returns > 0 then
  if state.quarantined == 0 then
    quarantine(now)
    pool, members = state.pool, state.members
  end
  claim = take_from_quarantine(claim)
  returns = take_from_quarantine(returns)
end
for index = 1, returns do
  put_back(now + tonumber(ARGV[first_return + index - 1]))
end

member = {held = claim, want = want, seq = seq, ends = now + lease, clock = clock, granted = {}, granted_free = 0}
members[id] = member

-- At most an hour (LONGEST_PAUSE in permits.py), also where an earlier version has stored more.
state.paused = math.min(math.max(state.paused, now + pause), now + 3600000000)
state.refusals = state.refusals + refusals

-- Max-min fairness: each process may hold what it wants, up to an equal part of what the others leave.
local names = {}
for name, each in pairs(members) do
  if not each.void and each.want > 0 then names[#names + 1] = name end
end
table.sort(names, function(a, b)
  local x, y = members[a].want, members[b].want
  return x < y or (x == y and a < b)
end)
if #names > limit then
  -- Not all can hold one, so they take turns.
  table.sort(names)
  local turns, first = {}, math.floor(now / per / 2) * limit % #names
  for index = 1, #names do
    turns[index] = names[(first + index - 1) % #names + 1]
  end
  names = turns
end
local left, count, share, target = limit, #names, limit, want
for index, name in ipairs(names) do
  local each = math.min(members[name].want, math.floor(left / (count - index + 1)))
  if name == id then
    target = each
  end
  left = left - each
end
-- What no process wants may be used by any.
share = math.max(target + left, 1)

local missing = leaving and 0 or target - claim
local from_free = math.max(0, math.min(missing, state.free))
local from_pool = math.max(0, math.min(missing - from_free, #pool))
if from_pool > 0 then
  table.sort(pool)
  local rest = {}
  for index, when in ipairs(pool) do
    local into = index <= from_pool and member.granted or rest
    into[#into + 1] = when
  end
  state.pool = rest
end
state.free = state.free - from_free
member.granted_free = from_free
member.held = claim + from_free + from_pool
if leaving and member.held == 0 then
  member.void = true
end

redis.call('SET', KEYS[2], cmsgpack.pack(state), 'PX',
  math.ceil(math.max(recovery, state.paused - now) / 1000) + 61000)

local reply = {0, member.held, target, share, math.max(0, state.paused - now), state.refusals, state.free + #state.pool,
  state.quarantined > 0 and math.max(0, state.quarantine_ends - now) or 0}
for _, when in ipairs(member.granted) do
  reply[#reply + 1] = math.max(0, when - now)
end
return reply
