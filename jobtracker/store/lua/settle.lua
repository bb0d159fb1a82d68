-- settle.lua: tell a parent what became of one of its sub-jobs. Idempotent: repeat it as often as you like.
--
-- KEYS[1]  the parent's record
-- ARGV     prefix, parent, sub-job, the sub-job's run, its status, now (ms), how often it had left a terminal status
--          ('' where the store has one partition), then of sub-jobs in other partitions, as asked for, id, name, reason
-- Returns  {verdict, the grandparent or '', the parent's run, its status, ids that are asked for}
--          The run is another one than before where the verdict is due and Celery's chord may call the task too.
-- Verdicts unnamed  it is about to fail, and names sub-jobs whose records are elsewhere: call again with what they say
--          missing   there is no such parent, or the sub-job is not one of its
--          waiting   other sub-jobs are not settled, or Celery's chord calls the parent's task
--          halt      the first failure under fail_fast: cancel what is left
--          due       call the parent's task now; said once, and watched until that is confirmed
--          settled   the parent failed, was cancelled, or is open again: tell the grandparent
local parent, sub, run, status = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now, left, named_elsewhere = tonumber(ARGV[6]), tonumber(ARGV[7]) or 0, {}
for i = 8, #ARGV, 3 do named_elsewhere[ARGV[i]] = { ARGV[i + 1], ARGV[i + 2] } end

local rec, own = ... -- where report.lua has loaded them
rec = rec or load(parent)
if rec and rec.started and rec.started > now then now = rec.started end -- its sub-jobs are told of in any order
all_told(sub) -- with this call, whatever the verdict
if not rec or not redis.call('ZSCORE', key('subs', parent), sub) then return { 'missing', '', 0, '' } end

local function answer(verdict)
  save(rec)
  return { verdict, rec.parent or '', rec.run, rec.status }
end

-- Tellings overtake each other. Where the sub-job's own record is at hand, in this partition, it knows best. Another one's
-- was read before, and what it said may be old news by now: who has left a terminal status is further than who has not
-- (`left`), and between two times who has settled is. Of one without a record the later run counts.
own = own or load(sub)
if own then run, status, left = own.run, own.status, 0 end

local told = redis.call('HGET', key('outcomes', parent), sub)
local told_status
if told then
  local told_run, told_left
  told_run, told_left, told_status = told:match('^(%d+)%.?(%d*):(.*)$')
  told_left = tonumber(told_left) or 0
  local is_old = left < told_left
    or left == told_left and SETTLED[told_status] and (not SETTLED[status] or run < tonumber(told_run))
  if not own and is_old then return answer('waiting') end
end
local outcome = run .. (left > 0 and '.' .. left or '') .. ':' .. status
if told ~= outcome then
  redis.call('HSET', key('outcomes', parent), sub, outcome)
  if told_status and SETTLED[told_status] then
    rec['subs_' .. told_status] = rec['subs_' .. told_status] - 1
  end
  if SETTLED[status] then rec['subs_' .. status] = rec['subs_' .. status] + 1 end
end

-- Which of its sub-jobs did not complete: the first few of them, by name; and of whom the names are to be asked for.
local NAMED, AT_ONCE, LONGEST = 5, 100, 300
local function blame()
  local unhappy, named, unnamed = rec.subs - rec.subs_completed, {}, {}
  for first = 0, rec.subs - 1, AT_ONCE do
    local subs = redis.call('ZRANGE', key('subs', parent), first, first + AT_ONCE - 1)
    if #subs == 0 or #named == math.min(NAMED, unhappy) then break end
    local outcomes = redis.call('HMGET', key('outcomes', parent), unpack(subs))
    for i = 1, #subs do
      local outcome = outcomes[i] and outcomes[i]:match(':(.*)$') or 'is gone'
      if outcome ~= 'completed' and #named < NAMED then
        local unhappy_sub = load(subs[i]) or {}
        local name, reason = unhappy_sub.name or unhappy_sub.type, unhappy_sub.reason
        local elsewhere = named_elsewhere[subs[i]]
        if elsewhere then name, reason = elsewhere[1] ~= '' and elsewhere[1], elsewhere[2] ~= '' and elsewhere[2]
        elseif not name and ARGV[7] ~= '' then unnamed[#unnamed + 1] = subs[i] end
        named[#named + 1] = (name and name .. ' (' .. subs[i] .. ')' or subs[i]) .. ' ' .. outcome
          .. (reason and ': ' .. reason or '')
      end
    end
  end
  return unhappy .. ' of ' .. rec.subs .. ' sub-jobs did not complete: ' .. table.concat(named, '; ')
    .. (unhappy > #named and ', and ' .. unhappy - #named .. ' more' or ''), unnamed
end

-- The first bytes of a text, without a character that is cut in two, and a sign that it goes on.
local function cut(text, longest)
  if #text <= longest then return text end
  return text:sub(1, longest - 3):gsub('[\194-\244][\128-\191]*$', '') .. '\226\128\166'
end

local function presume(event)
  local text, unnamed
  if event == 'subs_failed' then text, unnamed = blame() end
  if unnamed and #unnamed > 0 then
    if own then untold(sub, now) end -- until it has failed
    save(rec)
    return { 'unnamed', '', rec.run, rec.status, unnamed }
  end
  if apply(rec, event, now, nil, nil, text and { 'reason', cut(text, LONGEST) } or nil) ~= 'applied' then
    return answer('waiting')
  end
  if text then
    redis.call('HSET', key('data', parent), 'error', cjson.encode({ type = 'SubJobsFailed', message = text }))
  end
  return answer('settled')
end

local event = follows(rec)
if event == 'call' then
  if rec.body == 'anew' then -- as another run: if Celery's chord calls it after all, that is refused
    apply(rec, 'relaunch', now, nil, nil, { 'reason', 'Celery\'s chord may not call it: a part of it could not be stored' })
  end
  rec.body = 'called'
  if rec.reused == rec.run then rec.reused = nil end -- we send it, under the run's own task id
  dispatched(rec, now)
  sent_to_queue(rec, now)
  return answer('due')
end
if event then return presume(event) end
local open = rec.subs - rec.subs_completed - rec.subs_failed - rec.subs_cancelled
if open > 0 and not SETTLED[rec.status] and not rec.executing then
  local happy = status == 'completed' or not SETTLED[status] -- of the others some may be about to run again
  if rec.policy == 'fail_fast' and not happy and not rec.halted then
    rec.halted = '1'
    return answer('halt')
  end
end
return answer('waiting')
