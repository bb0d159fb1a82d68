-- history: what the record does not say of a job's course, or is about to forget.
--- @include lib/keys
--- @include lib/record

-- A report is a table: event, at (ms), run and attempt (nil where the reporter does not know them), fields (of the record, or
-- nil), execution (the one that reports, or nil).
local NO_FIELDS = {}

-- Keeps what the record does not say, or is about to forget, of any but the simple course: a list of JSON objects with event,
-- at (ms), run, attempt, worker, reason, eta. Further
--   late   it changes nothing any more. A start may have been `refused`; an end has when it `began` (ms), how its `result`
--          begins, and whether that is the `same` as what counted
--   was    where a verdict is taken back or another run follows: the fields of the record (IN_SNAPSHOT), its run and attempt
local NOTED = { retry = true, requeue = true, replace = true, unenqueue = true, rerun = true, relaunch = true,
  await = true, reopen = true, send_again = true }
local NEW_RUN = { rerun = true, relaunch = true, await = true, send_again = true }
local HISTORY = 100
local function append_history(rec, report, takes_back)
  local entry = { event = report.event, at = report.at, run = report.run or rec.run, attempt = report.attempt or rec.attempt }
  local was = {}
  for i = 1, #IN_SNAPSHOT do was[IN_SNAPSHOT[i]] = rec[PLACE[IN_SNAPSHOT[i]]] end
  entry.worker = was.worker
  for name, value in pairs(report.fields or NO_FIELDS) do
    if OF_AN_ENTRY[name] then entry[name] = value end
  end
  if takes_back == nil then entry.late = true end
  if takes_back then
    entry.was = was
    was.run, was.attempt = rec.run, rec.attempt
  end
  redis.call('RPUSH', key('history', rec.id), cjson.encode(entry))
  rec.is_noted = true
  redis.call('LTRIM', key('history', rec.id), -HISTORY, -1)
end

-- Notes that somebody has changed fields of a job.
local function note_update(rec, by, changed)
  local entry = { event = 'update', at = tonumber(server_ms()), by = by, changed = changed }
  redis.call('RPUSH', key('history', rec.id), cjson.encode(entry))
  redis.call('LTRIM', key('history', rec.id), -HISTORY, -1)
  rec.is_noted = true
end
