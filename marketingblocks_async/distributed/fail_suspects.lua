-- Fail the rows that were refused for a reason that might have concerned all rows, if no other row is left that could show
-- it. Returns how many.
if redis.call('ZCARD', KEYS[5]) > 0 then
  return 0
end
local suspects = cjson.decode(redis.call('HGET', meta, 'suspects') or '{}')
for _, number in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
  if suspects[number] ~= known(number).a then
    return 0
  end
end
return fail_suspects()
