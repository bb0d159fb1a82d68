-- claim_deliveries: take deliveries that are due, for a process that is about to send them. If it says nothing more of one, that
-- is due again when the claim ends.
--
-- KEYS[1]  the endpoints
-- ARGV     prefix, endpoint, now (ms), when the claim ends (ms), the most
-- Returns  lane, id and delivery of each, in one list
--- @include lib/deliveries
local endpoint, found = ARGV[2], {}
local lanes = redis.call('ZRANGE', key('webhook_due', endpoint), '-inf', ARGV[3], 'BYSCORE', 'LIMIT', 0, ARGV[5])
for i = 1, #lanes do
  local id = first_of_lane(endpoint, lanes[i])
  local delivery = id and redis.call('HGET', key('webhook_deliveries', endpoint), id)
  if delivery then
    redis.call('ZADD', key('webhook_due', endpoint), ARGV[4], lanes[i])
    redis.call('HSET', key('webhook_claims', endpoint), lanes[i], ARGV[4])
    found[#found + 1], found[#found + 2], found[#found + 3] = lanes[i], id, delivery
  else
    leave_lane(endpoint, lanes[i], ARGV[3])
  end
end
return found
