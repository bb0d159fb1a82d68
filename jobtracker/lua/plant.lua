-- plant.lua: record jobs under ids that are new, without sub-jobs, many at a time, as to be sent by whoever claims their
-- first runs. As create.lua does, but that what several have in common is made, and what they enter written, once for all.
--
-- KEYS[1]  any key of their partition
-- ARGV     prefix, now (ms), a JSON list with, of jobs whose records say the same, [field/value pairs of the record, a list
--          with [id, field/value pairs of the data] of each]
-- Sub-jobs are in the index of the untold until their parent is recorded.
local now, groups, created = tonumber(ARGV[2]), cjson.decode(ARGV[3]), 0

local records, entries = {}, {}
local function enter(set, jobs)
  local members = entries[set] or {}
  for i = 1, #jobs do members[#members + 1], members[#members + 2] = now, jobs[i][1] end
  entries[set] = members
end

for _, group in ipairs(groups) do
  local fields, jobs = unpack(group)
  local rec = first_record(nil, fields, now)
  rec.run, rec.queued = 1, now
  local packed = packed_of(rec)
  for i = 1, #jobs do
    local id, data = unpack(jobs[i])
    records[#records + 1], records[#records + 2] = key('job', id), packed
    if #data > 0 then redis.call('HSET', key('data', id), unpack(data)) end
  end
  enter(key('unsent'), jobs)
  enter(key('type', rec.type), jobs)
  enter(key('entered', 'pending', kind_of(rec)), jobs)
  if rec.parent then enter(key('untold'), jobs) end
  introduce(rec)
  sent_to_queue(rec, now)
  created = created + #jobs
end
redis.call('MSET', unpack(records))
for set, members in pairs(entries) do redis.call('ZADD', set, unpack(members)) end
tally('created', now, created)
return created
