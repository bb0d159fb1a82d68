-- series.lua: the names of keys, and the time series of jobs that settle. The loader (scripts.py) puts it in front of the
-- verbs, before ledger.lua, record.lua and fence.lua, after tables that Python renders: KEY (keys.PREFIXES), LET_GO,
-- NOBODY, SCHEMA (keys), MATRIX, EVIDENCE, PRESUMPTION, SETTLED, NORMAL, PRIORITIES (lifecycle), LOG_GAMMA, TOTAL, BUCKETS
-- (histograms), KEEP_S (lifetime of time series in seconds), RUN_MARK (models).
-- A verb's first argument is the prefix of a partition; it touches keys with that prefix only.

local PREFIX -- of the call under way; the server runs one at a time

local function key(name, a, b)
  if b then return PREFIX .. KEY[name] .. a .. ':' .. b end
  return PREFIX .. KEY[name] .. (a or '')
end

-- One more (or, with n = -1, one less) job that was created, completed, failed, cancelled in that minute.
local function tally(what, at, n)
  local minute = math.floor(at / 60000)
  local flow = key('flow', math.floor(minute / 60))
  if redis.call('HINCRBY', flow, (minute % 60) .. ':' .. what, n) == n then redis.call('EXPIRE', flow, KEEP_S, 'NX') end
end

-- The counters of an hour and a type are one string (histograms.py). An entry is what is to be done to them, the arguments
-- of one BITFIELD; it asks for the longest times first, and knows of longer ones.
local WAIT = { sum = 64 * TOTAL.wait_sum, max = 64 * TOTAL.wait_max, buckets = 32 * BUCKETS.wait }
local RUN = { sum = 64 * TOTAL.run_sum, max = 64 * TOTAL.run_max, buckets = 32 * BUCKETS.run }
local function new_entry() return { 'GET', 'i64', WAIT.max, 'GET', 'i64', RUN.max, [WAIT] = 0, [RUN] = 0 } end

local function total(entry, name, n)
  local at = #entry
  if n ~= 0 then entry[at + 1], entry[at + 2], entry[at + 3], entry[at + 4] = 'INCRBY', 'i64', 64 * TOTAL[name], n end
end

local function observe(entry, times, ms, n)
  ms = math.max(ms, 0)
  local at, bucket = #entry, ms < 1 and 0 or math.ceil(math.log(ms) / LOG_GAMMA) + 1
  entry[at + 1], entry[at + 2], entry[at + 3], entry[at + 4] = 'INCRBY', 'i64', times.sum, ms * n
  entry[at + 5], entry[at + 6], entry[at + 7], entry[at + 8] = 'INCRBY', 'u32', times.buckets + 64 * bucket, n
  if n > 0 then entry[times] = ms end
end

local function enter(series, entry)
  if #entry == 6 then return end
  local found = redis.call('BITFIELD', series, 'OVERFLOW', 'SAT', unpack(entry))
  if entry[WAIT] > found[1] then redis.call('BITFIELD', series, 'SET', 'i64', WAIT.max, entry[WAIT]) end
  if entry[RUN] > found[2] then redis.call('BITFIELD', series, 'SET', 'i64', RUN.max, entry[RUN]) end
  if found[3] == entry[10] then redis.call('EXPIRE', series, KEEP_S, 'NX') end -- the first of it
end

local function settled(rec, at) return key('settled', math.floor(at / 3600000), rec.type) end

-- The amounts of a ledger: deliveries, redeliveries, double runs, milliseconds in vain.
local AMOUNTS = { 'deliveries', 'redeliveries', 'double_runs', 'wasted_ms' }
local function chart(entry, amounts, n)
  for i = 1, #AMOUNTS do total(entry, AMOUNTS[i], n * amounts[i]) end
end

local function amounts_in(text)
  local amounts = {}
  for amount in text:gmatch('%d+') do amounts[#amounts + 1] = tonumber(amount) end
  return amounts
end

-- What a settled job has in the time series: of its ledger what is new since an earlier run had settled, and of its
-- deliveries those beyond one, so that the simple course enters nothing.
local function surplus(rec)
  local amounts = rec.ledger and amounts_in(rec.ledger) or { 0, 0, 0 }
  table.insert(amounts, 1, rec.deliveries)
  local before = rec.ledger and rec.ledger_before
  if before then
    for i, amount in ipairs(amounts_in(before)) do amounts[i] = amounts[i] - amount end
  end
  amounts[1] = amounts[1] - 1
  return amounts
end

-- Enters a settled job into the time series, or takes it out again (n = -1).
local function chronicle(rec, at, n)
  tally(rec.status, at, n)
  local entry = new_entry()
  total(entry, rec.status, n)
  if rec.deliveries ~= 1 or rec.ledger then chart(entry, surplus(rec), n) end
  if rec.status ~= 'cancelled' and rec.started then
    if rec.queued then observe(entry, WAIT, rec.started - rec.queued, n) end
    local is_known = rec.presumed ~= 'lose' and rec.presumed ~= 'quarantine' -- else nobody knows when it ended
    if is_known then observe(entry, RUN, at - (rec.began or rec.started), n) end
  end
  enter(settled(rec, at), entry)
end
