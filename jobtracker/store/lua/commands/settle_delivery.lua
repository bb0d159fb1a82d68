-- settle_delivery: note what became of an attempt to send a delivery.
--
-- KEYS[1]  the endpoints
-- ARGV     prefix, endpoint, lane, id, when the claim was to end (ms), the delivery as it is now (JSON), now (ms), what became of
--          it: delivered, given_up, or when it is sent again (ms)
-- Returns  {'stale'}: another process has claimed it since, or it is gone; else {'applied', since when the endpoint fails (ms;
--          '': it does not)}
--- @include lib/deliveries
local endpoint, lane, id, verdict, now = ARGV[2], ARGV[3], ARGV[4], ARGV[8], ARGV[7]
local due, state = redis.call('ZSCORE', key('webhook_due', endpoint), lane), key('webhook_state', endpoint)
if not due or tonumber(due) ~= tonumber(ARGV[5]) or first_of_lane(endpoint, lane) ~= id then return { 'stale' } end
redis.call('HSET', key('webhook_deliveries', endpoint), id, ARGV[6])
if verdict == 'delivered' then
  redis.call('HDEL', state, 'failing_since')
  redis.call('HSET', state, 'delivered_at', now)
else
  redis.call('HSETNX', state, 'failing_since', now)
end
if verdict == 'delivered' or verdict == 'given_up' then
  leave_lane(endpoint, lane, now)
  add_to_log(endpoint, id, now)
else
  redis.call('ZADD', key('webhook_due', endpoint), verdict, lane)
end
return { 'applied', redis.call('HGET', state, 'failing_since') or '' }
