-- Gives a sandbox's room back and takes it out of the queue; tells whoever comes next there that there may be room. Needs queue.lua.
-- KEYS  1 reservation {nodes}:r:<sandbox>   2 unconfirmed   3 queue   4 queue facts   5 queue wishes
-- ARGV  1 sandbox  2 generation: this one and older ones are released
-- Returns 1 when something was released, else 0
local held = redis.call('HMGET', KEYS[1], 'generation', 'node', 'cpu', 'memory', 'disk')
local released, freed = 0, ''
if held[1] and tonumber(held[1]) <= tonumber(ARGV[2]) then
  local node = '{nodes}:n:' .. held[2]
  redis.call('HINCRBY', node, 'used:cpu', -held[3])
  redis.call('HINCRBY', node, 'used:memory', -held[4])
  redis.call('HINCRBY', node, 'used:disk', -held[5])
  redis.call('HINCRBY', node, 'used:count', -1)
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  released, freed = 1, held[2]
end
local waiting = redis.call('HGET', KEYS[4], ARGV[1])
if waiting and tonumber(waiting) <= tonumber(ARGV[2]) then
  released, freed = 1, freed .. ' ' .. (redis.call('HGET', KEYS[5], ARGV[1]) or '')
  leave(KEYS[3], KEYS[4], KEYS[5], ARGV[1])
end
if redis.call('ZCARD', KEYS[3]) == 0 then
  -- Nobody waits: everybody's turns begin anew.
  redis.call('DEL', '{nodes}:queue:last', '{nodes}:queue:now')
else
  tell_next(KEYS[3], KEYS[4], KEYS[5], freed)
end
return released
