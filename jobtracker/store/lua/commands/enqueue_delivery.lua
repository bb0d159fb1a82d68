-- enqueue_delivery: note what is to be sent to an endpoint.
--
-- KEYS[1]  the endpoints
-- ARGV     prefix, endpoint, id, lane, the delivery (JSON), now (ms)
-- Outcomes applied; duplicate: it was noted before; missing: there is no such endpoint; dropped: too many are pending
--- @include lib/deliveries
local endpoint, id, lane, now = ARGV[2], ARGV[3], ARGV[4], ARGV[6]
if redis.call('HEXISTS', key('webhooks'), endpoint) == 0 then return 'missing' end
if redis.call('HEXISTS', key('webhook_deliveries', endpoint), id) == 1 then return 'duplicate' end
if redis.call('ZCARD', key('webhook_pending', endpoint)) >= MOST_PENDING_DELIVERIES then
  redis.call('HINCRBY', key('webhook_state', endpoint), 'dropped', 1)
  return 'dropped'
end
redis.call('HSET', key('webhook_deliveries', endpoint), id, ARGV[5])
redis.call('ZADD', key('webhook_pending', endpoint), now, id)
add_to_lane(endpoint, lane, id, now)
return 'applied'
