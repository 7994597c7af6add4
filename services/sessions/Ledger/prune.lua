-- Forgets sandboxes whose time in the ledger is over. Their records expire by themselves.
-- KEYS  1 ended {org}:ended   2 index {org}:index
-- ARGV  1 the end ms up to which they are forgotten  2 how many at most
-- Returns how many were forgotten.
-- Invariant: what the index lists and the ledger does not is not over.
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(gone) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
return #gone
