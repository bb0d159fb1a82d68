-- own_ids: messages that Celery code sends under a job's own id, beside that of its run.
--- @include lib/record

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
local function resolve_run(rec, run, sent, by_task_id)
  if not by_task_id or run ~= 1 or rec.reused ~= rec.run then return run end
  if sent == 0 or sent and rec.queued and sent < rec.queued and not is_also_sent(rec, sent) then return 1 end
  return rec.run
end

-- Whether a run bears the job's own id.
local function has_own_id(rec) return rec.run == 1 or rec.reused == rec.run end

-- Whether a message under the job's own id is another one than that of the run which the record tells of. A parent's comes
-- when its sub-jobs have ended, and is sent once before it begins. Celery's chord may send it after we did, as another run:
-- that call has been replaced. Where a clock is behind, it may have begun before it was sent: that was noted then.
local function is_another_message(rec, sent)
  if rec.replaced then return false end -- what has taken its task's place bears its id
  if rec.subs > 0 then
    local began = rec.execution and began_ms(rec.execution)
    return began ~= nil and has_own_id(rec) and sent > began and not is_also_sent(rec, sent)
  end
  return sent > 0 and rec.queued ~= nil and sent ~= rec.queued and (sent > rec.queued or is_also_sent(rec, sent))
end

-- Whether another job sends this one: as the next of its chain, or in a chord. Where that job's task runs twice, so is this
-- one's message sent: that makes a double run, and no new one.
local function is_sent_by_job(rec) return rec.sent_by and (rec.parent or rec.link and rec.link ~= 'body') end

-- Whether a job was cancelled as one that does not run, and its task had begun, or ended, before: that was told late.
local function is_overtaken_by_cancel(rec, at, run)
  return rec.status == 'cancelled' and not rec.inferred and rec.cancel and rec.cancel == rec.finished and at < rec.cancel
    and rec.run > 0 and run == rec.run
end
