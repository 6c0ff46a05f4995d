-- KEYS call, events
-- ARGV call_id, claim_id, data (its status `taken_over`), command_id
-- -> {'yes', rev, controller}  the claim is the controller, now or already: the agent is silent for good
--    {'no', rev, controller}   the claim does not stand, or its deadline has passed: the agent goes on
local call, events = unpack(KEYS)
local call_id, claim_id, data, command_id = unpack(ARGV)

local stored = redis.call('HMGET', call, 'claim', 'controller', 'rev')
local claim, controller = decode(stored[1]), decode(stored[2])
local stands = claim and claim.claim_id == claim_id
local now = now_ms()

if stands and now <= tonumber(claim.deadline) then
  claim.deadline = nil
  local goes_on = controller and controller.user_id == claim.user_id and type(controller.since) == 'number'
  claim.since = goes_on and controller.since or now
  local holder = cjson.encode(claim)
  redis.call('HSET', call, 'controller', holder, 'claim', '', 'data', data)
  local rev = redis.call('HINCRBY', call, 'rev', 1)
  publish_call(events, 'call_updated', call_id, call, false)
  publish_result(events, call_id, call, result_of(command_id, call_id))
  return {'yes', rev, holder}
end

local rev = tonumber(stored[3]) or 0
if controller and controller.claim_id == claim_id then
  publish_result(events, call_id, call, result_of(command_id, call_id))
  return {'yes', rev, stored[2]}
end
publish_result(events, call_id, call, stands
  and result_of(command_id, call_id, 'too_late', 'The deadline had passed: the agent has the call.')
  or result_of(command_id, call_id, 'refused', 'The claim no longer stands: the agent or somebody else has the call.'))
return {'no', rev, stored[2] or ''}
