-- Puts an entry off whose record has nothing to do, or removes it.
-- KEYS  1 due {due:0}   2 announced {due:0}:announced
-- ARGV  1 entry  2 the version that has nothing to do  3 due ms, or '' for never
-- Returns 1 done | 2 a later version is announced: the entry stays as it is.
local announced = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0)
if announced > tonumber(ARGV[2]) then return 2 end
redis.call('HDEL', KEYS[2], ARGV[1])
if ARGV[3] == '' then redis.call('ZREM', KEYS[1], ARGV[1]) else redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) end
return 1
