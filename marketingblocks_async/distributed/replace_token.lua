-- Record the hash of another token. Arguments: the hash, 1 if rows that may have been published do not matter. Returns 1, or 0
-- if they do.
local function count(state)
  return redis.call('ZCARD', KEYS[4 + state])
end

-- In flight, done or unknown.
if count(1) + count(2) + count(4) == 0 then
  -- It may be another account, whose posts have other ids.
  redis.call('HDEL', meta, 'highest_ids')
elseif ARGV[2] ~= '1' then
  return 0
end
redis.call('HSET', meta, 'token_hash', ARGV[1])
return 1
