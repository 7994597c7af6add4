-- Changes a key that was not revoked: what was revoked stays so.
-- KEYS  1 facts {org}:key:<id>
-- ARGV  1 seconds that it is told of from now on (0 = for ever)  2 organisation  3... fields and their values
-- Returns 1 changed | 2 it was revoked before | 3 there is none.
if redis.call('EXISTS', KEYS[1]) == 0 then return 3 end
if redis.call('HEXISTS', KEYS[1], 'revoked') == 1 then return 2 end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
if tonumber(ARGV[1]) > 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
redis.call('PUBLISH', 'organization-changes', ARGV[2])
return 1
