-- transition.lua: apply one event to one job.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, event, now (ms), run, attempt (each '' where the reporter does not know it), the lease that must
--          still hold the job ('' for any; NOBODY: none may), the execution that reports (its id, the incarnation of its
--          worker where the id is not known, or ''), when its message was sent, as that says (ms; 'new': it does not say,
--          and was not delivered before; '?': nobody knows; '': the run is known from the record, not from a task id), n,
--          n field/value pairs for the record, field/value pairs for the data
-- A job that has settled is held by no worker, though its record names one.
-- A start that runs though it is stale (of a message of Celery code's that nobody has called off) is answered as of its
-- own run, and running. A start that was told before is a duplicate. What an execution reports that does not count is
-- noted, once.
-- Returns  'outcome, status before, status after, run, attempt, how often its worker or process was lost with it, 1 if a
--          cancel was asked for, 1 if its parent does not know yet that a sub-job runs, 1 if it runs and others wait for
--          its end, 1 if its run bears the job's own id though it is not the first', with spaces in between: a client reads
--          one text several times faster; where it has a parent or a next in its chain {that, parent or '', next or ''}
-- The pairs are written only where the event was applied as it came. Among those of the data, arguments take the place
-- of what is stored of them and add nothing; and not where the same ones are masked already (the record's "masked").
local ARGUMENTS = { payload = true, args = true, arguments_repr = true }
local id, event, now = ARGV[2], ARGV[3], tonumber(ARGV[4])
local run, attempt, lease, n = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[10])
local sent = tonumber(ARGV[9])

local rec = load(id)
if not rec then return missing(id) .. ' - - 0 0 0 0 0 0 0' end
local before, masked, outcome, applied = rec.status, rec.masked, 'stale', event
for i = 11, 10 + 2 * n, 2 do
  if ARGV[i] == 'masked' and ARGV[i + 1] == masked then masked = true end
end
local execution, pairs_given = execution_of(rec, ARGV[8]), { unpack(ARGV, 11, 10 + 2 * n) }

-- A message under the job's own id. One that the record does not know of, or does not count as this run's, begins a new run
-- where the job has settled; where it waits, it is this run's, and the other one is still to come; where it runs, both do.
local reported_run, is_late_message = run, false
if event == 'start' and run == 1 and ARGV[9] ~= '' and not (execution and is_told(rec, execution)) then
  local may_be_repeated = is_sent_by_job(rec) and not (sent and is_also_sent(rec, sent))
  local is_another_one = not may_be_repeated and sent and is_another(rec, sent) or false
  local is_unknown = not may_be_repeated and ARGV[9] == 'new' and attempt == 0 and is_plain(rec) and rec.execution and not rec.presumed
    and now > (rec.finished or 0)
  if is_another_one then forget_sent(rec, sent) end
  if SETTLED[rec.status] and (is_another_one or is_unknown) then
    apply(rec, 'send_again', now, nil, nil, { 'queued', sent or now })
    redis.call('HDEL', key('data', id), 'payload', 'args', 'arguments_repr') -- of the run before
  elseif is_another_one and is_plain(rec) and not rec.execution then
    note_sent(rec, rec.queued)
    rec.queued = sent
  end
  -- Celery alone would run it: no other run of ours has taken its place.
  is_late_message = is_another_one or rec.reused == rec.run and sent ~= 0
end
run = run_of(rec, run, sent, ARGV[9] ~= '')
if event == 'start' and execution and is_told(rec, execution) then
  outcome = 'duplicate'
elseif event == 'start' and execution and is_overtaken_by_cancel(rec, now, run) then
  outcome = 'stale' -- it was told late: its task runs
elseif lease == '' or lease == NOBODY and not rec.lease or lease == rec.lease and not SETTLED[rec.status] then
  outcome, applied = apply(rec, event, now, run, attempt, pairs_given, execution)
end
if event == 'start' and outcome == 'applied' and rec.subs > 0 and sent and sent > now then note_sent(rec, sent) end
if outcome == 'applied' and applied == event then
  for i = 11 + 2 * n, #ARGV, 2 do
    local name, bulk = ARGV[i], key('data', id)
    if not ARGUMENTS[name] or (masked ~= true and redis.call('HEXISTS', bulk, name) == 1) then
      redis.call('HSET', bulk, name, ARGV[i + 1])
    end
  end
end
if event == 'start' and (outcome == 'stale' or outcome == 'refused') then
  is_late_message = is_late_message and outcome == 'stale' and run < rec.run
  local is_of_another_run = run and (run < rec.run or run > 0 and run <= rec.void)
  local runs_all_the_same = is_late_message or is_overtaken_by_cancel(rec, now, run)
  if outcome == 'refused' or (is_of_another_run or rec.status == 'cancelled') and not runs_all_the_same then
    -- as on_prerun in hooks.py
    pairs_given[#pairs_given + 1], pairs_given[#pairs_given + 2] = 'refused', true
  elseif execution then
    begin_in_vain(rec, execution, now, given(pairs_given, 'worker') or '')
  end
  note(rec, event, now, run, attempt, pairs_given)
elseif outcome == 'stale' and event == 'retry' and run == rec.run and execution and is_overtaken_by_next(rec, execution) then
  note(rec, event, now, run, attempt, pairs_given, false) -- the next attempt has begun before this was reported
elseif outcome ~= 'applied' and execution then
  local worker = end_in_vain(rec, event, outcome, execution, now)
  if worker then
    local told = { 'worker', worker, 'began', tonumber(execution:match('^%d+')) }
    local result = given({ unpack(ARGV, 11 + 2 * n) }, 'result')
    if result then
      local counted = redis.call('HGET', key('data', id), 'result')
      told[5], told[6] = 'result', result:sub(1, 200):gsub('[\128-\255]*$', '')
      told[7], told[8] = 'same', counted == result
    end
    told[#told + 1], told[#told + 2] = 'reason', given(pairs_given, 'reason')
    note(rec, event, now, run, attempt, told)
  end
end
save(rec)
local begins = (event == 'start' or event == 'sub_start') and rec.status == 'running' and rec.run > 0
local above = fields_in(begins and rec.parent and redis.call('GET', key('job', rec.parent)))
local parent_waits = begins and rec.parent and (above[PLACE.status] or 'pending') == 'pending'
local shown_status, shown_run = rec.status, rec.run
if is_late_message and outcome == 'stale' then shown_status, shown_run = 'running', reported_run end
local states = outcome .. ' ' .. before .. ' ' .. shown_status .. ' ' .. shown_run .. ' ' .. rec.attempt .. ' '
  .. rec.losses .. (rec.cancel and ' 1' or ' 0') .. (parent_waits and ' 1' or ' 0')
  .. (begins and is_waited_for(rec, above) and ' 1' or ' 0') .. (rec.reused == rec.run and ' 1' or ' 0')
local answer = (rec.parent or rec.next) and { states, rec.parent or '', rec.next or '' } or states
return answer, outcome == 'applied' and rec, before, parent_waits -- all but the first for report.lua
