-- settle_delivery: note what became of an attempt to send a delivery.
--
-- KEYS[1]  the endpoints
-- ARGV     prefix, endpoint, lane, id, when the claim was to end (ms), the delivery as it is now (JSON), now (ms), what became of
--          it: delivered, given_up, or when it is sent again (ms); why the endpoint is disabled ('': it is disabled, so
--          nothing was tried) where it has taken nothing for so long (ms; -1: whatever it did before)
-- Outcomes applied; disabled: and so was the endpoint; stale: another process has claimed it since, or it is gone
--- @include lib/deliveries
local endpoint, lane, id, verdict, now = ARGV[2], ARGV[3], ARGV[4], ARGV[8], tonumber(ARGV[7])
local due, state = redis.call('ZSCORE', key('webhook_due', endpoint), lane), key('webhook_state', endpoint)
if not due or tonumber(due) ~= tonumber(ARGV[5]) or first_of_lane(endpoint, lane) ~= id then return 'stale' end
redis.call('HSET', key('webhook_deliveries', endpoint), id, ARGV[6])
redis.call('HDEL', key('webhook_claims', endpoint), lane)
if verdict == 'delivered' then
  redis.call('HDEL', state, 'failing_since', 'failed_at')
  redis.call('HSET', state, 'delivered_at', now)
elseif ARGV[9] ~= '' then
  note_failure(state, now)
end
if verdict == 'delivered' or verdict == 'given_up' then
  leave_lane(endpoint, lane, now)
  add_to_log(endpoint, id, now)
else
  redis.call('ZADD', key('webhook_due', endpoint), verdict, lane)
end
if verdict == 'delivered' or ARGV[9] == '' then return 'applied' end
if now - tonumber(redis.call('HGET', state, 'failing_since')) <= tonumber(ARGV[10]) then return 'applied' end
local why = cjson.encode({ reason = ARGV[9], at_ms = now })
return redis.call('HSETNX', key('webhooks_disabled'), endpoint, why) == 1 and 'disabled' or 'applied'
