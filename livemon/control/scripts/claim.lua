-- Ask for a call (docs/protocol.md, «Take-over»). One winner, whoever asks at the same instant; the same claim again is the same claim,
-- also when it has been answered or taken back in between (`last_claim`).
-- KEYS call, calls, events, the runtime's key, its commands
-- ARGV call_id, runtime_id, user_id, name, claim_id, command_id, answer_ms, grace_ms, not_after (ms, Redis's time), commands kept,
--   resume (0|1: only if that person has the call), mine (JSON: by one of these claims, unless there is none),
--   over (0|1: also from a supervisor who is heard, if this very controller has lost the role)
-- -> {'claimed', claim}     it stands, and its runtime is asked
--    {'yours', controller}  this very claim has the call already
--    {'held', controller}   somebody has the call; to resume: '' where the agent has it
--    {'asked', claim}       somebody else is asking for it, or one of `mine` still is
--    {'answered', ''}       this very claim was made, and stands no more
--    {'over', ''}           the call has ended
--    {'moved', runtime_id}  another runtime has it: ask with that one
--    {'gone', ''}           its runtime is not reporting, or nothing is known of the call (Redis was emptied)
--    {'unsupported', ''}    its runtime cannot hand it over
--    {'too_late', ''}       it came after `not_after`: nothing was done, and never will be
local call, calls, events, runtime_key, commands = unpack(KEYS)
local call_id, runtime, user_id, name, claim_id, command_id, answer_ms, grace_ms, not_after, kept, resume, mine, over = unpack(ARGV)

local stored = redis.call('HMGET', call, 'data', 'runtime', 'controller', 'claim', 'last_claim')
local controller, claim = decode(stored[3]), decode(stored[4])
if controller and controller.claim_id == claim_id then return {'yours', stored[3]} end
if claim and claim.claim_id == claim_id then return {'claimed', stored[4]} end
if stored[5] == claim_id then return {'answered', ''} end

local now = now_ms()
if now > tonumber(not_after) then return {'too_late', ''} end
local data = decode(stored[1])
local status = data and data.call_status
if status == 'ended' or status == 'error' then return {'over', ''} end
if not redis.call('ZSCORE', calls, call_id) or (status ~= 'ongoing' and status ~= 'taken_over') then return {'gone', ''} end
if stored[2] ~= runtime then return {'moved', stored[2]} end
if redis.call('EXISTS', runtime_key) == 0 then return {'gone', ''} end
local own = controller and controller.user_id == user_id
local stands = claim and now <= tonumber(claim.deadline)
local by_these = decode(mine) or {}
local still, undecided = #by_these == 0, false
for _, one in ipairs(by_these) do
  still = still or (own and controller.claim_id == one)
  undecided = undecided or (stands and claim.claim_id == one)
end
if undecided then return {'asked', stored[4]} end
if resume == '1' and not (own and still) then return {'held', stored[3] or ''} end
local unheard = controller and type(controller.lost_since) == 'number'
local without_role = controller and type(controller.role_lost_since) == 'number'
if controller and not own and not unheard and not (over == '1' and without_role) then return {'held', stored[3]} end
if stands then return {'asked', stored[4]} end
local able = false
for _, capability in ipairs(type(data.capabilities) == 'table' and data.capabilities or {}) do
  able = able or capability == 'take_over'
end
if not able then return {'unsupported', ''} end

local deadline = now + tonumber(answer_ms)
local generation = redis.call('HINCRBY', call, 'generation', 1)
local asking = cjson.encode({user_id = user_id, name = name, claim_id = claim_id, generation = generation, deadline = deadline,
  role_lost_since = own and without_role and controller.role_lost_since or nil})  -- who goes on has it no more than before
redis.call('HSET', call, 'claim', asking, 'last_claim', claim_id)
redis.call('HINCRBY', call, 'rev', 1)
publish_call(events, 'call_updated', call_id, call, false)
redis.call('XADD', commands, 'MAXLEN', '~', kept, '*', 'data', cjson.encode({
  type = 'take_over', command_id = command_id, call_id = call_id, by = user_id, by_name = name,
  deadline = deadline, claim_id = claim_id, generation = generation, grace_ms = tonumber(grace_ms)}))
return {'claimed', asking}
