-- Begin a request under its key, unless one was begun: then answer what is known of that one.
-- KEYS: the record, the index of this asker's records. ARGV: what to write, for how many ms, how many records are kept, for
-- how many ms the index is kept.
local record, index = KEYS[1], KEYS[2]
if not redis.call('SET', record, ARGV[1], 'NX', 'PX', ARGV[2]) then
  return redis.call('GET', record)
end
local now = redis.call('TIME')
redis.call('ZADD', index, now[1] * 1000000 + now[2], record)
redis.call('PEXPIRE', index, ARGV[4])
local over = redis.call('ZCARD', index) - tonumber(ARGV[3])
if over > 0 then
  local oldest = redis.call('ZPOPMIN', index, over)
  for place = 1, #oldest, 2 do
    redis.call('DEL', oldest[place])
  end
end
return false
