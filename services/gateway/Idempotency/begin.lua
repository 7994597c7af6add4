-- Begins a request under its key, or tells what became of it.
-- KEYS  1 request {org}:gateway:request:<id>
-- ARGV  1 fingerprint  2 who asks  3 lease ms  4 seconds that it is remembered  5 1 = may run again where its outcome is not known
-- Returns {1} begun | {2, status, type, answer} answered | {3} running | {4} another request has this key
--         | {5} its outcome is not known | {6} carried out, its answer not kept
-- Invariant: at most one runs at a time; one that must not run twice never begins twice.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local seen = redis.call('HMGET', KEYS[1], 'fingerprint', 'state', 'until', 'status', 'type', 'answer')
if seen[1] then
  if seen[1] ~= ARGV[1] then return {4} end
  if seen[2] == 'answered' then return {2, seen[4], seen[5], seen[6]} end
  if seen[2] == 'lost' then return {6} end
  if seen[2] == 'unknown' then return {5} end
  if tonumber(seen[3]) > now then return {3} end
  if ARGV[5] ~= '1' then
    redis.call('HSET', KEYS[1], 'state', 'unknown')
    return {5}
  end
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'state', 'running', 'owner', ARGV[2], 'until', now + tonumber(ARGV[3]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {1}
