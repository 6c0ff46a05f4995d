-- Say that the supervisor who has a call has lost the role, or has it again (docs/protocol.md, «Take-over», 5).
-- KEYS call, events, calls
-- ARGV call_id, claim_id, lost_since (ms; '' has the role)
-- -> {'ok', controller}     it stands so now
--    {'other', controller}  another claim has the call, or none: nothing is changed
--    {'unknown', ''}        nothing is known of the call: Redis was emptied, and its runtime has not announced it again
local call, events, calls = unpack(KEYS)
local call_id, claim_id, lost_since = unpack(ARGV)

local stored = redis.call('HGET', call, 'controller')
if not redis.call('ZSCORE', calls, call_id) then return {'unknown', ''} end
local controller = decode(stored)
if not controller or controller.claim_id ~= claim_id then return {'other', stored or ''} end
local lost = lost_since ~= ''
if lost == (type(controller.role_lost_since) == 'number') then return {'ok', stored} end
controller.role_lost_since = lost and tonumber(lost_since) or nil
local holder = cjson.encode(controller)
redis.call('HSET', call, 'controller', holder)
redis.call('HINCRBY', call, 'rev', 1)
publish_call(events, 'call_updated', call_id, call, false)
return {'ok', holder}
