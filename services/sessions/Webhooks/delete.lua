-- Removes a webhook and what waits for it. The records of its deliveries expire by themselves.
-- KEYS  1 webhook {org}:webhook:<id>, beside it :due, :deliveries and :queue:<subject>   2 index {org}:webhooks
-- ARGV  1 id
-- Returns 1 removed | 0 there is none
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, subject in ipairs(redis.call('ZRANGE', KEYS[1] .. ':due', 0, -1)) do
  redis.call('UNLINK', KEYS[1] .. ':queue:' .. subject)
end
redis.call('UNLINK', KEYS[1], KEYS[1] .. ':due', KEYS[1] .. ':deliveries')
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
