-- Make rows unknown whose intent is older than a number of seconds and that have no outcome. Returns how many.
local old = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now - tonumber(ARGV[1]), 'LIMIT', 0, 1000)
for _, number in ipairs(old) do
  local fact = known(number)
  move(number, fact, 4, fact.sent)
end
return #old
