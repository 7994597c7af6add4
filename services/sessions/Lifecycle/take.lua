-- Takes entries that are due, for the length of a lease.
-- KEYS  1 due {due:0}   2 announced {due:0}:announced
-- ARGV  1 now ms  2 end of the lease ms  3 how many
-- Returns the entries taken.
-- Invariant: an entry stays due until somebody rests it. What was announced a lease ago has happened by now, or never will.
local taken = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, entry in ipairs(taken) do
  redis.call('ZADD', KEYS[1], ARGV[2], entry)
  redis.call('HDEL', KEYS[2], entry)
end
return taken
