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

-- Counts n more, and one wait in a bucket unless that is nil. Whether the queue is known is looked at where there was none
-- before: that costs nothing for each job.
local function count_at(queue, at, counter, n, bucket)
  local series = key('at_queue', math.floor(at / QUEUE_SLOT_MS), queue)
  local found
  if bucket then
    local place = 32 * (AT_QUEUE.waits + bucket)
    found = redis.call('BITFIELD', series, 'INCRBY', 'u32', 32 * counter, n, 'INCRBY', 'u32', place, 1)
  else
    found = redis.call('BITFIELD', series, 'INCRBY', 'u32', 32 * counter, n)
  end
  if found[1] ~= n then return end
  if remember_queue(queue, at) ~= queue then
    redis.call('DEL', series)
    return count_at('', at, counter, n, bucket)
  end
  redis.call('EXPIRE', series, QUEUE_KEEP_S, 'NX')
end

-- So many messages were sent there for a run of the job each.
local function count_sent(rec, now, n)
  local queue = queue_of(rec)
  if queue then count_at(queue, now, AT_QUEUE.sent, n or 1) end
end

-- A worker has begun with a message that waited since then (ms).
local function count_wait(rec, now, since)
  local queue = queue_of(rec)
  if queue then count_at(queue, now, AT_QUEUE.started, 1, bucket_of(now - since)) end
end

-- A job has ended that had begun.
local function count_end(rec, at)
  local queue = queue_of(rec)
  if queue then count_at(queue, at, AT_QUEUE.ended, 1) end
end
