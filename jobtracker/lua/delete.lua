-- delete.lua: remove jobs with all their index entries. Their sub-jobs go to the trash, to be deleted next: a process
-- that dies in between leaves them where the reaper finds them.
--
-- KEYS[1]  any key of their partition
-- ARGV     prefix, mode, finished before (ms), lifetime of the tombstones (s), then the ids
-- Modes    delete   as a user asks: settled or never sent, all its sub-jobs too, and not part of another job
--          expire   by retention: settled before that time, all its sub-jobs too, and not part of another job
--          trash    its parent was deleted: whatever it is
--          undo     its message could not be published: it never was. Its sub-jobs, if any, are undone by themselves
-- Returns  the outcome of each, in order: applied, missing, illegal
-- What all of them leave at once, a server has to look up, and to tell its replicas and its disk, once.
local mode, before, tombstone_s = ARGV[2], tonumber(ARGV[3]), ARGV[4]

local gone, doomed, leaving = {}, {}, {}
local function leave_set(set, member)
  leaving[set] = leaving[set] or {}
  table.insert(leaving[set], member)
end

local function may_go(rec)
  if mode == 'trash' or mode == 'undo' then return true end
  local unsent = mode == 'delete' and rec.run == 0 and rec.status == 'pending'
  if not SETTLED[rec.status] and not unsent then return false end
  if mode == 'expire' and tonumber(rec.finished) >= before then return false end
  if not unsent and rec.subs_completed + rec.subs_failed + rec.subs_cancelled < rec.subs then return false end
  return not rec.parent or gone[rec.parent] or redis.call('EXISTS', key('job', rec.parent)) == 0
end

local function remove(id)
  local rec = not gone[id] and load(id)
  if not rec then
    redis.call('SREM', key('trash'), id)
    return 'missing'
  end
  if not may_go(rec) then return 'illegal' end
  gone[id] = true
  local subs = mode ~= 'undo' and redis.call('ZRANGE', key('subs', id), 0, -1) or {}
  for first = 1, #subs, 1000 do
    redis.call('SADD', key('trash'), unpack(subs, first, math.min(first + 999, #subs)))
  end
  leave_set(key('entered', rec.status, kind_of(rec)), id)
  leave_set(key('type', rec.type), id)
  leave_set(key('untold'), id)
  leave_set(key('unconfirmed'), task_id(rec))
  for _, name in ipairs({ 'job', 'data', 'log', 'history', 'executions', 'subs', 'outcomes' }) do
    doomed[#doomed + 1] = key(name, id)
  end
  if mode == 'delete' or mode == 'trash' then redis.call('SET', key('tombstone', id), '1', 'EX', tombstone_s) end
  return 'applied'
end

local outcomes = {}
for i = 5, #ARGV do outcomes[#outcomes + 1] = remove(ARGV[i]) end
for set, members in pairs(leaving) do redis.call('ZREM', set, unpack(members)) end
if #doomed > 0 then
  redis.call('UNLINK', unpack(doomed))
  local ids = {}
  for id in pairs(gone) do ids[#ids + 1] = id end
  redis.call('SREM', key('trash'), unpack(ids))
end
return outcomes
