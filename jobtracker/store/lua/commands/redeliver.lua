-- redeliver: send a delivery once more: one that was sent or given up anew, a pending one now.
--
-- KEYS[1]  the endpoints
-- ARGV     prefix, endpoint, id, lane, the delivery as it was read (JSON), the delivery as it is to be (JSON), now (ms)
-- Outcomes applied; missing: it is gone, or has changed since it was read
--- @include lib/deliveries
local endpoint, id, lane, now = ARGV[2], ARGV[3], ARGV[4], ARGV[7]
if redis.call('HGET', key('webhook_deliveries', endpoint), id) ~= ARGV[5] then return 'missing' end
if redis.call('ZSCORE', key('webhook_pending', endpoint), id) then
  if first_of_lane(endpoint, lane) == id then redis.call('ZADD', key('webhook_due', endpoint), now, lane) end
  return 'applied'
end
redis.call('HSET', key('webhook_deliveries', endpoint), id, ARGV[6])
redis.call('ZREM', key('webhook_log', endpoint), id)
redis.call('ZADD', key('webhook_pending', endpoint), now, id)
add_to_lane(endpoint, lane, id, now)
return 'applied'
