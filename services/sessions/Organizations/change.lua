-- Changes an organisation.
-- KEYS  1 organization:<id>
-- ARGV  1 id  2... fields and their values
-- Returns 1.
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PUBLISH', 'organization-changes', ARGV[1])
return 1
