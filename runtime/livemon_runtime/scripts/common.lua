-- Stands before every script of the protocol (docs/protocol-scripts.md). All keys come in KEYS.
local HOUR = 3600
local EVENTS_KEPT = 100000

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- nil for a missing, empty or unreadable JSON object
local function decode(json)
  if not json or json == '' then return nil end
  local ok, value = pcall(cjson.decode, json)
  return ok and type(value) == 'table' and value or nil
end

local function or_null(json)
  return json and json ~= '' and json or 'null'
end

-- A call that its own runtime ended is final; `runtime_lost` is livemon's judgement, which the runtime's return undoes.
local function ended_by_runtime(data)
  local call = decode(data)
  return call and (call.call_status == 'ended' or call.call_status == 'error')
    and call.disconnection_reason ~= 'runtime_lost'
end

local function last_entry(transcript)
  local newest = redis.call('XREVRANGE', transcript, '+', '-', 'COUNT', 1)[1]
  return newest and tonumber(string.match(newest[1], '^%d+')) or 0
end

local function publish(events, kind, call_id, incarnation, rev, data)
  redis.call('XADD', events, 'MAXLEN', '~', EVENTS_KEPT, '*',
    'type', kind, 'call_id', call_id, 'incarnation', incarnation, 'rev', rev, 'data', data)
  redis.call('XTRIM', events, 'MINID', '~', string.format('%.0f', now_ms() - HOUR * 1000))
end

-- One event with the call as it now is. The call's JSON is passed through untouched.
local function publish_call(events, kind, call_id, call, resumed)
  local stored = redis.call('HMGET', call, 'incarnation', 'rev', 'data', 'controller', 'claim', 'runtime')
  publish(events, kind, call_id, stored[1], stored[2], '{"call":' .. stored[3]
    .. ',"controller":' .. or_null(stored[4]) .. ',"claim":' .. or_null(stored[5])
    .. ',"runtime":"' .. stored[6] .. '","resumed":' .. tostring(resumed) .. '}')
end

-- A command's result, with the call's current rev: it is never skipped for it.
local function publish_result(events, call_id, call, result)
  local stored = redis.call('HMGET', call, 'incarnation', 'rev')
  publish(events, 'command_result', call_id, stored[1] or '', stored[2] or '0', result)
end

local function result_of(command_id, call_id, code, message)
  local result = {command_id = command_id, call_id = call_id, ok = code == nil}
  if code then result.error = {code = code, message = message} end
  return cjson.encode(result)
end
