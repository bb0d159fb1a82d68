-- plant.lua: record jobs under ids that are new, without sub-jobs, several at a time. As create.lua does, but that what
-- they enter is written once for all of them.
--
-- KEYS[1]  any key of their partition
-- ARGV     prefix, now (ms), a JSON list with [id, field/value pairs of the record, field/value pairs of the data] of each
-- Sub-jobs are in the index of the untold until their parent is recorded.
local now, jobs = tonumber(ARGV[2]), cjson.decode(ARGV[3])

local entries = {}
local function enter(set, id)
  entries[set] = entries[set] or {}
  table.insert(entries[set], now)
  table.insert(entries[set], id)
end

local kinds = {}
for i = 1, #jobs do
  local id, fields, data = unpack(jobs[i])
  local rec = write_new(id, fields, data, now)
  enter(key('type', rec.type), id)
  enter(key('entered', 'pending', kind_of(rec)), id)
  if rec.parent then enter(key('untold'), id) end
  kinds[kind_of(rec)] = rec
end
for _, rec in pairs(kinds) do introduce(rec) end
for set, members in pairs(entries) do redis.call('ZADD', set, unpack(members)) end
tally('created', now, #jobs)
return #jobs
