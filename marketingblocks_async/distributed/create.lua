-- Make a run of imported rows, unless there is one, or what is left of one. Further keys, before the last: the imported rows
-- and their numbers, which expire until then. Arguments: how many there are, name of the import, id of the life of this Redis
-- that was checked (empty for none). Returns 1, or 0 if there is another run.
local imported, numbers = KEYS[#KEYS - 2], KEYS[#KEYS - 1]
for _, key in ipairs(KEYS) do
  if key ~= imported and key ~= numbers and redis.call('EXISTS', key) == 1 then
    -- The reply may have been lost, and redis-py has sent it again.
    return redis.call('HGET', meta, 'import') == ARGV[2] and 1 or 0
  end
end
if redis.call('EXISTS', imported) == 1 then
  redis.call('PERSIST', imported)
  redis.call('PERSIST', numbers)
  redis.call('RENAME', numbers, KEYS[4])
  redis.call('RENAME', imported, rows)
end
redis.call('HSET', meta, 'rows', ARGV[1], 'import', ARGV[2])
if ARGV[3] ~= '' then
  redis.call('HSET', meta, 'life', ARGV[3])
end
return 1
