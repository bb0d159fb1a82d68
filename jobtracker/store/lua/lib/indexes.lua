-- indexes: what leads to a job: its status, and what still has to happen to it.
--- @include lib/keys
--- @include lib/record
--- @include lib/totals

-- Of each status, priority and type there is an index of its own: its size is the counter.
local function kind_of(rec) return rec.priority .. ':' .. rec.type end
local function add_kind(rec) -- before the job is in an index
  if redis.call('SADD', key('kinds'), kind_of(rec)) == 1 then totals.set_named(rec.type, true) end
end
local function add_to_index(rec, now) redis.call('ZADD', key('entered', rec.status, kind_of(rec)), now, rec.id) end
local function remove_from_index(rec) redis.call('ZREM', key('entered', rec.status, kind_of(rec)), rec.id) end
local function move_in_index(rec, to, now)
  local kind = kind_of(rec)
  redis.call('ZREM', key('entered', rec.status, kind), rec.id)
  redis.call('ZADD', key('entered', to, kind), now, rec.id)
end

-- The run that the record says is about to be published: the outbox relay watches it until its publisher confirms it.
local function await_confirmation(rec, now) redis.call('ZADD', key('unconfirmed'), now, task_id(rec)) end
local function drop_confirmation(rec) redis.call('ZREM', key('unconfirmed'), task_id(rec)) end

-- What has become of it concerns others: the notifier watches it until they have been notified.
local function await_notification(id, now) redis.call('ZADD', key('unnotified'), now, id) end
local function drop_notification(id) redis.call('ZREM', key('unnotified'), id) end

-- It has settled while Celery's result backend did not answer: the rescuer asks again, for the last ones.
local UNANSWERED = 10000
local function await_backend(id, now)
  redis.call('ZADD', key('unanswered'), now, id)
  redis.call('ZREMRANGEBYRANK', key('unanswered'), 0, -UNANSWERED - 1)
end
