-- Says that a request still runs.
-- KEYS  1 request {org}:gateway:request:<id>
-- ARGV  1 who says so  2 lease ms
-- Returns 1 | 0 somebody else runs it, or nobody.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'until', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[2]))
return 1
