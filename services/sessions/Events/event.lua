-- A function for scripts that append an event along with what they do.
-- log    {org}:event-log; beside it {org}:event-log:last, the number of the newest, and {org}:event-log:<sandbox>, the numbers of a sandbox's
-- draft  the event as JSON, see EventDraft; '' appends nothing
-- Invariant: the numbers have no gaps, so that a reader sees whether it missed something.
local function append_event(log, draft)
  if draft == '' then return end
  local event = cjson.decode(draft)
  local number = redis.call('INCR', log .. ':last')
  redis.call('XADD', log, number .. '-0', 'id', event.id, 'type', event.type, 'sandbox', event.sandbox, 'at', event.at, 'data', event.data)
  -- The oldest are dropped faster than new ones come, and never many at once.
  for _, old in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', 4)) do
    if tonumber(old[2][8]) >= tonumber(event.since) then break end
    redis.call('XDEL', log, old[1])
  end
  redis.call('XTRIM', log, 'MAXLEN', event.most)
  redis.call('PEXPIRE', log, event.kept)
  if event.sandbox ~= '' then
    redis.call('ZADD', log .. ':' .. event.sandbox, number, number)
    redis.call('PEXPIRE', log .. ':' .. event.sandbox, event.kept)
  end
  redis.call('PUBLISH', 'sandbox-changes', event.organization)
end
