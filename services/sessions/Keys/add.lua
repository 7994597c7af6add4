-- Writes a key down, or writes it down again.
-- KEYS  1 facts {org}:key:<id>   2 index {org}:keys
-- ARGV  1 id  2 created ms  3 how many there may be  4 digest  5 name  6 hint  7 scopes, separated by spaces  8 expiry ms, or ''
--       9 organisation
-- Returns 1 written | 4 there are as many as there may be.
-- Invariant: the index holds every key that has facts.
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 4 end
redis.call('HSETNX', KEYS[1], 'created', ARGV[2])
redis.call('HSET', KEYS[1], 'digest', ARGV[4], 'name', ARGV[5], 'hint', ARGV[6], 'scopes', ARGV[7])
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'expires', ARGV[8]) end
redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[1])
redis.call('PUBLISH', 'organization-changes', ARGV[9])
return 1
