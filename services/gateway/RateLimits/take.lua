-- Takes a token of a bucket. What is kept is the time at which it will be full.
-- KEYS  1 bucket {org}:gateway:rate:<name>
-- ARGV  1 tokens a minute  2 tokens at most
-- Returns {1 taken or 0 not, tokens left, us until there is one, us until it is full}
-- Invariant: by the server's clock, in any time t at most burst + rate * t are taken. A clock that is set back fills no faster.
-- Not written to the append-only file: a restart fills the buckets, and a request does not wait for the disk.
redis.set_repl(redis.REPL_NONE)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval = 60000000 / tonumber(ARGV[1])
local capacity = interval * tonumber(ARGV[2])
local full = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or now), now), now + capacity)
local taken = 0
if full + interval <= now + capacity + 0.5 then
  taken = 1
  full = full + interval
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
end
local left = math.floor((now + capacity - full) / interval + 0.001)
return {taken, left, math.max(0, math.ceil(full + interval - capacity - now)), math.ceil(full - now)}
