-- delete.lua: remove jobs with all their index entries. Their sub-jobs go to the trash, to be deleted next: a process
-- that dies in between leaves them where the reaper finds them.
--
-- KEYS[1]  any key of their partition
-- ARGV     prefix, mode, finished before (ms), lifetime of the tombstones (s), then the ids
-- Modes    delete   as a user asks: settled or never sent, all its sub-jobs too, and not part of another job
--          expire   by retention: settled before that time, all its sub-jobs too, and not part of another job
--          alone    likewise, where the others of a tree may lie in other partitions: none of a tree
--          trash    its parent was deleted: whatever it is
--          undo     its message could not be published: it never was. Its sub-jobs, if any, are undone by themselves
-- Returns  the outcome of each, in order: applied, missing, illegal; with alone also apart: one of a tree
-- What all of them leave at once a server has to look up, and to tell its replicas and its disk, once; what is seldom
-- there it is asked for first. Of a record only those places are read that tell whether it goes, and from where.
local mode, before, tombstone_s = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local seconds, micros = unpack(redis.call('TIME'))
local now = string.format('%d', seconds * 1000 + math.floor(micros / 1000))
local STATUS, TYPE, RUN, PARENT, SUBS = PLACE.status, PLACE.type, PLACE.run, PLACE.parent, PLACE.subs

local function may_go(rec)
  if mode == 'trash' or mode == 'undo' then return true end
  local unsent = mode == 'delete' and rec[RUN] == 0 and rec[STATUS] == 'pending'
  if not SETTLED[rec[STATUS]] and not unsent then return false end
  if mode ~= 'delete' and tonumber(rec[PLACE.entered]) >= before then return false end
  if rec[SUBS] and not unsent then
    local open = rec[SUBS]
    for _, name in ipairs({ 'subs_completed', 'subs_failed', 'subs_cancelled' }) do
      open = open - (rec[PLACE[name]] or 0)
    end
    if open > 0 then return false end
  end
  return true
end

local keys = {}
for i = 5, #ARGV do keys[i - 4] = key('job', ARGV[i]) end
local records, outcomes = redis.call('MGET', unpack(keys)), {}
local gone, ids, runs, absent, doomed, seldom, sets, members = {}, {}, {}, {}, {}, {}, {}, {}

local function leave(set, id)
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
  if not may_go(rec) then return 'illegal' end
  if mode == 'alone' and (rec[PARENT] or rec[SUBS]) then return 'apart' end
  if (mode == 'delete' or mode == 'expire') and is_held(rec[PARENT]) then return 'illegal' end
  gone[id] = true
  local at, n = #doomed, #seldom
  doomed[at + 1], doomed[at + 2] = key('job', id), key('data', id)
  seldom[n + 1], seldom[n + 2], seldom[n + 3] = key('log', id), key('history', id), key('executions', id)
  if rec[SUBS] then
    local subs = mode ~= 'undo' and redis.call('ZRANGE', key('subs', id), 0, -1) or {}
    for first = 1, #subs, 1000 do
      redis.call('SADD', key('trash'), unpack(subs, first, math.min(first + 999, #subs)))
    end
    seldom[n + 4], seldom[n + 5] = key('subs', id), key('outcomes', id)
  end
  local own = { id = id, run = rec[RUN] or 0, priority = rec[PLACE.priority] or NORMAL, type = rec[TYPE] }
  leave(key('entered', rec[STATUS], kind_of(own)), id)
  leave(key('type', rec[TYPE]), id)
  ids[#ids + 1] = id
  runs[#runs + 1] = task_id(own)
  if mode == 'delete' or mode == 'trash' then redis.call('SET', key('tombstone', id), now, 'EX', tombstone_s) end
  return 'applied'
end

for i = 5, #ARGV do outcomes[i - 4] = remove(ARGV[i], records[i - 4]) end
for i = 1, #sets do redis.call('ZREM', sets[i], unpack(members[sets[i]])) end
if #ids > 0 then
  if redis.call('EXISTS', key('untold')) == 1 then redis.call('ZREM', key('untold'), unpack(ids)) end
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
