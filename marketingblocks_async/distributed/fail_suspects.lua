-- Fail the rows that were refused for a reason that might have concerned all rows, if no other row is left that could show
-- it. Returns how many. Each second the pending rows are only counted: to read them all would keep Redis from all else.
if redis.call('ZCARD', KEYS[5]) > 0 then
  return 0
end
local still = 0
for number, attempts in pairs(cjson.decode(redis.call('HGET', meta, 'suspects') or '{}')) do
  if redis.call('ZSCORE', KEYS[4], number) and known(number).a == attempts then
    still = still + 1
  end
end
if still ~= redis.call('ZCARD', KEYS[4]) then
  return 0
end
return fail_suspects()
