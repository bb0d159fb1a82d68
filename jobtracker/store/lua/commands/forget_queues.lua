-- forget_queues: forget names of queues to which nothing was sent lately.
--
-- KEYS[1]  the names
-- ARGV     prefix, sent to before (ms), the names
-- Returns  how many are forgotten
local before, forgotten = tonumber(ARGV[2]), 0
for i = 3, #ARGV do
  local sent = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if sent and tonumber(sent) < before then forgotten = forgotten + redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return forgotten
