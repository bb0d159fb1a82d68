-- save_webhook: add an endpoint, or change it, unless somebody else has changed it since it was read.
--
-- KEYS[1]  the endpoints
-- ARGV     prefix, endpoint, its JSON as it was read ('': it is new), as it is to be, how many endpoints there may be, '1' if it
--          is wanted: that it was disabled is forgotten
-- How long it has failed is forgotten where it is enabled, or has another URL.
-- Outcomes applied; changed: it is another one, or gone; full: there are as many as there may be
--- @include lib/keys
local endpoint = ARGV[2]
if (redis.call('HGET', KEYS[1], endpoint) or '') ~= ARGV[3] then return 'changed' end
if ARGV[3] == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 'full' end
redis.call('HSET', KEYS[1], endpoint, ARGV[4])
local was_disabled = ARGV[6] == '1' and redis.call('HDEL', key('webhooks_disabled'), endpoint) == 1
local before, after = ARGV[3] ~= '' and cjson.decode(ARGV[3]) or {}, cjson.decode(ARGV[4])
if was_disabled or (after.enabled and not before.enabled) or before.url ~= after.url then
  redis.call('HDEL', key('webhook_state', endpoint), 'failing_since', 'failed_at')
end
return 'applied'
