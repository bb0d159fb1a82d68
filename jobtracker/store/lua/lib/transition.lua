-- transition: the whole of applying one report to one job: what becomes of its executions, its messages and its record.
--- @include lib/executions
--- @include lib/own_ids
--- @include lib/record
--- @include lib/state_machine

-- A start of a message under the job's own id. One that the record does not know of, or does not count as this run's, begins a
-- new run where the job has settled; where it waits, it is this run's, and the other one is still to come; where it runs, both
-- do. Returns whether Celery alone would run it: no other run of ours has taken its place.
local function meet_own_message(rec, report)
  local sent = report.sent
  local may_be_repeated = is_sent_by_job(rec) and not (sent and is_also_sent(rec, sent))
  local is_another_one = not may_be_repeated and sent and is_another_message(rec, sent) or false
  local is_unknown = not may_be_repeated and report.sent_text == 'new' and report.attempt == 0 and has_own_id(rec)
    and rec.execution and not rec.inferred and report.at > (rec.finished or 0)
  if is_another_one then forget_sent(rec, sent) end
  if SETTLED[rec.status] and (is_another_one or is_unknown) then
    apply_event(rec, { event = 'send_again', at = report.at, fields = { queued = sent or report.at } })
    if rec.large then remove_values(rec.id, { 'payload', 'args' }) end
    redis.call('HDEL', key('data', rec.id), 'payload', 'args', 'arguments_repr') -- of the run before
  elseif is_another_one and has_own_id(rec) and not rec.execution then
    note_sent(rec, rec.queued)
    rec.queued = sent
  end
  return is_another_one or rec.reused == rec.run and sent ~= 0
end

-- Arguments take the place of what is stored of them; not where the same ones are masked already.
local ARGUMENTS = { payload = true, args = true, arguments_repr = true }
local function is_stored(rec, name)
  local bulk = key('data', rec.id)
  return redis.call('HEXISTS', bulk, name) == 1
    or rec.large and OBJECT_FIELD[name] and redis.call('HEXISTS', bulk, OBJECT_FIELD[name]) == 1
end
local function write_data(rec, data, is_masked)
  for name, value in pairs(data) do
    if not ARGUMENTS[name] or (not is_masked and is_stored(rec, name)) then
      if rec.large and VALUE_OF[name] then remove_values(rec.id, { VALUE_OF[name] }, value) end
      redis.call('HSET', key('data', rec.id), name, value)
    end
  end
end

-- A start that does not count: its task runs all the same, or was not begun. Returns whether it runs as a message of its own.
local function note_uncounted_start(rec, report, outcome, is_late_message)
  local run, execution = report.run, report.execution
  local is_late = is_late_message and outcome == 'stale' and run < rec.run
  local is_of_another_run = run and (run < rec.run or run > 0 and run <= rec.voided_run)
  local runs_all_the_same = is_late or is_overtaken_by_cancel(rec, report.at, run)
  if outcome == 'refused' or (is_of_another_run or rec.status == 'cancelled') and not runs_all_the_same then
    report.fields.refused = true -- as the task's process has it
  elseif execution then
    begin_uncounted(rec, execution, report.at, report.fields.worker or '')
  end
  append_history(rec, report)
  return is_late
end

-- An end that does not count goes into the history once.
local function note_uncounted_end(rec, report, outcome)
  local execution, data = report.execution, report.data
  local worker = end_uncounted(rec, report.event, outcome, execution, report.at)
  if not worker then return end
  local said = { worker = worker, began = began_ms(execution), reason = report.fields.reason }
  if data.result then
    said.result = data.result:sub(1, 200):gsub('[\128-\255]*$', '')
    said.same = redis.call('HGET', key('data', rec.id), 'result') == data.result
  end
  if data.result_object then
    local counted = redis.call('HGET', key('data', rec.id), 'result_object')
    said.same = counted and cjson.decode(counted).sha256 == cjson.decode(data.result_object).sha256 or false
  end
  append_history(rec, { event = report.event, at = report.at, run = report.run, attempt = report.attempt, fields = said })
end

-- Whether others wait for the end of a job that runs; `above` is its parent's record, by places. A parent is what somebody
-- has asked for. Of a sub-job Celery's chord calls the parent's task, or who tells the parent that none is open any more:
-- that may be any of those that run at the same time as the last one.
local AT_THE_SAME_TIME = 20
local function is_waited_for(rec, above)
  if rec.subs > 0 or not rec.parent then return rec.subs > 0 end
  local ended = (above[PLACE.subs_completed] or 0) + (above[PLACE.subs_failed] or 0) + (above[PLACE.subs_cancelled] or 0)
  return above[PLACE.callback_mode] ~= 'own' or (above[PLACE.subs] or 0) - ended <= AT_THE_SAME_TIME
end

-- `packed` is that of commands/transition.lua. Returns its answer; then the record if the event was applied, the status before,
-- whether the parent does not know yet that a sub-job runs, and when it happened. A report (history says what it has) has here
-- also fields of the data, and when the job's message was sent: as it was given, and in ms.
local function transition(packed)
  local id, event, now, run_given, attempt, lease, by, sent_text, fields, data = cmsgpack.unpack(packed)
  local sent = tonumber(sent_text)
  local rec = load_record(id)
  if not rec then
    local missing = missing_outcome(id)
    if missing == 'deleted' then discard_unwritten(id, data) end -- else it is recorded, and reported again
    return missing .. ' - - 0 0 0 0 0 0 0 0'
  end
  local report = { event = event, at = now, run = run_given, attempt = attempt, execution = reporting_execution(rec, by),
    fields = fields, data = data, sent = sent, sent_text = sent_text }
  local is_start, before, outcome, applied = event == 'start', rec.status, 'stale', event
  local is_late_message, by_task_id, execution, masked = false, sent_text ~= '', report.execution, rec.masked
  local is_masked = masked and fields.masked == masked
  if is_start and run_given == 1 and by_task_id and not (execution and is_start_known(rec, execution)) then
    is_late_message = meet_own_message(rec, report)
  end
  local run = resolve_run(rec, run_given, sent, by_task_id)
  report.run = run
  if is_start and execution and is_start_known(rec, execution) then
    outcome = 'duplicate'
  elseif is_start and execution and is_overtaken_by_cancel(rec, now, run) then
    outcome = 'stale' -- it was reported late: its task runs
  elseif lease == '' or lease == NOBODY and not rec.lease or lease == rec.lease and not SETTLED[rec.status] then
    outcome, applied = apply_event(rec, report)
    if outcome == 'applied' and applied == event then write_data(rec, data, is_masked) end
  end
  if is_start and outcome == 'applied' and rec.subs > 0 and sent and sent > now then note_sent(rec, sent) end
  if is_start and (outcome == 'stale' or outcome == 'refused') then
    is_late_message = note_uncounted_start(rec, report, outcome, is_late_message)
  elseif is_start and applied == 'cancelled' then -- its cancel was asked for: the worker refuses the task
    fields.refused = true
    append_history(rec, report)
  elseif outcome == 'stale' and event == 'retry' and run == rec.run and execution and is_overtaken_by_next(rec, execution) then
    append_history(rec, report, false) -- the next attempt has begun before this was reported
  elseif outcome ~= 'applied' and execution then
    note_uncounted_end(rec, report, outcome)
  end
  if outcome ~= 'applied' or applied ~= event then discard_unwritten(id, data) end
  save_record(rec)
  local begins = (is_start or event == 'sub_start') and rec.status == 'running' and rec.run > 0
  local above = fields_in(begins and rec.parent and redis.call('GET', key('job', rec.parent)))
  local parent_waits = begins and rec.parent and (above[PLACE.status] or 'pending') == 'pending'
  local shown_status, shown_run = rec.status, rec.run
  if is_late_message and outcome == 'stale' then shown_status, shown_run = 'running', run_given end
  local states = outcome .. ' ' .. before .. ' ' .. shown_status .. ' ' .. text_of(shown_run) .. ' ' .. text_of(rec.attempt)
    .. ' ' .. text_of(rec.losses) .. (rec.cancel and ' 1' or ' 0') .. (parent_waits and ' 1' or ' 0')
    .. (begins and is_waited_for(rec, above) and ' 1' or ' 0') .. (rec.reused == rec.run and ' 1' or ' 0')
    .. (begins and rec.next and redis.call('EXISTS', key('job', rec.next)) == 1 and ' 1' or ' 0')
  local answer = (rec.parent or rec.next) and { states, rec.parent or '', rec.next or '' } or states
  return answer, outcome == 'applied' and rec, before, parent_waits, now
end
