-- KEYS transcript, call
-- ARGV incarnation, n, then the entries n, n + 1, … (none: only asks)
-- -> {'ok', last entry}, or {'announce', last entry}: Redis has not this call in this incarnation
-- Adds them only if the last entry is n - 1; otherwise the last id is the answer, and the runtime goes on from there.
local transcript, call = unpack(KEYS)
local n, last = tonumber(ARGV[2]), last_entry(KEYS[1])

if last == n - 1 then
  for i = 3, #ARGV do
    last = n + i - 3
    redis.call('XADD', transcript, string.format('%.0f-0', last), 'data', ARGV[i])
  end
end
if redis.call('TTL', call) ~= -1 then redis.call('EXPIRE', transcript, HOUR) end
return {redis.call('HGET', call, 'incarnation') == ARGV[1] and 'ok' or 'announce', last}
