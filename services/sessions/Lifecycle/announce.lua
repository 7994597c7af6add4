-- Puts an entry down as due after a lease, before its record is changed.
-- KEYS  1 due {due:0}   2 announced {due:0}:announced
-- ARGV  1 entry  2 end of the lease ms  3 the version that the record will have
-- Returns 1.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
