-- Claim a call as livemon does, or with `withdrawn` take the claim back before its runtime can see it.
-- KEYS call, events, the runtime's commands
-- ARGV call_id, claim_id, command_id, user_id, name, lasts_ms, grace_ms, withdrawn (0|1)
-- -> {generation, deadline}
local call, events, commands = unpack(KEYS)
local call_id, claim_id, command_id, user_id, name, lasts_ms, grace_ms, withdrawn = unpack(ARGV)

local deadline = now_ms() + tonumber(lasts_ms)
local generation = redis.call('HINCRBY', call, 'generation', 1)
local function become(claim)
  redis.call('HSET', call, 'claim', claim, 'last_claim', claim_id)
  redis.call('HINCRBY', call, 'rev', 1)
  publish_call(events, 'call_updated', call_id, call, false)
end
become(cjson.encode({user_id = user_id, name = name, claim_id = claim_id, generation = generation, deadline = deadline}))
if withdrawn == '1' then become('') end
redis.call('XADD', commands, 'MAXLEN', '~', 1000, '*', 'data', cjson.encode({
  type = 'take_over', command_id = command_id, call_id = call_id, by = user_id, by_name = name,
  deadline = deadline, claim_id = claim_id, generation = generation, grace_ms = tonumber(grace_ms)}))
return {generation, string.format('%.0f', deadline)}
