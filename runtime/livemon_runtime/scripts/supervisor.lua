-- Say whether the supervisor who has the caller is heard (docs/protocol.md, «Take-over», 4).
-- KEYS call, events
-- ARGV call_id, incarnation, claim_id, silent_ms ('' heard again; else for how long nothing has come)
-- -> {'ok', rev, controller}     so it stands now
--    {'other', rev, controller}  somebody else has the call: nothing is changed
--    {'announce', rev, ''}       Redis has not this call in this incarnation
local call, events = unpack(KEYS)
local call_id, incarnation, claim_id, silent_ms = unpack(ARGV)

local stored = redis.call('HMGET', call, 'incarnation', 'rev', 'controller')
local rev = tonumber(stored[2]) or 0
if stored[1] ~= incarnation then return {'announce', rev, ''} end
local controller = decode(stored[3])
if not controller or controller.claim_id ~= claim_id then return {'other', rev, stored[3] or ''} end
local lost = silent_ms ~= ''
if lost == (type(controller.lost_since) == 'number') then return {'ok', rev, stored[3]} end
controller.lost_since = lost and now_ms() - tonumber(silent_ms) or nil
local holder = cjson.encode(controller)
redis.call('HSET', call, 'controller', holder)
rev = redis.call('HINCRBY', call, 'rev', 1)
publish_call(events, 'call_updated', call_id, call, false)
return {'ok', rev, holder}
