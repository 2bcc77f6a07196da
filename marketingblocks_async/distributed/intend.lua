-- Record the intent to send a row. Arguments: number, name of the delivery, hash of the token (empty for any), "1" if this
-- Redis must not have started anew since it was checked. Returns "go", or why not.
local number, delivery, token = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HEXISTS', rows, number) == 0 then
  return {'missing'}
end
if ARGV[4] == '1'
  and redis.call('HGET', meta, 'life') ~= string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') then
  return {'restarted'}
end
local stopped = redis.call('HGET', meta, 'stopped')
if stopped then
  return {'stopped', stopped}
end
-- Here, so that no worker with another token has a row in flight when the run's token is replaced.
if token ~= '' and redis.call('HSETNX', meta, 'token_hash', token) == 0
  and redis.call('HGET', meta, 'token_hash') ~= token then
  return {'other token'}
end
local fact = known(number)
if fact.s == 0 and not redis.call('ZSCORE', KEYS[4], number) then
  -- Its facts have vanished, and it may have been sent.
  return {'missing'}
end
if fact.s == 0 or (fact.s == 1 and fact.d == delivery) then
  -- Without the error of the last attempt: if the worker dies it says nothing of this one.
  fact.a, fact.d, fact.sent, fact.e, fact.t = fact.a + 1, delivery, now, nil, nil
  move(number, fact, 1, now)
  return {'go'}
end
return {'taken', tostring(fact.s)}
