-- Take back a claim that nobody has answered (docs/protocol.md, «Take-over»): its own claimant at any time, anybody past its deadline.
-- KEYS call, events, calls
-- ARGV call_id, claim_id, own (0|1)
-- -> {'withdrawn', controller}  the claim is cleared; the agent, or whoever had the call, has it
--    {'early', claim}           the deadline has not passed: nothing is changed
--    {'over', ''}               the call has ended
--    {'unknown', ''}            nothing is known of the call: Redis was emptied, and its runtime has not announced it again
--    {'none', controller}       it does not stand: refused, withdrawn, never made, or accepted (then it is the controller's)
local call, events, calls = unpack(KEYS)
local call_id, claim_id, own = unpack(ARGV)

local stored = redis.call('HMGET', call, 'claim', 'controller', 'data')
local claim, data = decode(stored[1]), decode(stored[3])
if data and (data.call_status == 'ended' or data.call_status == 'error') then return {'over', ''} end
if not data or not redis.call('ZSCORE', calls, call_id) then return {'unknown', ''} end
if not claim or claim.claim_id ~= claim_id then return {'none', stored[2] or ''} end
if own ~= '1' and now_ms() <= tonumber(claim.deadline) then return {'early', stored[1]} end
redis.call('HSET', call, 'claim', '')
redis.call('HINCRBY', call, 'rev', 1)
publish_call(events, 'call_updated', call_id, call, false)
return {'withdrawn', stored[2] or ''}
