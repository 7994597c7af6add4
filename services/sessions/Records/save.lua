-- Writes a sandbox's record if it is still at the version that the writer saw, with all that follows from it.
-- KEYS  1 record {org}:sbx:<id>   2 live set {org}:live   3 index {org}:index   4 events {org}:event-log
--       5 request {org}:req:<request id> (create only)   6 open set {org}:open   7 running {org}:running   8 waiting {org}:waiting
--       9 ended {org}:ended   10... usage {org}:usage:<month>: of the present month where room is asked for, of each month where time is metered
--       2, 7, 8 and 10... are those of {org}:custom for machines of the caller's own measure
-- ARGV  1 id  2 version seen (0 = new)  3 record  4 state name  5 created ms  6 request digest (create only, or '')
--       7 seconds that an ended record is kept (0 = for ever)  8 1 = over  9 JSON: what it means for the plan, see `account`
--       10 what happened, for append_event (event.lua)  11 organisation
-- Returns {1} written | {1, id} written, and this one waits for room and may have it now | {2} another version
--         | {3, count} concurrency limit | {4, ms} hours limit | {5, id} this request made that sandbox before
--         | {6} this request id had another body | {7, count} as many wait as may
-- Invariant: the live sets hold exactly the sandboxes whose record counts, the running ones those whose time is metered, since when,
-- the waiting ones those that wait for room, in order, the open set those that are not over.
local id = ARGV[1]

-- What a record means for the plan:
--   counts, waits, runsFrom (ms), endedAt (ms)   what the record says
--   metered [{key, day, ms}]                     time that its change ends, by usage key and day
--   now, monthStart (ms), concurrency, hours (ms), mostWaiting   given where room is asked for
local account = cjson.decode(ARGV[9])

-- Time that is used this month, with that of what still runs.
local function used()
  local sum = tonumber(redis.call('HGET', KEYS[10], 'ms') or 0)
  local running = redis.call('ZRANGE', KEYS[7], 0, -1, 'WITHSCORES')
  for i = 2, #running, 2 do sum = sum + math.max(0, account.now - math.max(tonumber(running[i]), account.monthStart)) end
  return sum
end

-- Why the plan has no room, or nil. Whoever waits before has it first.
local function refusal()
  local time = used()
  if time >= account.hours then return {4, time} end
  if account.waits then
    local waiting = redis.call('ZCARD', KEYS[8])
    return waiting >= account.mostWaiting and {7, waiting} or nil
  end
  local live = redis.call('SCARD', KEYS[2])
  local before = redis.call('ZRANK', KEYS[8], id) or redis.call('ZCARD', KEYS[8])
  return live + before >= account.concurrency and {3, live} or nil
end

-- Counts, meters and queues. Answers who waits first, where somebody may have made room.
local function settle()
  local left = 0
  if account.counts then redis.call('SADD', KEYS[2], id) else left = redis.call('SREM', KEYS[2], id) end
  if account.waits then
    if not redis.call('ZSCORE', KEYS[8], id) then
      local last = redis.call('ZRANGE', KEYS[8], -1, -1, 'WITHSCORES')
      redis.call('ZADD', KEYS[8], (tonumber(last[2] or 0)) + 1, id)
    end
  else
    left = left + redis.call('ZREM', KEYS[8], id)
  end
  if account.runsFrom then redis.call('ZADD', KEYS[7], account.runsFrom, id) else redis.call('ZREM', KEYS[7], id) end
  for _, part in ipairs(account.metered) do
    local key = KEYS[9 + part.key]
    redis.call('HINCRBY', key, 'ms', part.ms)
    redis.call('HINCRBY', key, part.day, part.ms)
    redis.call('EXPIRE', key, 34560000)
  end
  if account.endedAt then redis.call('ZADD', KEYS[9], 'NX', account.endedAt, id) end
  return left > 0 and redis.call('ZRANGE', KEYS[8], 0, 0)[1] or nil
end

local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if version ~= tonumber(ARGV[2]) then return {2} end
if version == 0 and ARGV[6] ~= '' then
  local seen = redis.call('HMGET', KEYS[5], 'digest', 'id')
  if seen[1] then
    if seen[1] == ARGV[6] then return {5, seen[2]} end
    return {6}
  end
end
local refused = account.now and refusal()
if refused then return refused end
if version == 0 then
  if ARGV[6] ~= '' then
    redis.call('HSET', KEYS[5], 'digest', ARGV[6], 'id', id)
    redis.call('EXPIRE', KEYS[5], 86400)
  end
  redis.call('ZADD', KEYS[3], ARGV[5], id)
end
redis.call('HSET', KEYS[1], 'version', version + 1, 'record', ARGV[3])
local nextInLine = settle()
if ARGV[8] == '1' then redis.call('SREM', KEYS[6], id) else redis.call('SADD', KEYS[6], id) end
if tonumber(ARGV[7]) > 0 then redis.call('EXPIRE', KEYS[1], ARGV[7]) end
append_event(KEYS[4], ARGV[10])
redis.call('PUBLISH', 'organization-changes', ARGV[11])
redis.call('PUBLISH', 'sandbox-changes', id)
return {1, nextInLine}
