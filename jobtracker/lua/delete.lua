-- delete.lua: remove a job with all its index entries. Its sub-jobs go to the trash, to be deleted next: a process
-- that dies in between leaves them where the reaper finds them.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, mode, finished before (ms), lifetime of the tombstone (s)
-- Modes    delete   as a user asks: settled or never sent, all its sub-jobs too, and not part of another job
--          expire   by retention: settled before that time, all its sub-jobs too, and not part of another job
--          trash    its parent was deleted: whatever it is
--          undo     its message could not be published: it never was. Its sub-jobs, if any, are undone by themselves
-- Outcomes applied, missing, illegal
local id, mode, before, tombstone_s = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local rec = load(id)
if not rec then
  redis.call('SREM', key('trash'), id)
  return 'missing'
end
if mode == 'delete' or mode == 'expire' then
  if rec.parent and redis.call('EXISTS', key('job', rec.parent)) == 1 then return 'illegal' end
  local unsent = rec.run == 0 and rec.status == 'pending'
  if mode == 'expire' and (not SETTLED[rec.status] or tonumber(rec.finished) >= before) then return 'illegal' end
  if not SETTLED[rec.status] and not unsent then return 'illegal' end
  if not unsent and rec.subs_completed + rec.subs_failed + rec.subs_cancelled < rec.subs then return 'illegal' end
end

local subs = redis.call('ZRANGE', key('subs', id), 0, -1)
for first = 1, mode == 'undo' and 0 or #subs, 1000 do
  redis.call('SADD', key('trash'), unpack(subs, first, math.min(first + 999, #subs)))
end
unindex(rec)
redis.call('ZREM', key('all'), id)
redis.call('ZREM', key('type', rec.type), id)
not_dispatched(rec)
all_told(id)
redis.call('DEL', KEYS[1], key('data', id), key('log', id), key('history', id), key('executions', id),
  key('subs', id), key('outcomes', id))
redis.call('SREM', key('trash'), id)
if mode == 'delete' or mode == 'trash' then redis.call('SET', key('tombstone', id), '1', 'EX', tombstone_s) end
return 'applied'
