-- Turns a reservation into a commitment.
-- KEYS  1 reservation {nodes}:r:<sandbox>   2 unconfirmed
-- ARGV  1 sandbox  2 generation
-- Returns 1 confirmed (or confirmed before) | 0 the reservation is gone
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
