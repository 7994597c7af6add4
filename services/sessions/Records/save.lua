-- Writes a sandbox's record if it is still at the version that the writer saw, with all that follows from it.
-- KEYS  1 record {org}:sbx:<id>   2 live set {org}:live   3 index {org}:index   4 events {org}:event-log   5 hours {org}:ms:<month>
--       6 request {org}:req:<request id> (create only)   7 open set {org}:open
--       2 and 5 are {org}:custom:live and {org}:custom:ms:<month> for machines of the caller's own measure
-- ARGV  1 id  2 version seen (0 = new)  3 record  4 state name  5 1 = counts against concurrency, 0 = does not
--       6 created ms  7 ms to meter  8 concurrency limit (create only)  9 hours limit in ms (create only)
--       10 request digest (create only, or '')  11 seconds that an ended record is kept (0 = for ever)  12 1 = over
--       13 what happened, for append_event (event.lua)
-- Returns {1} written | {2} another version | {3, count} concurrency limit | {4, ms} hours limit
--         | {5, id} this request made that sandbox before | {6} this request id had another body
-- Invariant: the live sets hold exactly the sandboxes whose record counts, the open set those that are not over.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if version ~= tonumber(ARGV[2]) then return {2} end
if version == 0 then
  if ARGV[10] ~= '' then
    local seen = redis.call('HMGET', KEYS[6], 'digest', 'id')
    if seen[1] then
      if seen[1] == ARGV[10] then return {5, seen[2]} end
      return {6}
    end
  end
  local live = redis.call('SCARD', KEYS[2])
  if live >= tonumber(ARGV[8]) then return {3, live} end
  local used = tonumber(redis.call('GET', KEYS[5]) or 0)
  if used >= tonumber(ARGV[9]) then return {4, used} end
  if ARGV[10] ~= '' then
    redis.call('HSET', KEYS[6], 'digest', ARGV[10], 'id', ARGV[1])
    redis.call('EXPIRE', KEYS[6], 86400)
  end
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[1])
end
redis.call('HSET', KEYS[1], 'version', version + 1, 'record', ARGV[3])
if ARGV[5] == '1' then redis.call('SADD', KEYS[2], ARGV[1]) else redis.call('SREM', KEYS[2], ARGV[1]) end
if ARGV[12] == '1' then redis.call('SREM', KEYS[7], ARGV[1]) else redis.call('SADD', KEYS[7], ARGV[1]) end
if tonumber(ARGV[7]) > 0 then redis.call('INCRBY', KEYS[5], ARGV[7]) end
if tonumber(ARGV[11]) > 0 then redis.call('EXPIRE', KEYS[1], ARGV[11]) end
append_event(KEYS[4], ARGV[13])
redis.call('PUBLISH', 'sandbox-changes', ARGV[1])
return {1}
