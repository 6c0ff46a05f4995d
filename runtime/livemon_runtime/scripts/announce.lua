-- KEYS call, calls, events, the runtime's calls, transcript
-- ARGV call_id, runtime_id, incarnation, data, start_timestamp, resumed (0|1), generation, controller (JSON, '' none, '?' not known)
-- -> {'ok', rev, last entry, controller}
--    {'held', rev, last entry, controller}  somebody has the call: announce again with that controller (only after '?')
--    {'ended', rev, last entry, ''}         its runtime said that it ended: nothing brings it back
local call, calls, events, members, transcript = unpack(KEYS)
local call_id, runtime, incarnation, data, start, resumed, generation, controller = unpack(ARGV)

local stored = redis.call('HMGET', call, 'incarnation', 'rev', 'data', 'generation', 'controller', 'claim')
local rev, last = tonumber(stored[2]) or 0, last_entry(transcript)
if stored[1] == incarnation then return {'ok', rev, last, stored[5] or ''} end
if ended_by_runtime(stored[3]) then return {'ended', rev, last, ''} end
if controller == '?' then
  if stored[5] and stored[5] ~= '' then return {'held', rev, last, stored[5]} end
  controller = ''
end

local claim = decode(stored[6])
local newer = claim and (tonumber(claim.generation) or 0) > tonumber(generation)
redis.call('HSET', call, 'incarnation', incarnation, 'rev', 1, 'data', data, 'runtime', runtime,
  'generation', string.format('%.0f', math.max(tonumber(generation), tonumber(stored[4]) or 0)),
  'controller', controller, 'claim', newer and stored[6] or '')
redis.call('PERSIST', call)
redis.call('PERSIST', transcript)
redis.call('ZADD', calls, start, call_id)
redis.call('SADD', members, call_id)
redis.call('EXPIRE', members, HOUR)
publish_call(events, 'call_started', call_id, call, resumed == '1' or stored[1] ~= false)
return {'ok', 1, last, controller}
