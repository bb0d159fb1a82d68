-- deliveries: what is to be sent to endpoints of webhooks. What concerns one job goes to an endpoint in order: it is in one lane,
-- and of a lane only the first delivery is sent.
--
-- Of each endpoint there are
--   webhook_deliveries  hash  id -> the delivery, JSON
--   webhook_pending     zset  ids that are still to be sent, by when they were made (ms)
--   webhook_log         zset  ids that were sent or given up, by when (ms); the last MOST_LOGGED
--   webhook_lanes       hash  lane -> its pending ids, in order, separated by spaces
--   webhook_due         zset  lanes, by when (ms) their first delivery is sent next
--   webhook_claims      hash  lane -> when the claim ends (ms) of the process that sends its first delivery now
--   webhook_state       hash  failing_since (ms), failed_at (ms): the last time, delivered_at (ms), dropped: how many found too
--                             many pending ones
--- @include lib/keys

local MOST_LOGGED, MOST_PENDING_DELIVERIES = 1000, 5000
local FORGIVEN_MS = 86400000 -- a delivery is tried more often than that

local function add_to_lane(endpoint, lane, id, due)
  local ids = redis.call('HGET', key('webhook_lanes', endpoint), lane)
  redis.call('HSET', key('webhook_lanes', endpoint), lane, ids and ids .. ' ' .. id or id)
  if not ids then redis.call('ZADD', key('webhook_due', endpoint), due, lane) end
end

local function first_of_lane(endpoint, lane)
  local ids = redis.call('HGET', key('webhook_lanes', endpoint), lane)
  return ids and ids:match('^%S+'), ids
end

-- An endpoint took nothing. What it failed before counts only where something was tried since, all the time.
local function note_failure(state, now)
  local failed_at = tonumber(redis.call('HGET', state, 'failed_at') or 0)
  if now - failed_at > FORGIVEN_MS then redis.call('HDEL', state, 'failing_since') end
  redis.call('HSETNX', state, 'failing_since', now)
  redis.call('HSET', state, 'failed_at', now)
end

-- The first of a lane is done with: the next one is due.
local function leave_lane(endpoint, lane, now)
  local _, ids = first_of_lane(endpoint, lane)
  local rest = ids and ids:match('^%S+ (.+)$')
  if rest then
    redis.call('HSET', key('webhook_lanes', endpoint), lane, rest)
    redis.call('ZADD', key('webhook_due', endpoint), now, lane)
  else
    redis.call('HDEL', key('webhook_lanes', endpoint), lane)
    redis.call('ZREM', key('webhook_due', endpoint), lane)
  end
end

local function add_to_log(endpoint, id, now)
  redis.call('ZREM', key('webhook_pending', endpoint), id)
  redis.call('ZADD', key('webhook_log', endpoint), now, id)
  local too_many = redis.call('ZCARD', key('webhook_log', endpoint)) - MOST_LOGGED
  local oldest = too_many > 0 and redis.call('ZRANGE', key('webhook_log', endpoint), 0, math.min(too_many, 20) - 1) or {}
  for i = 1, #oldest do
    redis.call('ZREM', key('webhook_log', endpoint), oldest[i])
    redis.call('HDEL', key('webhook_deliveries', endpoint), oldest[i])
  end
end
