-- redeliver: send a delivery once more: one that was sent or given up anew, a pending one now.
--
-- KEYS[1]  the endpoints
-- ARGV     prefix, endpoint, id, lane, the delivery as it was read (JSON), the delivery as it is to be (JSON), now (ms)
-- Outcomes applied; under_way: a process sends it now, so nothing is changed; changed: it is not as it was read, or gone
--- @include lib/deliveries
local endpoint, id, lane, now = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[7])
if redis.call('HGET', key('webhook_deliveries', endpoint), id) ~= ARGV[5] then return 'changed' end
local is_pending, is_first = redis.call('ZSCORE', key('webhook_pending', endpoint), id), first_of_lane(endpoint, lane) == id
local claimed_until = is_first and redis.call('HGET', key('webhook_claims', endpoint), lane)
if claimed_until and tonumber(claimed_until) > now then return 'under_way' end
redis.call('HSET', key('webhook_deliveries', endpoint), id, ARGV[6])
if is_pending then
  if is_first then redis.call('ZADD', key('webhook_due', endpoint), now, lane) end
  return 'applied'
end
redis.call('ZREM', key('webhook_log', endpoint), id)
redis.call('ZADD', key('webhook_pending', endpoint), now, id)
add_to_lane(endpoint, lane, id, now)
return 'applied'
