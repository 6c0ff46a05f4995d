-- Keep what came of a request, or forget that it was begun (an empty answer); only while it is this very one.
-- KEYS: the record. ARGV: what was written at its beginning, the answer, for how many ms.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  return redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
