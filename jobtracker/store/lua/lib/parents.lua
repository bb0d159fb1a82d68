-- parents: what a parent makes of its sub-jobs.
--- @include lib/indexes
--- @include lib/record
--- @include lib/state_machine

-- What follows for a parent from what it knows of its sub-jobs: an event that infers its outcome; 'call', its own task is to be
-- called; or nil.
local function next_step_of(rec)
  local open = rec.subs - rec.subs_completed - rec.subs_failed - rec.subs_cancelled
  local unhappy = rec.subs_failed + rec.subs_cancelled > 0
  if follows_from_sub_jobs(rec) and (open > 0 or rec.inferred == 'subs_failed' and not unhappy) then return 'reopen' end
  if SETTLED[rec.status] or rec.executing or open > 0 then return nil end
  if rec.cancel then return 'subs_cancelled' end
  if unhappy and not (rec.policy == 'continue' and rec.run > 0) then return 'subs_failed' end
  if not unhappy and rec.callback_mode ~= 'own' and rec.callback_mode ~= 'anew' then return nil end -- Celery's chord calls it
  if rec.run == 0 or rec.callback_mode == 'called' then return nil end
  return 'call'
end

-- How an unhappy sub-job is named. Its record may lie in another partition: `elsewhere` is its name and reason then, '' for
-- none, or nil where nobody has asked. The second value says whether a name was found.
local function name_in_reason(sub, status, elsewhere)
  local rec = load_other(sub) or {}
  local name, reason = rec.name or rec.type, rec.reason
  if elsewhere then name, reason = elsewhere[1] ~= '' and elsewhere[1], elsewhere[2] ~= '' and elsewhere[2] end
  local text = (name and name .. ' (' .. sub .. ')' or sub) .. ' ' .. status .. (reason and ': ' .. reason or '')
  return text, elsewhere or name
end

-- Which of a parent's sub-jobs did not complete: the first few of them, by name; and those whose names are to be asked for.
local NAMED, SUBS_AT_ONCE = 5, 100
local function reason_of_sub_jobs(rec, notice)
  local unhappy, named, unnamed = rec.subs - rec.subs_completed, {}, {}
  for first = 0, rec.subs - 1, SUBS_AT_ONCE do
    local subs = redis.call('ZRANGE', key('subs', rec.id), first, first + SUBS_AT_ONCE - 1)
    if #subs == 0 or #named == math.min(NAMED, unhappy) then break end
    local outcomes = redis.call('HMGET', key('outcomes', rec.id), unpack(subs))
    for i = 1, #subs do
      local status = outcomes[i] and outcomes[i]:match(':(.*)$') or 'is gone'
      if status ~= 'completed' and #named < NAMED then
        local text, is_named = name_in_reason(subs[i], status, notice.named_elsewhere[subs[i]])
        if not is_named and notice.has_partitions then unnamed[#unnamed + 1] = subs[i] end
        named[#named + 1] = text
      end
    end
  end
  return unhappy .. ' of ' .. rec.subs .. ' sub-jobs did not complete: ' .. table.concat(named, '; ')
    .. (unhappy > #named and ', and ' .. unhappy - #named .. ' more' or ''), unnamed
end

-- The first bytes of a text, without a character that is cut in two, and a sign that it goes on.
local function shortened(text, longest)
  if #text <= longest then return text end
  return (text:sub(1, longest - 3):gsub('[\194-\244][\128-\191]*$', '')) .. '\226\128\166'
end

-- Where a parent's record counts those of a terminal status.
local OF_SUBS = { completed = PLACE.subs_completed, failed = PLACE.subs_failed, cancelled = PLACE.subs_cancelled }

-- Notices overtake each other. Where the sub-job's own record is at hand, in this partition, it knows best. Another one's was
-- read before, and may be out of date by now: who has left a terminal status is further than who has not (`left`), and
-- between two times who has settled is. Without a record the later run counts. Returns false where the notice is old.
local function count_sub_job(rec, notice)
  local run, status, left = notice.run, notice.status, notice.left
  local known = redis.call('HGET', key('outcomes', rec.id), notice.sub)
  local known_run, known_left, known_status
  if known then
    known_run, known_left, known_status = known:match('^(%d+)%.?(%d*):(.*)$')
    known_left = tonumber(known_left) or 0
    local is_old = left < known_left
      or left == known_left and SETTLED[known_status] and (not SETTLED[status] or run < tonumber(known_run))
    if not notice.record and is_old then return false end
  end
  local outcome = run .. (left > 0 and '.' .. left or '') .. ':' .. status
  if known ~= outcome then
    redis.call('HSET', key('outcomes', rec.id), notice.sub, outcome)
    local was, is = OF_SUBS[known_status or ''], OF_SUBS[status]
    if was then rec[was] = rec[was] - 1 end
    if is then rec[is] = rec[is] + 1 end
  end
  return true
end

local function parent_answer(rec, verdict)
  save_record(rec)
  return { verdict, rec.parent or '', rec.run, rec.status }
end

local LONGEST_REASON = 300
local function infer_for_parent(rec, event, notice, now)
  local text, unnamed
  if event == 'subs_failed' then text, unnamed = reason_of_sub_jobs(rec, notice) end
  if unnamed and #unnamed > 0 then
    if notice.record then await_notification(notice.sub, now) end -- until it has failed
    save_record(rec)
    return { 'unnamed', '', rec.run, rec.status, unnamed }
  end
  local report = { event = event, at = now, fields = text and { reason = shortened(text, LONGEST_REASON) } }
  if apply_event(rec, report) ~= 'applied' then return parent_answer(rec, 'waiting') end
  if text then
    redis.call('HSET', key('data', rec.id), 'error', cjson.encode({ type = rec.error_type, message = text }))
  end
  return parent_answer(rec, 'settled')
end

local NOT_BY_CHORD = { reason = 'Celery\'s chord may not call it: a part of it could not be stored' }
local function call_parent_task(rec, now)
  if rec.callback_mode == 'anew' then -- as another run: if Celery's chord calls it after all, that is rejected
    apply_event(rec, { event = 'relaunch', at = now, fields = NOT_BY_CHORD })
  end
  rec.callback_mode = 'called'
  if rec.reused == rec.run then rec.reused = nil end -- we send it, under the run's own task id
  await_confirmation(rec, now)
  count_sent(rec, now)
  return parent_answer(rec, 'due')
end

-- Notifies a parent of one of its sub-jobs; `rec` is its record. A notice is a table: sub (the sub-job's id), record (its
-- record, where that lies in this partition), else its run, status, and how often it had left a terminal status (left); at
-- (ms), has_partitions, and named_elsewhere: name and reason of sub-jobs in other partitions. Returns the answer of
-- commands/notify_parent.lua.
local function notify_parent(rec, notice)
  local now = notice.at
  if rec and rec.started and rec.started > now then now = rec.started end -- notices of its sub-jobs come in any order
  drop_notification(notice.sub) -- in this call, with any verdict
  if not rec or not redis.call('ZSCORE', key('subs', rec.id), notice.sub) then return { 'missing', '', 0, '' } end
  local own = notice.record
  if own then notice.run, notice.status, notice.left = own[PLACE.run], own[PLACE.status], 0 end
  if not count_sub_job(rec, notice) then return parent_answer(rec, 'waiting') end
  local event = next_step_of(rec)
  if event == 'call' then return call_parent_task(rec, now) end
  if event then return infer_for_parent(rec, event, notice, now) end
  local open = rec.subs - rec.subs_completed - rec.subs_failed - rec.subs_cancelled
  if open > 0 and not SETTLED[rec.status] and not rec.executing then
    local happy = notice.status == 'completed' or not SETTLED[notice.status] -- of the others some may be about to run again
    if rec.policy == 'fail_fast' and not happy and not rec.halted then
      rec.halted = '1'
      return parent_answer(rec, 'halt')
    end
  end
  return parent_answer(rec, 'waiting')
end
