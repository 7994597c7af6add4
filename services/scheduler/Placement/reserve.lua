-- Reserves room for a sandbox on the first candidate that has it, or gives the sandbox a place in the queue. Needs queue.lua.
-- KEYS  1 reservation {nodes}:r:<sandbox>   2 unconfirmed {nodes}:unconfirmed   3 queue {nodes}:queue
--       4 queue facts {nodes}:queue:facts   5 last turn by organisation {nodes}:queue:last   6 queue wishes {nodes}:queue:wishes
-- ARGV  1 sandbox  2 generation  3 organisation  4 cpu  5 memory  6 disk  7 now ms  8 expiry ms
--       9 its wish: nodes that are there and could take it if they were empty, with a space around each  10… candidates, best first
-- Returns {1, node} reserved (or held already) | {2, position} queued | {3} a newer generation is known
-- Invariant: what nodes have used is the sum of the reservations that name them; a sandbox holds at most one.
local sandbox, generation, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[7])

local function give_back(key)
  local r = redis.call('HMGET', key, 'node', 'cpu', 'memory', 'disk')
  if r[1] then
    local node = '{nodes}:n:' .. r[1]
    redis.call('HINCRBY', node, 'used:cpu', -r[2])
    redis.call('HINCRBY', node, 'used:memory', -r[3])
    redis.call('HINCRBY', node, 'used:disk', -r[4])
    redis.call('HINCRBY', node, 'used:count', -1)
  end
  redis.call('DEL', key)
end

for _, late in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 20)) do
  give_back('{nodes}:r:' .. late)
  redis.call('ZREM', KEYS[2], late)
end

local held = redis.call('HMGET', KEYS[1], 'generation', 'node')
if held[1] then
  if tonumber(held[1]) > generation then return {3} end
  if tonumber(held[1]) == generation then return {1, held[2]} end
  give_back(KEYS[1])
  redis.call('ZREM', KEYS[2], sandbox)
end

-- Nobody overtakes who waits for the same node: room there is for the first of those who could use it. Who waits for other nodes only, or for
-- none that is there, is not in the way.
local rank = redis.call('ZRANK', KEYS[3], sandbox)
local spoken_for, unknown = {}, false
if #ARGV > 9 then
  each_waiting(KEYS[3], KEYS[6], rank or -1, function(_, wish)
    unknown = not wish
    for node in string.gmatch(wish or '', '%S+') do spoken_for[node] = true end
    return unknown
  end)
end
for i = 10, #ARGV do
  if unknown then break end
  local node = '{nodes}:n:' .. ARGV[i]
  local n = redis.call('HMGET', node, 'cpu', 'memory', 'disk', 'max', 'used:cpu', 'used:memory', 'used:disk', 'used:count', 'cordoned')
  for j = 5, 8 do n[j] = tonumber(n[j] or 0) or 0 end
  if n[1] and n[9] ~= '1' and not spoken_for[ARGV[i]]
    and n[5] + ARGV[4] <= tonumber(n[1]) and n[6] + ARGV[5] <= tonumber(n[2])
    and n[7] + ARGV[6] <= tonumber(n[3]) and n[8] + 1 <= tonumber(n[4]) then
    redis.call('HINCRBY', node, 'used:cpu', ARGV[4])
    redis.call('HINCRBY', node, 'used:memory', ARGV[5])
    redis.call('HINCRBY', node, 'used:disk', ARGV[6])
    redis.call('HINCRBY', node, 'used:count', 1)
    redis.call('HSET', KEYS[1], 'generation', generation, 'node', ARGV[i], 'cpu', ARGV[4], 'memory', ARGV[5], 'disk', ARGV[6])
    redis.call('ZADD', KEYS[2], ARGV[8], sandbox)
    if rank then
      if rank == 0 then redis.call('SET', '{nodes}:queue:now', redis.call('ZSCORE', KEYS[3], sandbox)) end
      leave(KEYS[3], KEYS[4], KEYS[6], sandbox)
      tell_next(KEYS[3], KEYS[4], KEYS[6], ARGV[9])
    end
    return {1, ARGV[i]}
  end
end

-- Fair queueing: an organisation's next turn comes one after its last, however many it asks for at once.
if not rank then
  local turn = math.max(tonumber(redis.call('GET', '{nodes}:queue:now') or 0), tonumber(redis.call('HGET', KEYS[5], ARGV[3]) or 0)) + 1
  redis.call('ZADD', KEYS[3], turn, sandbox)
  redis.call('HSET', KEYS[5], ARGV[3], turn)
end
redis.call('HSET', KEYS[4], sandbox, generation)
redis.call('HSET', KEYS[6], sandbox, ARGV[9])
return {2, redis.call('ZRANK', KEYS[3], sandbox) + 1}
