-- export_jobs: all that is kept of some jobs, for a backup, each job as it is at one moment. Reads only.
--
-- KEYS[1]  any key of the partition
-- ARGV     prefix, after how many bytes to stop, ids
-- Returns  {at how many of the ids it has looked, how many of the jobs name objects, the parents of the jobs, keys of the jobs
--          that are too large to be read at once (`export_keys` reads them), then MessagePack of each job that is there}
-- A job    {id, job: its record, and of what there is `data`, `executions`, `outcomes`, `bulk` (field, value …), `subs`
--          (sub-job, position …), `history` (entries), `log` ({id, {field, value …}} …), `duties` (index, member, score …)}
--- @include lib/record
local MOST = 1000 -- entries that are read at once
local MOST_OF = { bulk = 20 } -- each of its fields names hundreds of jobs
local SELDOM = { 'log', 'history', 'executions', 'subs', 'outcomes', 'bulk' }
local SIZE = { log = 'XLEN', history = 'LLEN', subs = 'ZCARD', executions = 'HLEN', outcomes = 'HLEN', bulk = 'HLEN' }
local READ = { log = { 'XRANGE', '-', '+' }, history = { 'LRANGE', 0, -1 }, subs = { 'ZRANGE', 0, -1, 'WITHSCORES' },
  executions = { 'HGETALL' }, outcomes = { 'HGETALL' }, bulk = { 'HGETALL' } }
local DUTIES = { unnotified = 'job', expiring = 'job', unanswered = 'job', unsent = 'run', unconfirmed = 'run' }

local budget, size, looked, large = tonumber(ARGV[2]), 0, 0, 0
local parents, apart, found = {}, {}, {}
local duties = {}
for name in pairs(DUTIES) do
  if redis.call('EXISTS', key(name)) == 1 then duties[#duties + 1] = name end
end

local function read_seldom(told, id)
  for _, name in ipairs(SELDOM) do
    local n = redis.call(SIZE[name], key(name, id))
    if n > (MOST_OF[name] or MOST) then apart[#apart + 1] = KEY[name] .. id
    elseif n > 0 then
      local read = READ[name]
      told[name] = redis.call(read[1], key(name, id), unpack(read, 2))
    end
  end
end

local function duties_of(rec)
  local told = nil
  for _, name in ipairs(duties) do
    local member = DUTIES[name] == 'job' and rec.id or task_id(rec)
    local score = redis.call('ZSCORE', key(name), member)
    if score then
      told = told or {}
      for _, each in ipairs({ name, member, score }) do told[#told + 1] = each end
    end
  end
  return told
end

for i = 3, #ARGV do
  if size >= budget then break end
  looked = looked + 1
  local id = ARGV[i]
  local packed = redis.call('GET', key('job', id))
  if packed then
    local told = { id = id, job = packed }
    local data = redis.call('HGETALL', key('data', id))
    if #data > 0 then told.data = data end
    local seldom = {}
    for n, name in ipairs(SELDOM) do seldom[n] = key(name, id) end
    if redis.call('EXISTS', unpack(seldom)) > 0 then read_seldom(told, id) end
    local rec = decode_record(id, packed)
    if rec then
      told.duties = duties_of(rec)
      if rec.large then large = large + 1 end
      if rec.parent then parents[#parents + 1] = rec.parent end
    end
    local blob = cmsgpack.pack(told)
    size = size + #blob
    found[#found + 1] = blob
  end
end
return { looked, large, parents, apart, unpack(found) }
