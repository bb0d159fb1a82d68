-- record.lua: the record of a job, its indexes, and what an event makes of them. The loader puts it in front of the verbs.

-- It is one string, MessagePack of a map from the places of its fields (PLACE: their order in keys.RECORD_FIELDS) to
-- their values: a third of the bytes of a hash with the same fields less, and for a list the server reads it in a tenth of
-- the time. A place that this release does not know stays as it is, under its number.
local NUMBER = { run = true, attempt = true, subs = true, deliveries = true, losses = true, void = true,
  relaunched = true, left = true, subs_completed = true, subs_failed = true, subs_cancelled = true, created = true,
  queued = true, started = true, began = true, finished = true, entered = true, eta = true, expires = true,
  cancel = true, reused = true }

local function set_field(rec, name, value) rec[name] = NUMBER[name] and tonumber(value) or value end

-- What of a record is not kept, for it says nothing: numbers that are 0 (but the run), a normal priority, a name and a
-- task that are the same as the type; of a settled job when it finished, for that is when it came to its status, and the
-- lease that its execution names.
local UNSET = { __index = { run = 0, attempt = 0, subs = 0, deliveries = 0, losses = 0, void = 0, relaunched = 0,
  left = 0, subs_completed = 0, subs_failed = 0, subs_cancelled = 0, priority = NORMAL } }

local function new_record(id)
  local rec = { id = id, run = nil, status = nil, type = nil, created = nil, entered = nil, queued = nil, queue = nil,
    started = nil, finished = nil, worker = nil, lease = nil, execution = nil, executing = nil, deliveries = nil,
    origin = nil, packed = nil } -- so many that it has room for the others, and need not grow
  return setmetatable(rec, UNSET)
end

local function unpacked(id, packed)
  local rec = new_record(id)
  for place, value in pairs(cmsgpack.unpack(packed)) do rec[NAME[place] or place] = value end
  rec.packed = packed
  if SETTLED[rec.status] then
    rec.finished = rec.finished or rec.entered
    rec.lease = rec.lease or rec.execution and worker_of(rec.execution)
  end
  return rec.status and rec or nil
end

-- The record of a job, or nil where there is none. What is changed of it is kept by `save`.
local function load(id)
  local packed = redis.call('GET', key('job', id))
  return packed and unpacked(id, packed)
end

local function packed_of(rec)
  local fields, as_type = {}, rec.type
  for name, value in pairs(rec) do
    local place = PLACE[name] or tonumber(name)
    if place and value ~= 0 then fields[place] = value end
  end
  fields[PLACE.run] = rec.run
  if rec.priority == NORMAL then fields[PLACE.priority] = nil end
  if rec.name == as_type then fields[PLACE.name] = nil end
  if rec.task == as_type then fields[PLACE.task] = nil end
  if SETTLED[rec.status] then
    if rec.finished == rec.entered then fields[PLACE.finished] = nil end
    if rec.execution and rec.lease == worker_of(rec.execution) then fields[PLACE.lease] = nil end
  end
  return cmsgpack.pack(fields)
end

local function save(rec)
  local packed = packed_of(rec)
  if packed == rec.packed then return end
  redis.call('SET', key('job', rec.id), packed)
  rec.packed = packed
end

-- What a record holds, by the places of its fields; nothing where there is none.
local function fields_in(packed) return packed and cmsgpack.unpack(packed) or {} end

local function missing(id)
  if redis.call('EXISTS', key('tombstone', id)) == 1 then return 'deleted' end
  return 'missing'
end

-- In the order of their bytes, as a sorted set has them; Lua's own < goes by the server's locale.
local function precedes(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Ranks count from the lowest score, ties by id. How many entries of a sorted set stand below (score, id)?
local function below(set, score, id)
  local first = redis.call('ZCOUNT', set, '-inf', '(' .. score)
  local last = first + redis.call('ZCOUNT', set, score, score)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if precedes(redis.call('ZRANGE', set, middle, middle)[1], id) then first = middle + 1 else last = middle end
  end
  return first
end

-- As task_id_of in models.py.
local function task_id(rec) return rec.run > 1 and rec.run ~= rec.reused and rec.id .. RUN_MARK .. rec.run or rec.id end

-- The queue to which a run's message goes is known from then on, even if it is named nowhere else. Its time is written
-- once a minute: to look at it costs less.
local QUEUE_KNOWN_MS = 60000
local LONGEST_QUEUE = 255 -- bytes, as AMQP has it
local function sent_to_queue(rec, now)
  local queue = rec.via or rec.queue
  if not queue or queue == '' or rec.run == 0 then return end
  if #queue > LONGEST_QUEUE then queue = '' end
  local known = redis.call('ZSCORE', key('queues'), queue)
  if known and now - known < QUEUE_KNOWN_MS then return end
  if not known and queue ~= '' and redis.call('ZCARD', key('queues')) >= MOST_QUEUES then queue = '' end
  redis.call('ZADD', key('queues'), 'GT', now, queue)
end

-- The run that the record says is about to be published: until its publisher says that it was, the reaper watches it.
local function dispatched(rec, now) redis.call('ZADD', key('unconfirmed'), now, task_id(rec)) end
local function not_dispatched(rec) redis.call('ZREM', key('unconfirmed'), task_id(rec)) end

-- What has become of it concerns others: until they have been told, the reaper watches it.
local function untold(id, now) redis.call('ZADD', key('untold'), now, id) end
local function all_told(id) redis.call('ZREM', key('untold'), id) end

-- It has settled while Celery's result backend did not answer: the reaper asks that again, of the last ones.
local UNANSWERED = 10000
local function unanswered(id, now)
  redis.call('ZADD', key('unanswered'), now, id)
  redis.call('ZREMRANGEBYRANK', key('unanswered'), 0, -UNANSWERED - 1)
end

-- Of each status, priority and type there is an index of its own: its size is the counter.
local function kind_of(rec) return rec.priority .. ':' .. rec.type end
local function introduce(rec) redis.call('SADD', key('kinds'), kind_of(rec)) end
local function index(rec, now) redis.call('ZADD', key('entered', rec.status, kind_of(rec)), now, rec.id) end
local function unindex(rec) redis.call('ZREM', key('entered', rec.status, kind_of(rec)), rec.id) end

-- The record of a job that is new.
local function first_record(id, fields, now)
  local rec = new_record(id)
  rec.status, rec.created, rec.entered = 'pending', now, now
  if SCHEMA > 1 then rec.schema = SCHEMA end
  for i = 1, #fields, 2 do set_field(rec, fields[i], fields[i + 1]) end
  return rec
end

local function given(pairs_given, name)
  for i = 1, #pairs_given, 2 do
    if pairs_given[i] == name then return pairs_given[i + 1] end
  end
end

-- Keeps what the record does not say, or is about to forget, of any but the simple course: a list of JSON objects with
-- event, at (ms), run, attempt, worker, reason, eta; `late`, where it changes nothing any more, of a start also that it was
-- `refused`, of an end when it had `began` (ms), how its `result` begins, and whether that is the `same` as what counted;
-- `was`, where a verdict is taken back or a run is followed by another, the fields of the record.
local NOTED = { retry = true, requeue = true, replace = true, unenqueue = true, rerun = true, relaunch = true,
  await = true, reopen = true, send_again = true }
local NEW_RUN = { rerun = true, relaunch = true, await = true, send_again = true }
local VERDICT = { 'status', 'queued', 'started', 'finished', 'worker', 'reason', 'cancel', 'presumed', 'subs' }
local OWN = { worker = true, reason = true, eta = true, refused = true, began = true, result = true, same = true }
local HISTORY = 100
local function note(rec, event, now, run, attempt, more, takes_back)
  local entry = { event = event, at = now, run = run or rec.run, attempt = attempt or rec.attempt }
  local was = {}
  for i = 1, #VERDICT do was[VERDICT[i]] = rec[VERDICT[i]] end
  entry.worker = was.worker
  for i = 1, #more, 2 do
    if OWN[more[i]] then entry[more[i]] = more[i + 1] end
  end
  if takes_back == nil then entry.late = true end
  if takes_back then
    entry.was = was
    was.run, was.attempt = rec.run, rec.attempt
  end
  redis.call('RPUSH', key('history', rec.id), cjson.encode(entry))
  redis.call('LTRIM', key('history', rec.id), -HISTORY, -1)
end

-- A start finds that another worker has begun the same attempt, and not ended it: that one is lost, or runs it at the
-- same time. Which of the two shows when its lease runs out, and by then the broker may have delivered it again and again.
-- Returns how many workers are known to be lost with it now, and those of whom it is not known, separated by spaces.
local function displace(rec, lease)
  local losses, unknown = rec.losses, {}
  local holders = (rec.displaced or '') .. ' ' .. (rec.lease or '')
  for holder in holders:gmatch('%S+') do
    if holder == lease or holder == LET_GO then -- it has it again, or has ended it in a way that nobody knows
    elseif redis.call('EXISTS', key('lease', holder)) == 0 then losses = losses + 1
    else unknown[#unknown + 1] = holder end
  end
  return losses, table.concat(unknown, ' ')
end

-- Enters into the record what an event sets and clears; `moved` where its status has changed, `more` are further
-- field/value pairs, among them `unanswered`, which is not kept in the record.
local OF_A_RUN = { 'started', 'began', 'finished', 'executing', 'eta', 'expires', 'worker', 'lease', 'cancel', 'presumed',
  'reason', 'done', 'total', 'note', 'body', 'halted', 'replaced', 'via', 'execution' } -- and what else was sent is kept
local SENDS = { enqueue = true, rerun = true, relaunch = true, retry = true, requeue = true, replace = true }
local function remember(rec, event, now, run, attempt, moved, more, execution)
  if moved then rec.entered = now end
  if rec.presumed and (EVIDENCE[event] or event == 'reopen') then
    rec.presumed, rec.finished = nil, nil
    if event ~= 'cancelled' or not rec.cancel then rec.reason = nil end
    redis.call('HDEL', key('data', rec.id), 'error')
    if event == 'progress' then rec.executing = '1' end
  end
  if event == 'start' and rec.executing and rec.run == run and rec.attempt == attempt then
    local losses, displaced = displace(rec, given(more, 'lease'))
    rec.losses, rec.displaced = math.max(losses, rec.losses), displaced ~= '' and displaced or nil
  elseif event == 'retry' or NEW_RUN[event] or SETTLED[rec.status] then
    rec.displaced = nil
  end
  if run and run > rec.run then rec.run, rec.attempt = run, attempt or 0 end
  if attempt and attempt > rec.attempt then rec.attempt = attempt end
  if event == 'start' then
    rec.started = rec.started or now
    rec.executing, rec.eta, rec.reason = '1', nil, nil
    if not execution or execution ~= rec.execution then rec.deliveries = rec.deliveries + 1 end
    rec.execution = execution or rec.execution
  elseif event == 'sub_start' then
    rec.started = rec.started or now
  elseif event == 'complete' then
    rec.reason = nil
  elseif event == 'retry' or event == 'requeue' or event == 'reopen' then
    rec.executing, rec.eta, rec.lease = nil, nil, nil
  elseif event == 'replace' then
    rec.executing, rec.eta, rec.lease, rec.execution = nil, nil, nil, nil
  elseif event == 'enqueue' then
    rec.run, rec.queued = rec.void + 1, now
    dispatched(rec, now)
  elseif event == 'unenqueue' then
    not_dispatched(rec)
    rec.void, rec.run, rec.queued = rec.run, 0, nil
  elseif NEW_RUN[event] then
    if rec.finished then
      rec.ledger = rec.ledger or '0 0 0'
      rec.ledger_before = rec.deliveries .. ' ' .. rec.ledger
      rec.losses, rec.relaunched = 0, 0
    elseif event == 'relaunch' then
      rec.relaunched = rec.relaunched + 1
    end
    for i = 1, #OF_A_RUN do rec[OF_A_RUN[i]] = nil end
    rec.run, rec.attempt, rec.queued = math.max(rec.run, rec.void) + 1, 0, now
    if event == 'await' or event == 'send_again' then
      rec.queued = nil
      if event == 'send_again' then rec.reused = rec.run end
      if rec.link == 'sent' and not rec.immutable then rec.link = 'outdated' end
    else
      dispatched(rec, now)
    end
    redis.call('HDEL', key('data', rec.id), 'result', 'error')
  end
  if event == 'cancel' then rec.cancel = rec.cancel or now end
  for i = 1, #more, 2 do set_field(rec, more[i], more[i + 1]) end
  if SETTLED[rec.status] then
    rec.finished, rec.executing, rec.eta = now, nil, nil
    if PRESUMPTION[event] then rec.presumed = given(more, 'presumed') or event end
    if rec.presumed and given(more, 'unanswered') then unanswered(rec.id, now) end
  end
  if SENDS[event] then sent_to_queue(rec, now) end
end

-- All sub-jobs have settled and the parent's own task does not run: nothing would notice a mere cancel mark.
local function idle_parent(rec)
  if rec.subs == 0 or rec.executing then return false end
  return rec.subs_completed + rec.subs_failed + rec.subs_cancelled >= rec.subs
end

-- Its verdict follows from its sub-jobs, not from a lost worker.
local function derived(rec) return rec.presumed == 'subs_failed' or rec.presumed == 'subs_cancelled' end

-- What follows for a parent from what it was told of its sub-jobs: an event that presumes; 'call', its own task is to be
-- called; or nil.
local function follows(rec)
  local open = rec.subs - rec.subs_completed - rec.subs_failed - rec.subs_cancelled
  local unhappy = rec.subs_failed + rec.subs_cancelled > 0
  if derived(rec) and (open > 0 or rec.presumed == 'subs_failed' and not unhappy) then return 'reopen' end
  if SETTLED[rec.status] or rec.executing or open > 0 then return nil end
  if rec.cancel then return 'subs_cancelled' end
  if unhappy and not (rec.policy == 'continue' and rec.run > 0) then return 'subs_failed' end
  if not unhappy and rec.body ~= 'own' and rec.body ~= 'anew' then return nil end -- Celery's chord calls it
  if rec.run == 0 or rec.body == 'called' then return nil end
  return 'call'
end

-- Whether others wait for the end of a job that runs; `above` is its parent's record, by places. A parent is what somebody
-- has asked for. Of a sub-job Celery's chord calls the parent's task, or who tells the parent that none is open any more:
-- that may be any of those that run at the same time as the last one.
local AT_THE_SAME_TIME = 20
local function is_waited_for(rec, above)
  if rec.subs > 0 or not rec.parent then return rec.subs > 0 end
  local ended = (above[PLACE.subs_completed] or 0) + (above[PLACE.subs_failed] or 0) + (above[PLACE.subs_cancelled] or 0)
  return above[PLACE.body] ~= 'own' or (above[PLACE.subs] or 0) - ended <= AT_THE_SAME_TIME
end

-- The pairs without a reason: who asked for a cancel has given it already.
local function without_reason(more)
  local kept = {}
  for i = 1, #more, 2 do
    if more[i] ~= 'reason' then kept[#kept + 1] = more[i]; kept[#kept + 1] = more[i + 1] end
  end
  return kept
end

-- Keeps the ledger, where an event is about to be applied. is_next: it is of a later attempt than the record's.
local GIVEN_UP = { requeue = true, lose = true, quarantine = true }
local function account(rec, event, now, is_next, corrected, execution)
  if event == 'progress' then execution = corrected and (execution or rec.execution) end
  if NEW_RUN[event] or GIVEN_UP[event] and rec.executing then
    if rec.execution then leave(rec, now) end
  elseif execution and event ~= 'start' then
    credit(rec, execution, now, is_next)
  elseif execution and execution == rec.execution then
    credit(rec, execution, now) -- its worker is not gone
  elseif execution and rec.execution then
    leave(rec, now, is_next)
    if not is_next then
      book(rec, 0, 1, 0, 0)
      begin_anew(rec, execution)
    end
  end
  if event == 'replace' and rec.execution then leave(rec, now, true) end -- it goes on as another
end

-- Celery code may send a job's own id again, whose messages bear when they were sent (0: by us, each run under an id of its
-- own). Those that the record knows of beside that of its run:
local MOST_SENT = 20
local function is_also_sent(rec, sent)
  return (' ' .. (rec.also_sent or '') .. ' '):find(' ' .. sent .. ' ', 1, true) and true or false
end

local function forget_sent(rec, sent)
  local others = {}
  for each in (rec.also_sent or ''):gmatch('%d+') do
    if tonumber(each) ~= sent then others[#others + 1] = each end
  end
  rec.also_sent = #others > 0 and table.concat(others, ' ') or nil
end

local function note_sent(rec, sent)
  forget_sent(rec, sent)
  local others = {}
  for each in (rec.also_sent or ''):gmatch('%d+') do others[#others + 1] = each end
  if #others == MOST_SENT then table.remove(others, 1) end
  others[#others + 1] = string.format('%d', sent)
  rec.also_sent = table.concat(others, ' ')
end

-- The run that a report means which goes by a task id. The job's own id is that of the first run, and of all that were sent
-- again; where nobody knows when its message was sent, it is the last of them.
local function run_of(rec, run, sent, by_task_id)
  if not by_task_id or run ~= 1 or rec.reused ~= rec.run then return run end
  if sent == 0 or sent and rec.queued and sent < rec.queued and not is_also_sent(rec, sent) then return 1 end
  return rec.run
end

-- Whether a run bears the job's own id.
local function is_plain(rec) return rec.run == 1 or rec.reused == rec.run end

-- Whether a message under the job's own id is another one than that of the run which the record tells of. A parent's comes
-- when its sub-jobs have ended, and is sent once before it begins. Celery's chord may send it after we did, as another run:
-- that call has been replaced. Where a clock is behind, it may have begun before it was sent: that was noted then.
local function is_another(rec, sent)
  if rec.replaced then return false end -- what has taken its task's place bears its id
  if rec.subs > 0 then
    local began = rec.execution and tonumber(rec.execution:match('^%d+'))
    return began ~= nil and is_plain(rec) and sent > began and not is_also_sent(rec, sent)
  end
  return sent > 0 and rec.queued ~= nil and sent ~= rec.queued and (sent > rec.queued or is_also_sent(rec, sent))
end

-- Whether another job sends this one: as the next of its chain, or in a chord. Where that job's task runs twice, so is this
-- one's message sent: that makes a double run, and no new one.
local function is_sent_by_job(rec) return rec.sent_by and (rec.parent or rec.link and rec.link ~= 'body') end

-- Whether a job was cancelled as one that does not run, and its task had begun, or ended, before: that was told late.
local function is_overtaken_by_cancel(rec, at, run)
  return rec.status == 'cancelled' and not rec.presumed and rec.cancel and rec.cancel == rec.finished and at < rec.cancel
    and rec.run > 0 and run == rec.run
end

-- Applies an event to a loaded record, which is to be saved then. run and attempt are nil where the reporter does not know
-- them; `more` are field/value pairs that are written if the event is applied as it came; execution is the one that
-- reports, or nil. Returns the outcome, and the event that was really applied.
local function apply(rec, event, now, run, attempt, more, execution)
  if run and run < rec.run then return 'stale', event end
  if run == rec.run and attempt and attempt < rec.attempt then return 'stale', event end
  local unsent = rec.run == 0 or event == 'unenqueue'
  if unsent and run and run > 0 and run <= rec.void then return 'stale', event end
  if event == 'enqueue' and rec.run > 0 then return 'illegal', event end
  local sends = event == 'enqueue' or NEW_RUN[event]
  if sends and redis.call('SISMEMBER', key('trash'), rec.id) == 1 then return 'deleted', event end
  if event == 'unenqueue' and (run ~= rec.run or run ~= rec.void + 1) then return 'stale', event end
  if event == 'reopen' and not derived(rec) then return 'illegal', event end
  if event == 'relaunch' and rec.run == 0 then return 'illegal', event end
  if event == 'await' and (rec.run == 0 or rec.status == 'pending' and rec.queued) then return 'illegal', event end
  if event == 'start' and rec.presumed == 'quarantine' then return 'refused', event end
  if (event == 'start' or event == 'relaunch') and rec.cancel then event, more, execution = 'cancelled', nil, nil end
  if event == 'cancelled' and rec.cancel and more then more = without_reason(more) end
  local is_overtaken = execution and rec.executing and execution ~= rec.execution
  if is_overtaken and GIVEN_UP[event] then return 'stale', event end -- another one runs
  local before = rec.status
  if event == 'cancelled' and rec.presumed and before == 'cancelled' then -- as was presumed
    rec.presumed = nil
    return 'duplicate', event
  end
  local from = before
  if rec.presumed and EVIDENCE[event] then from = 'running' end
  local is_late_end = (event == 'complete' or event == 'fail') and is_overtaken_by_cancel(rec, now, run)
  if is_late_end then from = 'running' end
  local to = MATRIX[event][from]
  if not MATRIX[event][to] then return to or 'illegal', event end -- not a status, so the outcome that says why not
  if event == 'cancel' and from == 'running' and (rec.run == 0 or idle_parent(rec)) then to = 'cancelled' end
  local corrected = is_late_end or rec.presumed and SETTLED[rec.status] and (EVIDENCE[event] or event == 'reopen')
  if corrected then
    chronicle(rec, rec.finished, -1)
    rec.taken_out = true
  end
  local again = event == 'start' and rec.started and rec.deliveries > 0
  if again or corrected or NOTED[event] or event == 'cancel' and not SETTLED[to] then
    note(rec, event, now, run, attempt, more or {}, corrected or NEW_RUN[event] or false)
  end
  account(rec, event, now, attempt and attempt > rec.attempt, corrected, execution)
  local moved = to ~= from or corrected or event == 'relaunch'
  if moved then
    unindex(rec)
    rec.status = to
    index(rec, now)
  end
  if is_late_end then
    rec.reason = nil
    rec.started = rec.started or execution and math.min(tonumber(execution:match('^%d+')), now) or nil
  end
  remember(rec, event, now, run, attempt, moved, more or {}, execution)
  if SETTLED[to] then chronicle(rec, now, 1) end
  local concerns = rec.parent and (SETTLED[to] or SETTLED[before]) or rec.next and SETTLED[to] and to ~= 'completed'
  if moved and concerns then untold(rec.id, now) end
  if moved and rec.parent and SETTLED[before] then rec.left = rec.left + 1 end
  return 'applied', event
end
