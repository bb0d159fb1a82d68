-- plant.lua: record the next part of a tree whose draft was committed. As create.lua does, but that what several jobs have
-- in common is made, and what they enter written, once for all.
--
-- KEYS[1]  the draft
-- ARGV     prefix, the root
-- Returns  how many parts are left; any number of processes may take the next one
-- A part is a JSON list: now (ms), 1 where the tree is started, then of jobs whose records say the same [field/value pairs
-- of the record, a list with [id, field/value pairs of the data, position/id pairs of its sub-jobs] of each]. Parents stand
-- before their sub-jobs, so no job is there whose parents are not. What is started and has no sub-jobs waits to be claimed.
local left, next_part = redis.call('HKEYS', KEYS[1]), math.huge
for i = 1, #left do next_part = math.min(next_part, tonumber(left[i])) end
if #left < 2 then redis.call('ZREM', key('drafts'), ARGV[2]) end
if #left == 0 then return 0 end
if next_part > 1 and redis.call('EXISTS', key('job', ARGV[2])) == 0 then -- it was deleted meanwhile
  redis.call('UNLINK', KEYS[1])
  redis.call('ZREM', key('drafts'), ARGV[2])
  return 0
end
local part = cjson.decode(redis.call('HGET', KEYS[1], next_part))
redis.call('HDEL', KEYS[1], next_part)
local now, is_started, created = part[1], part[2] == 1, 0

local records, entries = {}, {}
local function enter(set, jobs)
  local members = entries[set] or {}
  for i = 1, #jobs do members[#members + 1], members[#members + 2] = now, jobs[i][1] end
  entries[set] = members
end

local AT_ONCE = 1000 -- of a command's arguments
for n = 3, #part do
  local fields, jobs = unpack(part[n])
  local rec = first_record(nil, fields, now)
  if is_started then rec.run, rec.queued = 1, now end
  local packed = packed_of(rec)
  for i = 1, #jobs do
    local id, data, subs = unpack(jobs[i])
    records[#records + 1], records[#records + 2] = key('job', id), packed
    if #data > 0 then redis.call('HSET', key('data', id), unpack(data)) end
    for first = 1, #subs, AT_ONCE do
      redis.call('ZADD', key('subs', id), unpack(subs, first, math.min(first + AT_ONCE - 1, #subs)))
    end
  end
  if is_started and rec.subs == 0 then enter(key('unsent'), jobs) end
  enter(key('type', rec.type), jobs)
  enter(key('entered', 'pending', kind_of(rec)), jobs)
  introduce(rec)
  sent_to_queue(rec, now)
  created = created + #jobs
end
redis.call('MSET', unpack(records))
for set, members in pairs(entries) do redis.call('ZADD', set, unpack(members)) end
tally('created', now, created)
return #left - 1
