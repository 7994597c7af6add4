-- Writes down what became of a request.
-- KEYS  1 request {org}:gateway:request:<id>   2 bytes kept {org}:gateway:kept:<hour>
-- ARGV  1 who ran it  2 'answered', 'lost' where the answer is not kept, 'unknown', or 'free' for one that had no effect  3 status  4 type  5 answer
--       6 the most bytes that an answer may have  7 the most bytes that an organisation's may have in an hour
-- Returns 1 | 0 somebody else runs it by now.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
if ARGV[2] == 'free' then
  redis.call('DEL', KEYS[1])
elseif ARGV[2] ~= 'answered' then
  redis.call('HSET', KEYS[1], 'state', ARGV[2])
elseif #ARGV[5] > tonumber(ARGV[6]) or tonumber(redis.call('GET', KEYS[2]) or 0) + #ARGV[5] > tonumber(ARGV[7]) then
  redis.call('HSET', KEYS[1], 'state', 'lost')
else
  redis.call('HSET', KEYS[1], 'state', 'answered', 'status', ARGV[3], 'type', ARGV[4], 'answer', ARGV[5])
  redis.call('INCRBY', KEYS[2], #ARGV[5])
  redis.call('EXPIRE', KEYS[2], 3600)
end
return 1
