-- Queues deliveries of a webhook, each behind those of the same subject.
-- KEYS  1 webhook {org}:webhook:<id>, beside it :queue:<subject>   2 due {org}:webhook:<id>:due   3 index {org}:webhook:<id>:deliveries
-- ARGV  1 owner ('' = whoever it is)  2 cursor seen  3 new cursor ('' = as it was)  4 now ms  5 ms before which the index forgets
--       6 ms that a delivery is kept that is never over  7 webhook id  8 prefix of deliveries {org}:delivery:
--       then for each: id, subject, event id, event type, sandbox, body
-- Returns 1 queued | 2 another owns the webhook or moved its cursor, or it is gone
-- Invariant: a subject is due exactly while its queue is not empty; waiting counts what is in the queues.
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 2 end
if ARGV[1] ~= '' then
  local state = redis.call('HMGET', KEYS[1], 'owner', 'cursor')
  if state[1] ~= ARGV[1] or state[2] ~= ARGV[2] then return 2 end
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'cursor', ARGV[3]) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[5])
for i = 9, #ARGV, 6 do
  local delivery = ARGV[8] .. ARGV[i]
  redis.call('HSET', delivery, 'webhook', ARGV[7], 'event', ARGV[i + 2], 'type', ARGV[i + 3], 'sandbox', ARGV[i + 4], 'body', ARGV[i + 5],
    'created', ARGV[4], 'next', ARGV[4], 'state', 'pending')
  redis.call('PEXPIRE', delivery, ARGV[6])
  redis.call('RPUSH', KEYS[1] .. ':queue:' .. ARGV[i + 1], ARGV[i])
  redis.call('ZADD', KEYS[2], 'NX', ARGV[4], ARGV[i + 1])
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[i])
  redis.call('HINCRBY', KEYS[1], 'waiting', 1)
end
return 1
