-- queue_series: which queues jobs were sent to, and what happened at each of them in five minutes (queue_series.py).
--- @include lib/keys
--- @include lib/metrics
--- @include lib/record

-- The queue to which a run's message goes is known from then on, even if it is named nowhere else. Its time is written
-- once a minute: to look at it costs less.
local QUEUE_KNOWN_MS = 60000
local LONGEST_QUEUE = 255 -- bytes, as AMQP has it

-- '' stands for those whose names are not kept; nil: the job goes to none, or to one that it does not name.
local function queue_of(rec)
  local queue = rec.actual_queue or rec.queue
  if not queue or queue == '' or rec.run == 0 then return nil end
  return #queue <= LONGEST_QUEUE and queue or ''
end

-- Returns the name under which it is known.
local function remember_queue(queue, now)
  local known = redis.call('ZSCORE', key('queues'), queue)
  if known and now - known < QUEUE_KNOWN_MS then return queue end
  if not known and queue ~= '' and redis.call('ZCARD', key('queues')) >= MOST_QUEUES then queue = '' end
  redis.call('ZADD', key('queues'), 'GT', now, queue)
  return queue
end

-- A message will be sent there, or one was that is counted already.
local function expect_at_queue(rec, now)
  local queue = queue_of(rec)
  if queue then remember_queue(queue, now) end
end

-- Something is counted for the first time in five minutes. Whether the queue is known is looked at only here: that costs
-- nothing for each job. Returns false where its name is not kept.
local function keep_series(series, queue, at)
  if remember_queue(queue, at) ~= queue then
    redis.call('DEL', series)
    return false
  end
  redis.call('EXPIRE', series, QUEUE_KEEP_S, 'NX')
  return true
end

local function series_of(name, at, queue) return key(name, text_of(math.floor(at / QUEUE_SLOT_MS)), queue) end

-- A number is a key of its own: of all commands INCR costs least.
local function count_at(name, queue, at, n)
  local series = series_of(name, at, queue)
  local count = n == 1 and redis.call('INCR', series) or redis.call('INCRBY', series, n)
  if count == n and not keep_series(series, queue, at) then count_at(name, '', at, n) end
end

local function count_wait_at(queue, at, place)
  local series = series_of('at_queue', at, queue)
  local found = redis.call('BITFIELD', series, 'INCRBY', 'u32', AT_QUEUE.started, '1', 'INCRBY', 'u32', place, '1')
  if found[1] == 1 and not keep_series(series, queue, at) then count_wait_at('', at, place) end
end

-- So many messages were sent there for a run of the job each.
local function count_sent(rec, now, n)
  local queue = queue_of(rec)
  if queue then count_at('sent_to', queue, now, n or 1) end
end

-- A worker has begun with a message that waited since then (ms).
local function count_wait(rec, now, since)
  local queue = queue_of(rec)
  if queue then count_wait_at(queue, now, text_of(32 * bucket_of(now - since) + AT_QUEUE.waits)) end
end

-- A job has ended that had begun.
local function count_end(rec, at)
  local queue = queue_of(rec)
  if queue then count_at('ended_at', queue, at, 1) end
end
