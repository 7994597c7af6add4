-- Makes a courier the owner of a webhook: the writes of whoever was it before are refused from now on.
-- KEYS  1 webhook {org}:webhook:<id>
-- ARGV  1 owner
-- Returns 1 claimed | 0 there is none
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
return 1
