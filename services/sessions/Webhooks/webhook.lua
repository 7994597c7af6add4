-- Writes a webhook if it is still at the version that the writer saw.
-- KEYS  1 webhook {org}:webhook:<id>   2 index {org}:webhooks   3 events {org}:event-log
-- ARGV  1 id  2 version seen (0 = new)  3 record  4 created ms  5 how many webhooks there may be (new only)
--       6 1 = it gets what happens from now on  7 what happened, for append_event (event.lua)
-- Returns 1 written | 2 another version | 3 too many
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if version ~= tonumber(ARGV[2]) then return 2 end
if version == 0 then
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then return 3 end
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
end
redis.call('HSET', KEYS[1], 'version', version + 1, 'record', ARGV[3])
if ARGV[6] == '1' then
  redis.call('HSET', KEYS[1], 'cursor', redis.call('GET', KEYS[3] .. ':last') or 0)
  redis.call('HDEL', KEYS[1], 'failing')
end
append_event(KEYS[3], ARGV[7])
return 1
