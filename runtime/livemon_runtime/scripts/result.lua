-- KEYS call, events
-- ARGV call_id, result (JSON)
-- -> {'ok', rev}
local call, events = unpack(KEYS)
publish_result(events, ARGV[1], call, ARGV[2])
return {'ok', tonumber(redis.call('HGET', call, 'rev')) or 0}
