-- state_machine: what an event makes of a job.
--- @include lib/executions
--- @include lib/failures
--- @include lib/history
--- @include lib/indexes
--- @include lib/metrics
--- @include lib/objects
--- @include lib/own_ids
--- @include lib/queue_series
--- @include lib/record
--- @include lib/unique

-- A start finds that another worker has begun the same attempt, and not ended it: that one is lost, or runs it at the
-- same time. Which of the two shows when its lease runs out, and by then the broker may have delivered it again and again.
-- Returns how many workers are known to be lost with it now, and those of whom it is not known, separated by spaces.
local function displace(rec, lease)
  local losses, unknown = rec.losses, {}
  local holders = (rec.displaced or '') .. ' ' .. (rec.lease or '')
  for holder in holders:gmatch('%S+') do
    -- One that has it again, or has ended it in a way that nobody knows, is not lost.
    if holder ~= lease and holder ~= LET_GO then
      if redis.call('EXISTS', key('lease', holder)) == 0 then losses = losses + 1
      else unknown[#unknown + 1] = holder end
    end
  end
  return losses, table.concat(unknown, ' ')
end

-- Enters into the record what an event sets and clears; `moved` where its status has changed. Among the report's fields may be
-- `unanswered` and `failure_shape`, which are not kept in the record.
local SENDS = { enqueue = true, rerun = true, relaunch = true, retry = true, requeue = true, replace = true }
local function update_record(rec, report, moved)
  local event, now, run, attempt, execution = report.event, report.at, report.run, report.attempt, report.execution
  local fields = report.fields or NO_FIELDS
  if moved then rec.status_changed_at = now end
  if rec.inferred and (REPORTED[event] or event == 'reopen') then
    rec.inferred, rec.finished = nil, nil
    if event ~= 'cancelled' or not rec.cancel then rec.reason = nil end
    rec.error_type, rec.failure_group = nil, nil
    redis.call('HDEL', key('data', rec.id), 'error')
    if MIDWAY[event] then rec.executing = '1' end
  end
  if event == 'start' and rec.executing and rec.run == run and rec.attempt == attempt then
    local losses, displaced = displace(rec, fields.lease)
    rec.losses, rec.displaced = math.max(losses, rec.losses), displaced ~= '' and displaced or nil
  elseif event == 'retry' or NEW_RUN[event] or SETTLED[rec.status] then
    rec.displaced = nil
  end
  if run and run > rec.run then rec.run, rec.attempt = run, attempt or 0 end
  if attempt and attempt > rec.attempt then rec.attempt = attempt end
  if event == 'start' then
    if not rec.started and rec.queued and rec.eta and rec.eta > rec.queued then rec.due = rec.eta end
    rec.started = rec.started or now
    rec.executing, rec.eta, rec.reason, rec.release = '1', nil, nil, nil
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
    rec.run, rec.queued = rec.voided_run + 1, now
    await_confirmation(rec, now)
  elseif event == 'unenqueue' then
    drop_confirmation(rec)
    rec.voided_run, rec.run, rec.queued = rec.run, 0, nil
  elseif NEW_RUN[event] then
    if rec.finished then
      rec.ledger = rec.ledger or '0 0 0'
      rec.ledger_before = rec.deliveries .. ' ' .. rec.ledger
      rec.losses, rec.relaunched = 0, 0
    elseif event == 'relaunch' then
      rec.relaunched = rec.relaunched + 1
    end
    for i = 1, #OF_A_RUN do rec[PLACE[OF_A_RUN[i]]] = nil end
    rec.run, rec.attempt, rec.queued = math.max(rec.run, rec.voided_run) + 1, 0, now
    if event == 'await' or event == 'send_again' then
      rec.queued = nil
      if event == 'send_again' then rec.reused = rec.run end
      if rec.link == 'sent' and not rec.immutable then rec.link = 'outdated' end
    else
      await_confirmation(rec, now)
    end
    if rec.large then remove_values(rec.id, { 'result' }) end
    redis.call('HDEL', key('data', rec.id), 'result', 'error')
  end
  if event == 'cancel' then rec.cancel = rec.cancel or now end
  for name, value in pairs(fields) do set_field(rec, name, value) end
  if SETTLED[rec.status] then
    rec.finished, rec.executing, rec.eta = now, nil, nil
    if INFERENCE[event] then rec.inferred = fields.inferred or event end
    if rec.inferred and fields.unanswered then await_backend(rec.id, now) end
  end
  if SENDS[event] then
    count_sent(rec, now)
    if rec.expires then redis.call('ZADD', key('expiring'), rec.expires, rec.id) end
  end
end

-- All sub-jobs have settled and the parent's own task does not run: nothing would notice a mere cancel mark.
local function is_idle_parent(rec)
  if rec.subs == 0 or rec.executing then return false end
  return rec.subs_completed + rec.subs_failed + rec.subs_cancelled >= rec.subs
end

-- Its verdict follows from its sub-jobs, not from a lost worker.
local function follows_from_sub_jobs(rec) return rec.inferred == 'subs_failed' or rec.inferred == 'subs_cancelled' end

-- The fields without a reason: who asked for a cancel has given it already.
local function without_reason(fields)
  local kept = {}
  for name, value in pairs(fields) do
    if name ~= 'reason' then kept[name] = value end
  end
  return kept
end

-- Keeps the ledger, where an event is about to be applied. is_next: it is of a later attempt than the record's.
local GIVEN_UP = { requeue = true, lose = true, quarantine = true }
local function update_executions(rec, report, is_next, corrected)
  local event, now, execution = report.event, report.at, report.execution
  if MIDWAY[event] then execution = corrected and (execution or rec.execution) end
  if NEW_RUN[event] or GIVEN_UP[event] and rec.executing then
    if rec.execution then retire_execution(rec, now) end
  elseif execution and event ~= 'start' then
    credit_execution(rec, execution, now, is_next)
  elseif execution and execution == rec.execution then
    credit_execution(rec, execution, now) -- its worker is not gone
  elseif execution and rec.execution then
    retire_execution(rec, now, is_next)
    if not is_next then
      add_to_ledger(rec, 0, 1, 0, 0)
      restart_clock(rec, execution)
    end
  end
  if event == 'replace' and rec.execution then retire_execution(rec, now, true) end -- it goes on as another
end

-- The report that a job was called off, in the place of one that something else happened.
local function as_cancelled(report, fields, execution)
  return { event = 'cancelled', at = report.at, run = report.run, attempt = report.attempt, fields = fields,
    execution = execution }
end

-- Since when a message waits that a start is about to take (ms): since it was sent, for the first time or for the next
-- attempt, but not before it may run. Nil where that is not known, or no message was waited for.
local function waits_since(rec)
  if rec.status ~= 'pending' and rec.status ~= 'retrying' then return nil end
  local since = rec.started and rec.status_changed_at or rec.queued
  return since and math.max(since, rec.eta or 0)
end

-- Applies a report to a loaded record, which is to be saved then. Its fields are written if its event is applied as it came.
-- Returns the outcome, and the event that was really applied.
local function apply_event(rec, report)
  local event, now, run, attempt = report.event, report.at, report.run, report.attempt
  if run and run < rec.run then return 'stale', event end
  if run == rec.run and attempt and attempt < rec.attempt then return 'stale', event end
  local unsent = rec.run == 0 or event == 'unenqueue'
  if unsent and run and run > 0 and run <= rec.voided_run then return 'stale', event end
  if event == 'enqueue' and rec.run > 0 then return 'illegal', event end
  local sends = event == 'enqueue' or NEW_RUN[event]
  if sends and redis.call('SISMEMBER', key('trash'), rec.id) == 1 then return 'deleted', event end
  if event == 'unenqueue' and (run ~= rec.run or run ~= rec.voided_run + 1) then return 'stale', event end
  if event == 'reopen' and not follows_from_sub_jobs(rec) then return 'illegal', event end
  if event == 'rerun' and rec.unique and take_unique(rec.unique, 'pending', rec.id, true) then return 'illegal', event end
  if event == 'relaunch' and rec.run == 0 then return 'illegal', event end
  if event == 'await' and (rec.run == 0 or rec.status == 'pending' and rec.queued) then return 'illegal', event end
  if event == 'start' and rec.inferred == 'quarantine' then return 'refused', event end
  if rec.cancel then
    if event == 'start' or event == 'relaunch' then report, event = as_cancelled(report), 'cancelled'
    elseif event == 'cancelled' and report.fields then
      report = as_cancelled(report, without_reason(report.fields), report.execution)
    end
  end
  local execution = report.execution
  local is_overtaken = execution and rec.executing and execution ~= rec.execution
  if is_overtaken and GIVEN_UP[event] then return 'stale', event end -- another one runs
  local before = rec.status
  if event == 'cancelled' and rec.inferred and before == 'cancelled' then -- as was inferred
    rec.inferred = nil
    return 'duplicate', event
  end
  local from = before
  if rec.inferred and REPORTED[event] then from = 'running' end
  local is_late_end = (event == 'complete' or event == 'fail') and is_overtaken_by_cancel(rec, now, run)
  if is_late_end then from = 'running' end
  local to = MATRIX[event][from]
  if not MATRIX[event][to] then return to or 'illegal', event end -- not a status, so the outcome that says why not
  if event == 'cancel' and to == from and (rec.run == 0 or is_idle_parent(rec)) then to = 'cancelled' end
  local corrected = is_late_end or rec.inferred and SETTLED[rec.status] and (REPORTED[event] or event == 'reopen')
  if corrected then
    count_settled(rec, rec.finished, -1)
    rec.taken_out = true
  end
  local again = event == 'start' and rec.started and rec.deliveries > 0
  if again or corrected or NOTED[event] or event == 'cancel' and not SETTLED[to] then
    append_history(rec, report, corrected or NEW_RUN[event] or false)
  end
  update_executions(rec, report, attempt and attempt > rec.attempt, corrected)
  local since = event == 'start' and waits_since(rec)
  local moved = to ~= from or corrected or event == 'relaunch'
  if moved then
    if rec.failure_group then -- an older release leaves it on a job that goes on
      leave_group(rec, corrected and before == 'failed')
      rec.error_type, rec.failure_group = nil, nil
    end
    move_in_index(rec, to, now)
    rec.status = to
    if rec.unique then follow_unique(rec) end
  end
  if is_late_end then
    rec.reason = nil
    rec.started = rec.started or execution and math.min(began_ms(execution), now) or nil
  end
  update_record(rec, report, moved)
  if since then count_wait(rec, now, since) end
  if SETTLED[to] then
    count_settled(rec, now, 1)
    if rec.deliveries > 0 and not corrected then count_end(rec, now) end
  end
  if event == 'retry' then totals.count('retried', totals.label_of(rec.type), 1) end
  if to == 'failed' then totals.count_failure(rec) end
  if moved and to == 'failed' then enter_group(rec, event, (report.fields or NO_FIELDS).failure_shape) end
  local concerns = rec.parent and (SETTLED[to] or SETTLED[before]) or rec.next and SETTLED[to] and to ~= 'completed'
  if moved and concerns then await_notification(rec.id, now) end
  if moved and rec.parent and SETTLED[before] then rec.reopen_count = rec.reopen_count + 1 end
  return 'applied', event
end
