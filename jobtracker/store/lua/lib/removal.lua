-- removal: removing jobs with all their index entries.
--- @include lib/hints
--- @include lib/keys
--- @include lib/indexes
--- @include lib/objects
--- @include lib/record
--- @include lib/unique

local HINTS_AT_ONCE = 20

-- Whether a job may go by a mode of commands/delete.lua; `rec` holds the fields by their places.
local function may_go(rec, mode, before)
  if mode == 'trash' or mode == 'undo' then return true end
  local unsent = mode == 'delete' and rec[PLACE.run] == 0 and rec[PLACE.status] == 'pending'
  if not SETTLED[rec[PLACE.status]] and not unsent then return false end
  if mode ~= 'delete' and tonumber(rec[PLACE.status_changed_at]) >= before then return false end
  if rec[PLACE.subs] and not unsent then
    local open = rec[PLACE.subs]
    for _, name in ipairs({ 'subs_completed', 'subs_failed', 'subs_cancelled' }) do
      open = open - (rec[PLACE[name]] or 0)
    end
    if open > 0 then return false end
  end
  return true
end

-- Removes jobs as commands/delete.lua says; returns the outcome of each.
local function remove_jobs(mode, before, tombstone_s, job_ids)
  local keys = {}
  for i = 1, #job_ids do keys[i] = key('job', job_ids[i]) end
  keys[#keys + 1] = watching_key()
  local records, outcomes, now = redis.call('MGET', unpack(keys)), {}, server_ms()
  local watched, hints = records[#keys], {}
  local gone, ids, runs, absent, doomed, seldom, sets, members, types = {}, {}, {}, {}, {}, {}, {}, {}, {}

  local function collect(set, id)
    local others = members[set]
    if not others then
      others = {}
      members[set], sets[#sets + 1] = others, set
    end
    others[#others + 1] = id
  end

  local function is_held(parent) return parent and not gone[parent] and redis.call('EXISTS', key('job', parent)) == 1 end

  local function remove(id, packed)
    local rec = packed and not gone[id] and cmsgpack.unpack(packed)
    if not rec then
      absent[#absent + 1] = id
      return 'missing'
    end
    if not may_go(rec, mode, before) then return 'illegal' end
    if mode == 'alone' and (rec[PLACE.parent] or rec[PLACE.subs]) then return 'apart' end
    if (mode == 'delete' or mode == 'expire') and is_held(rec[PLACE.parent]) then return 'illegal' end
    if rec[PLACE.unique] then release_unique(rec[PLACE.unique], id) end
    if rec[PLACE.large] then remove_values(id, { 'payload', 'args', 'result' }) end
    gone[id] = true
    if watched then
      hints[#hints + 1] = hint_of('deleted', id, packed)
      if #hints == HINTS_AT_ONCE then write_hints(hints); hints = {} end
    end
    local at, n = #doomed, #seldom
    doomed[at + 1], doomed[at + 2] = key('job', id), key('data', id)
    seldom[n + 1], seldom[n + 2], seldom[n + 3] = key('log', id), key('history', id), key('executions', id)
    if rec[PLACE.subs] then
      local subs = mode ~= 'undo' and redis.call('ZRANGE', key('subs', id), 0, -1) or {}
      for first = 1, #subs, 1000 do
        redis.call('SADD', key('trash'), unpack(subs, first, math.min(first + 999, #subs)))
      end
      seldom[n + 4], seldom[n + 5] = key('subs', id), key('outcomes', id)
    end
    if rec[PLACE.type] == 'jobtracker.bulk' then seldom[#seldom + 1] = key('bulk', id) end -- core/job.py, BULK_TYPE
    local own = { id = id, [PLACE.run] = rec[PLACE.run] or 0, [PLACE.priority] = rec[PLACE.priority] or NORMAL,
      [PLACE.type] = rec[PLACE.type] }
    collect(key('entered', rec[PLACE.status], kind_of(own)), id)
    types[key('type', rec[PLACE.type])] = rec[PLACE.type]
    collect(key('type', rec[PLACE.type]), id)
    local group = rec[PLACE.status] == 'failed' and rec[PLACE.failure_group]
    if group then collect(key('failed_by', group), id) end
    ids[#ids + 1] = id
    runs[#runs + 1] = task_id(own)
    if mode == 'delete' or mode == 'trash' then redis.call('SET', key('tombstone', id), now, 'EX', tombstone_s) end
    return 'applied'
  end

  for i = 1, #job_ids do outcomes[i] = remove(job_ids[i], records[i]) end
  if #hints > 0 then write_hints(hints) end
  for i = 1, #sets do
    local n, job_type = redis.call('ZREM', sets[i], unpack(members[sets[i]])), types[sets[i]]
    if job_type and n > 0 then totals.note_removed(job_type, n) end
  end
  if #ids > 0 then
    if redis.call('EXISTS', key('unnotified')) == 1 then redis.call('ZREM', key('unnotified'), unpack(ids)) end
    if redis.call('EXISTS', key('unanswered')) == 1 then redis.call('ZREM', key('unanswered'), unpack(ids)) end
    if redis.call('EXISTS', key('unconfirmed')) == 1 then redis.call('ZREM', key('unconfirmed'), unpack(runs)) end
    redis.call('UNLINK', unpack(doomed))
    if redis.call('EXISTS', unpack(seldom)) > 0 then redis.call('UNLINK', unpack(seldom)) end
  end
  if redis.call('EXISTS', key('trash')) == 1 then
    if #ids > 0 then redis.call('SREM', key('trash'), unpack(ids)) end
    if #absent > 0 then redis.call('SREM', key('trash'), unpack(absent)) end
  end
  return outcomes
end
