-- Record the intent to send a row. Arguments: number, name of the delivery. Returns "go", or why not.
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
