-- KEYS call, events
-- ARGV call_id, claim_id, command_id, code, message
-- -> {'refused', rev}   the claim is cleared (or stood no more)
--    {'accepted', rev}  accept was first: nothing is changed
local call, events = unpack(KEYS)
local call_id, claim_id, command_id, code, message = unpack(ARGV)

local stored = redis.call('HMGET', call, 'claim', 'controller', 'rev')
local claim, controller = decode(stored[1]), decode(stored[2])
local rev = tonumber(stored[3]) or 0
if controller and controller.claim_id == claim_id then return {'accepted', rev} end
if claim and claim.claim_id == claim_id then
  redis.call('HSET', call, 'claim', '')
  rev = redis.call('HINCRBY', call, 'rev', 1)
  publish_call(events, 'call_updated', call_id, call, false)
end
publish_result(events, call_id, call, result_of(command_id, call_id, code, message))
return {'refused', rev}
