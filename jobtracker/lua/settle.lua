-- settle.lua: tell a parent what became of one of its sub-jobs. Idempotent: repeat it as often as you like.
--
-- KEYS[1]  the parent's record
-- ARGV     prefix, parent, sub-job, the sub-job's run, its status, now (ms)
-- Returns  {verdict, the grandparent or '', the parent's run, its status}
-- Verdicts missing   there is no such parent, or the sub-job is not one of its
--          waiting   other sub-jobs are not settled, or Celery's chord calls the parent's task
--          halt      the first failure under fail_fast: cancel what is left
--          due       call the parent's task now; said once, and watched until that is confirmed
--          settled   the parent failed, was cancelled, or is open again: tell the grandparent
local parent, sub, run, status = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now = ARGV[6]

local rec = load(parent)
if rec and rec.started and rec.started - now > 0 then now = rec.started end -- its sub-jobs are told of in any order
all_told(sub) -- with this call, whatever the verdict
if not rec or not redis.call('ZSCORE', key('subs', parent), sub) then return { 'missing', '', 0, '' } end

local function answer(verdict) return { verdict, rec.parent or '', rec.run, rec.status } end

-- Tellings overtake each other: where the sub-job's own record is at hand, in this partition, it knows best.
local own = redis.call('HMGET', key('job', sub), 'run', 'status')
if own[2] then run, status = tonumber(own[1]), own[2] end

local told = redis.call('HGET', key('outcomes', parent), sub)
local told_run, told_status
if told then
  told_run, told_status = told:match('^(%d+):(.*)$')
  if not own[2] and tonumber(told_run) > run then return answer('waiting') end
end
if told ~= run .. ':' .. status then
  redis.call('HSET', key('outcomes', parent), sub, run .. ':' .. status)
  if told_status and SETTLED[told_status] then
    rec['subs_' .. told_status] = redis.call('HINCRBY', KEYS[1], 'subs_' .. told_status, -1)
  end
  if SETTLED[status] then rec['subs_' .. status] = redis.call('HINCRBY', KEYS[1], 'subs_' .. status, 1) end
end

-- Which of its sub-jobs did not complete: the first few of them, by name where their own records are at hand.
local NAMED, AT_ONCE, LONGEST = 5, 100, 300
local function blame()
  local unhappy, named = rec.subs - rec.subs_completed, {}
  for first = 0, rec.subs - 1, AT_ONCE do
    local subs = redis.call('ZRANGE', key('subs', parent), first, first + AT_ONCE - 1)
    if #subs == 0 or #named == math.min(NAMED, unhappy) then break end
    local outcomes = redis.call('HMGET', key('outcomes', parent), unpack(subs))
    for i = 1, #subs do
      local outcome = outcomes[i] and outcomes[i]:match(':(.*)$') or 'is gone'
      if outcome ~= 'completed' and #named < NAMED then
        local own = redis.call('HMGET', key('job', subs[i]), 'name', 'reason')
        named[#named + 1] = (own[1] and own[1] .. ' (' .. subs[i] .. ')' or subs[i]) .. ' ' .. outcome
          .. (own[2] and ': ' .. own[2] or '')
      end
    end
  end
  return unhappy .. ' of ' .. rec.subs .. ' sub-jobs did not complete: ' .. table.concat(named, '; ')
    .. (unhappy > #named and ', and ' .. unhappy - #named .. ' more' or '')
end

-- The first bytes of a text, without a character that is cut in two, and a sign that it goes on.
local function cut(text, longest)
  if #text <= longest then return text end
  return text:sub(1, longest - 3):gsub('[\194-\244][\128-\191]*$', '') .. '\226\128\166'
end

local function presume(event)
  local text = event == 'subs_failed' and blame()
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
  redis.call('HSET', KEYS[1], 'body', 'called')
  dispatched(rec, now)
  return answer('due')
end
if event then return presume(event) end
local open = rec.subs - rec.subs_completed - rec.subs_failed - rec.subs_cancelled
if open > 0 and not SETTLED[rec.status] and not rec.executing then
  local happy = status == 'completed' or not SETTLED[status] -- of the others some may be about to run again
  if rec.policy == 'fail_fast' and not happy and not rec.halted then
    redis.call('HSET', KEYS[1], 'halted', '1')
    return answer('halt')
  end
end
return answer('waiting')
