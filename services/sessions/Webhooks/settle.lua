-- Writes what came of an attempt at a delivery.
-- KEYS  1 webhook {org}:webhook:<id>   2 delivery {org}:delivery:<id>   3 due {org}:webhook:<id>:due   4 queue {org}:webhook:<id>:queue:<subject>
-- ARGV  1 owner  2 delivery id  3 subject  4 state: pending, delivered or failed  5 ms of the next attempt (pending only)  6 attempt
--       7 ms that it is kept when it is over  8 now ms  9 1 = the attempt failed
-- Returns the ms since when every attempt at the webhook has failed, or 0. Nothing is written when another owns the webhook, or it is gone.
local state = redis.call('HMGET', KEYS[1], 'owner', 'record')
if state[1] ~= ARGV[1] or not state[2] or redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local number = redis.call('HINCRBY', KEYS[2], 'attempts', 1)
redis.call('HSET', KEYS[2], 'attempt:' .. number, ARGV[6], 'state', ARGV[4], 'next', ARGV[5])
if ARGV[4] == 'pending' then
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[3])
else
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
  if redis.call('LREM', KEYS[4], 1, ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[1], 'waiting', -1) end
  if redis.call('LLEN', KEYS[4]) == 0 then redis.call('ZREM', KEYS[3], ARGV[3]) else redis.call('ZADD', KEYS[3], ARGV[8], ARGV[3]) end
end
if ARGV[9] == '0' then
  redis.call('HDEL', KEYS[1], 'failing')
  return 0
end
redis.call('HSETNX', KEYS[1], 'failing', ARGV[8])
return tonumber(redis.call('HGET', KEYS[1], 'failing'))
