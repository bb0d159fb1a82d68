-- verify_jobs: compare records with their index entries, and what is kept of a job with whether it is there.
-- Each call is one look at one moment, so nothing differs only because it moved meanwhile.
--
-- KEYS[1]  any key of the partition
-- ARGV     prefix, '1' to repair, '2' to do so too where sub-jobs are lost for good, then pairs of the name of a key
--          (`keys.PREFIXES`) and a job's id
-- Names    job       its record is compared with the indexes, and a parent's counters with what it was told
--          failure   a group of failures, in the place of a job: it is compared with the indexes of groups
--          another   that key must not be there without, or a tombstone not with, the job's record
-- Returns  {differences, families}
-- Differences  {what, where, id, what is there, what should be there, 1 if it was repaired}
-- Families     of each parent {id, what follows from its sub-jobs or '' (`next_step_of` in lib/parents.lua)}; of each sub-job
--          that its parent does not list {its id, 'unlisted', the parent}; of one whose parent is not in this partition
--          {its id, 'apart', the parent}
--- @include lib/failures
--- @include lib/parents
--- @include lib/unique
local repair, shrink = ARGV[2] ~= '0', ARGV[2] == '2'
local differences, families = {}, {}

local function differs(what, where, id, is, wanted, mend)
  local mends = repair and mend ~= nil
  differences[#differences + 1] = { what, where, id, tostring(is or ''), tostring(wanted or ''), mends and 1 or 0 }
  if mends then mend() end
end

local function check_family(rec)
  local subs, outcomes = key('subs', rec.id), key('outcomes', rec.id)
  local size = redis.call('ZCARD', subs)
  if rec.subs ~= size then
    -- Sub-jobs whose entries were lost may still be there, and are looked for first (doctor/families.py).
    local function mend() rec.subs = size; save_record(rec) end
    differs('family', 'subs', rec.id, rec.subs, size, (shrink or size > rec.subs) and mend or nil)
  end
  local told, list = { subs_completed = 0, subs_failed = 0, subs_cancelled = 0 }, redis.call('HGETALL', outcomes)
  for i = 1, #list, 2 do
    local status = 'subs_' .. (list[i + 1]:match(':(.*)$') or '')
    if not redis.call('ZSCORE', subs, list[i]) then
      differs('stranger', 'outcomes', rec.id, list[i], '', function() redis.call('HDEL', outcomes, list[i]) end)
      if repair then status = nil end
    end
    if status and told[status] then told[status] = told[status] + 1 end
  end
  for field, wanted in pairs(told) do
    if rec[PLACE[field]] ~= wanted then
      differs('family', field, rec.id, rec[PLACE[field]], wanted, function()
        rec[PLACE[field]] = wanted
        save_record(rec)
      end)
    end
  end
  if size > 0 then families[#families + 1] = { rec.id, next_step_of(rec) or '' } end
end

local function check_other(name, id)
  local there = redis.call('EXISTS', key('job', id)) == 1
  if there == (name == 'tombstone') then
    if redis.call('EXISTS', key(name, id)) == 1 then
      differs('left_over', name, id, 'there', '', function() redis.call('UNLINK', key(name, id)) end)
    end
  elseif there and (name == 'subs' or name == 'outcomes') then
    local rec = load_record(id)
    if rec and rec.subs == 0 then check_family(rec) end -- to any other parent's its record leads
  end
end

local function contradicts(rec, field, wanted)
  differs('record', field, rec.id, rec[PLACE[field]], wanted, function()
    rec[PLACE[field]] = wanted
    save_record(rec)
  end)
end

local function check_index(id, score, name, a, b)
  local set = key(name, a, b)
  local is = redis.call('ZSCORE', set, id)
  if is == score or is and tonumber(is) == tonumber(score) then return end
  local where = table.concat({ name, a, b }, ':')
  differs(is and 'score' or 'missing', where, id, is, score, function()
    redis.call('ZADD', set, score, id)
  end)
end

-- The queue that an open job was sent to lately is known; one that is empty may have been forgotten since.
local DAY_MS = 86400000
local now_s = redis.call('TIME')[1]
local function check_queue(rec)
  local queue = rec.actual_queue or rec.queue
  if SETTLED[rec.status] or rec.run == 0 or not queue or queue == '' or #queue > LONGEST_QUEUE then return end
  if not rec.queued or now_s * 1000 - rec.queued > DAY_MS or redis.call('ZSCORE', key('queues'), queue) then return end
  if redis.call('ZSCORE', key('queues'), '') then return end
  differs('missing', 'queues', queue, '', 'there', function() remember_queue(queue, rec.queued) end)
end

local function check_job(id)
  local rec = load_record(id)
  if not (rec and MATRIX.start[rec.status] and rec.type and tonumber(rec.created) and tonumber(rec.status_changed_at)) then
    if redis.call('EXISTS', key('job', id)) == 1 then differs('broken', 'job', id, rec and rec.status, nil) end
    return
  end
  if SETTLED[rec.status] then
    if rec.finished ~= rec.status_changed_at then contradicts(rec, 'finished', rec.status_changed_at) end
    if rec.executing then contradicts(rec, 'executing') end
    if rec.eta then contradicts(rec, 'eta') end
  else
    if rec.finished then contradicts(rec, 'finished') end
    if rec.inferred then contradicts(rec, 'inferred') end
  end
  check_index(id, rec.created, 'type', rec.type)
  check_index(id, rec.status_changed_at, 'entered', rec.status, kind_of(rec))
  local group = rec.failure_group
  if rec.error_type and rec.status ~= 'failed' then contradicts(rec, 'error_type') end
  if group and rec.status ~= 'failed' then
    contradicts(rec, 'failure_group')
  elseif group then
    local known = load_group(group)
    if known and rec.status_changed_at >= known.since then check_index(id, rec.status_changed_at, 'failed_by', group) end
  end
  if redis.call('SISMEMBER', key('kinds'), kind_of(rec)) == 0 then
    differs('missing', 'kinds', kind_of(rec), '', 'there', function()
      redis.call('SADD', key('kinds'), kind_of(rec)) -- the leader gives the type a name
    end)
  end
  check_queue(rec)
  if rec.unique then
    local digest, ends = claim_of(rec.unique, rec.status)
    local holder = redis.call('GET', key('unique', digest))
    if ends and holder ~= id then
      differs('missing', 'unique', id, holder, id, not holder and function() take_unique(rec.unique, rec.status, id) end or nil)
    end
  end
  if rec.subs > 0 then check_family(rec) end
  local parent = rec.parent
  if parent and redis.call('EXISTS', key('job', parent)) == 0 then
    families[#families + 1] = { id, 'apart', parent }
  elseif parent and not redis.call('ZSCORE', key('subs', parent), id) then
    families[#families + 1] = { id, 'unlisted', parent }
  end
end

local function check_group(id)
  local group = load_group(id)
  for name, wanted in pairs({ failures = group and group.last or false, failure_counts = group and group.count or false }) do
    if wanted then check_index(id, wanted, name)
    elseif redis.call('ZSCORE', key(name), id) then
      differs('stray', name, id, 'there', '', function() redis.call('ZREM', key(name), id) end)
    end
  end
end

-- Who has the lock of a unique key must be a job that is to have it.
local function check_lock(digest)
  local holder = redis.call('GET', key('unique', digest))
  local rec = holder and load_record(holder)
  if holder and not rec and redis.call('PTTL', key('unique', digest)) > 0 then return end -- reserved for a moment
  local own, ends = '', nil
  if rec and rec.unique then own, ends = claim_of(rec.unique, rec.status) end
  if holder and not (own == digest and ends) then
    differs('left_over', 'unique', digest, holder, '', function() redis.call('DEL', key('unique', digest)) end)
  end
end

local CHECKS = { job = check_job, failure = check_group, unique = check_lock }
for i = 3, #ARGV, 2 do
  local check = CHECKS[ARGV[i]]
  if check then check(ARGV[i + 1]) else check_other(ARGV[i], ARGV[i + 1]) end
end
return { differences, families }
