-- Take a claim back that nobody has answered.
-- KEYS call, events
-- ARGV call_id, claim_id
local call, events = unpack(KEYS)
local claim = decode(redis.call('HGET', call, 'claim'))
if claim and claim.claim_id == ARGV[2] then
  redis.call('HSET', call, 'claim', '')
  redis.call('HINCRBY', call, 'rev', 1)
  publish_call(events, 'call_updated', ARGV[1], call, false)
end
return 'ok'
