-- KEYS call, calls, events, the runtime's calls, transcript, tap
-- ARGV call_id, incarnation, runtime_id, data (its status `ended` or `error`)
-- -> {'ok', rev}
--    {'announce', rev}  Redis has not this call in this incarnation: announce it, then end it
--    {'moved', rev}     another runtime has it now: it is only taken out of this runtime's calls
local call, calls, events, members, transcript, tap = unpack(KEYS)
local call_id, incarnation, runtime, data = unpack(ARGV)

local stored = redis.call('HMGET', call, 'incarnation', 'rev', 'data', 'runtime')
local rev = tonumber(stored[2]) or 0
if stored[4] and stored[4] ~= runtime then
  redis.call('SREM', members, call_id)
  return {'moved', rev}
end
if stored[1] ~= incarnation then return {'announce', rev} end
redis.call('ZREM', calls, call_id)
redis.call('SREM', members, call_id)
if stored[3] == data then return {'ok', rev} end
redis.call('HSET', call, 'data', data, 'controller', '', 'claim', '')
rev = redis.call('HINCRBY', call, 'rev', 1)
for _, key in ipairs({call, transcript, tap}) do redis.call('EXPIRE', key, HOUR) end
publish_call(events, 'call_ended', call_id, call, false)
return {'ok', rev}
