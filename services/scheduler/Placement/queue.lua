-- Who waits, for the scripts that change it: KEYS of each are the queue, its facts (generation by sandbox) and its wishes (by sandbox, the nodes
-- that could take it if they were empty, with a space around each).

-- Leaves the queue.
local function leave(queue, facts, wishes, sandbox)
  redis.call('ZREM', queue, sandbox)
  redis.call('HDEL', facts, sandbox)
  redis.call('HDEL', wishes, sandbox)
end

-- Calls visit(sandbox, wish) for the first `count` of those who wait, in order, until it answers true; all of them for -1.
local function each_waiting(queue, wishes, count, visit)
  for from = 0, count == -1 and math.huge or count - 1, 1000 do
    local last = from + 999
    if count ~= -1 and last > count - 1 then last = count - 1 end
    local waiting = redis.call('ZRANGE', queue, from, last)
    if #waiting == 0 then return end
    local wished = redis.call('HMGET', wishes, unpack(waiting))
    for i, sandbox in ipairs(waiting) do
      if visit(sandbox, wished[i]) then return end
    end
  end
end

-- Tells the first of those who could use one of these nodes that there may be room.
local function tell_next(queue, facts, wishes, nodes)
  each_waiting(queue, wishes, -1, function(sandbox, wish)
    for node in string.gmatch(nodes, '%S+') do
      if not wish or string.find(wish, ' ' .. node .. ' ', 1, true) then
        redis.call('PUBLISH', '{nodes}:grants', sandbox .. '|' .. redis.call('HGET', facts, sandbox))
        return true
      end
    end
  end)
end
