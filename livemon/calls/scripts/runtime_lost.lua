-- End a call whose runtime is gone (docs/protocol.md, «A runtime that is gone»). Safe to run twice, and by many nodes:
-- it acts only if the runtime's key is still missing and the call is still what the caller read.
-- KEYS: 1 the call's hash, 2 calls, 3 events, 4 the runtime's key, 5 transcript
-- ARGV: 1 call id, 2 incarnation, 3 rev as read, 4 the hash's data once ended, 5 the event's data, 6 seconds until the keys expire,
--       7 about how many events are kept
-- Answer: 1 if it ended the call, 0 if not.
if redis.call('EXISTS', KEYS[4]) == 1 then
  return 0
end
local held = redis.call('HMGET', KEYS[1], 'incarnation', 'rev')
if held[1] ~= ARGV[2] or held[2] ~= ARGV[3] then
  return 0
end
local rev = redis.call('HINCRBY', KEYS[1], 'rev', 1)
redis.call('HSET', KEYS[1], 'data', ARGV[4], 'controller', '', 'claim', '')
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[5], ARGV[6])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'type', 'call_ended', 'call_id', ARGV[1],
  'incarnation', ARGV[2], 'rev', rev, 'data', ARGV[5])
return 1
