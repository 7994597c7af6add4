-- Writes a secret's new value, or revokes it, if it is still at the version that the writer saw.
-- KEYS  1 secret {org}:secret:<name>   2 names {org}:secrets
-- ARGV  1 version seen (0 = never there)  2 name  3 sealed value ('' = revoke)  4 now ms  5 how many secrets there may be
-- Returns 1 written | 2 another version | 3 too many secrets | 4 there is none to revoke
-- Invariant: the names are exactly the secrets that have a value; a version never comes again, even after a revocation.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if version ~= tonumber(ARGV[1]) then return 2 end
local there = redis.call('HEXISTS', KEYS[1], 'sealed') == 1
if ARGV[3] == '' then
  if not there then return 4 end
  redis.call('HDEL', KEYS[1], 'sealed')
  redis.call('SREM', KEYS[2], ARGV[2])
else
  if not there then
    if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[5]) then return 3 end
    redis.call('HSET', KEYS[1], 'created', ARGV[4])
    redis.call('SADD', KEYS[2], ARGV[2])
  end
  redis.call('HSET', KEYS[1], 'sealed', ARGV[3])
end
redis.call('HSET', KEYS[1], 'version', version + 1, 'updated', ARGV[4])
return 1
