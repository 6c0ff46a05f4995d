-- KEYS call, calls, events
-- ARGV call_id, incarnation, data
-- -> {'ok', rev}, or {'announce', rev}: Redis has not this call as live in this incarnation
local call, calls, events = unpack(KEYS)
local call_id, incarnation, data = unpack(ARGV)

local stored = redis.call('HMGET', call, 'incarnation', 'rev', 'data')
if stored[1] ~= incarnation or not redis.call('ZSCORE', calls, call_id) then
  return {'announce', tonumber(stored[2]) or 0}
end
if stored[3] == data then return {'ok', tonumber(stored[2])} end
redis.call('HSET', call, 'data', data)
local rev = redis.call('HINCRBY', call, 'rev', 1)
publish_call(events, 'call_updated', call_id, call, false)
return {'ok', rev}
