-- executions: which executions of a job there were, which one counts, and what the others did in vain.
--
-- An execution's id is '<ms when it began>-<incarnation of its worker>-<something random>'. The record names the one that
-- began last or, of those that have reported, whose report counted. What is known of all others is kept under
-- "executions", one field each, '<standing> <worker>', with the standings
--   -       over, and not in vain: an attempt that was followed by the next, say
--   +       the same, and it said so after the next one had begun
--   ?<ms>   given up: another one began, its worker is gone, or the job had settled; in vain until then, as far as known
--   !<ms>   it has reported after all, at that time, and that changed nothing: a double run
-- One that was given up counts all the same where its report is the first final one of the current run.
--- @include lib/metrics
--- @include lib/record

local EXECUTIONS = 100

local FINAL = { complete = true, fail = true, cancelled = true }
local ENDS = { retry = true, requeue = true, replace = true, lose = true } -- of an execution, not of the job

local function duration_ms(execution, at) return math.max(at - began_ms(execution), 0) end

local function standing_of(rec, execution)
  local kept = redis.call('HGET', key('executions', rec.id), execution)
  if kept then return kept:match('^(%S+) (.*)$') end
end

local function keep_execution(rec, execution, now_standing, worker)
  local kept = key('executions', rec.id)
  redis.call('HSET', kept, execution, now_standing .. ' ' .. worker)
  if redis.call('HLEN', kept) > EXECUTIONS then
    local ids = redis.call('HKEYS', kept)
    table.sort(ids)
    redis.call('HDEL', kept, ids[1])
  end
end

-- Adds to a job's ledger, and to the time series where the job stands in them.
local function add_to_ledger(rec, deliveries, redeliveries, double_runs, wasted_ms)
  local r, d, w = unpack(rec.ledger and ledger_amounts(rec.ledger) or { 0, 0, 0 })
  rec.ledger = string.format('%d %d %d', r + redeliveries, d + double_runs, w + wasted_ms)
  rec.deliveries = rec.deliveries + deliveries
  if SETTLED[rec.status] and not rec.taken_out then
    local entry = new_counters()
    add_ledger(entry, { deliveries, redeliveries, double_runs, wasted_ms }, 1)
    write_counters(rec, rec.finished, entry)
  end
end

-- Keeps what the record says of an execution, before it names another one, or none, or says that this one is gone.
local function retire_execution(rec, now, is_over)
  local execution, worker = rec.execution, rec.worker or ''
  if rec.executing and not is_over then
    add_to_ledger(rec, 0, 0, 0, duration_ms(execution, now))
    keep_execution(rec, execution, '?' .. now, worker)
  elseif not standing_of(rec, execution) then
    keep_execution(rec, execution, '-', worker)
  end
end

-- An execution takes the place of another one: the time that a job runs is counted from there, but for a parent, whose
-- sub-jobs have been running. Its first start stays in the record, for how long it had waited.
local function restart_clock(rec, execution)
  if not rec.started or rec.subs > 0 then return end
  rec.began = began_ms(execution)
end

-- Lets the record name the execution whose report is about to be applied.
local function credit_execution(rec, execution, now, is_next)
  if execution == rec.execution and rec.executing then return end -- the simple course
  local was, worker = standing_of(rec, execution)
  if was then redis.call('HDEL', key('executions', rec.id), execution) end
  if was and was:find('^[?!]') then
    add_to_ledger(rec, 0, 0, was:sub(1, 1) == '!' and -1 or 0, -duration_ms(execution, tonumber(was:sub(2))))
  end
  if execution == rec.execution then return end
  if not was then add_to_ledger(rec, 1, (rec.execution and not is_next) and 1 or 0, 0, 0) end -- its start was not reported
  if rec.execution then
    retire_execution(rec, now, is_next)
    if not is_next then restart_clock(rec, execution) end
  end
  rec.execution, rec.lease, rec.worker = execution, incarnation_of(execution), worker or ''
end

-- Whether a start has been reported before; not where its worker was taken for lost since, which it is not, then.
local function is_start_known(rec, execution)
  if execution ~= rec.execution then return rec.deliveries > 0 and standing_of(rec, execution) end
  return rec.executing or not (rec.inferred or rec.status == 'pending')
end

-- Whether the next attempt has begun before an execution says that it will: true once.
local function is_overtaken_by_next(rec, execution)
  local was, worker = standing_of(rec, execution)
  if was ~= '-' then return false end
  keep_execution(rec, execution, '+', worker)
  return true
end

-- A start that changes nothing any more, of a task that runs all the same.
local function begin_uncounted(rec, execution, now, worker)
  keep_execution(rec, execution, '?' .. now, worker)
  add_to_ledger(rec, 1, rec.execution and 1 or 0, 0, duration_ms(execution, now))
end

-- An event that changes nothing: where it is the end of an execution, and was not told before, counts that as a double
-- run and returns its worker, '' where that is not known; else nil.
local function end_uncounted(rec, event, outcome, execution, now)
  local is_other = execution ~= rec.execution and (outcome == 'stale' or event == 'retry')
  if not (FINAL[event] or ENDS[event] and is_other) then return nil end
  local was, worker = standing_of(rec, execution)
  if was and was:sub(1, 1) ~= '?' or not was and execution == rec.execution then return nil end
  if was then
    add_to_ledger(rec, 0, 0, 1, duration_ms(execution, now) - duration_ms(execution, tonumber(was:sub(2))))
  else -- its start was not reported
    add_to_ledger(rec, 1, rec.execution and 1 or 0, 1, duration_ms(execution, now))
  end
  keep_execution(rec, execution, '!' .. now, worker or '')
  return worker or ''
end

-- The execution that a report means. Where a worker's main process reports on one of its children it knows no id, only
-- its own incarnation: then the one that runs there, or did last.
local function reporting_execution(rec, id_or_worker)
  if id_or_worker == '' or id_or_worker:find('-', 1, true) then return id_or_worker ~= '' and id_or_worker or nil end
  local here = rec.execution and incarnation_of(rec.execution) == id_or_worker and rec.execution
  if here and rec.executing then return here end
  local last = nil
  local kept = redis.call('HGETALL', key('executions', rec.id))
  for i = 1, #kept, 2 do
    local is_open = kept[i + 1]:sub(1, 1) == '?' and incarnation_of(kept[i]) == id_or_worker
    if is_open and not (last and kept[i] < last) then last = kept[i] end
  end
  return last or here or nil
end
