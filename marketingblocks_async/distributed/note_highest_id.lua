-- Record the highest post id that the API lists now, for the rows that are sent from now on. Argument: the id.
local noted = redis.call('HGET', meta, 'highest_ids') or ''
redis.call('HSET', meta, 'highest_ids', noted .. string.format('%.6f %s;', now, ARGV[1]))
return 1
