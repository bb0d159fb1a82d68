-- series.lua: the names of keys, and the time series of jobs that settle. The loader (scripts.py) puts it in front of the
-- verbs, before ledger.lua, record.lua and fence.lua, after tables that Python renders: KEY (keys.PREFIXES), LET_GO,
-- NOBODY, SCHEMA (keys), MATRIX, EVIDENCE, PRESUMPTION, SETTLED (lifecycle), GAMMA (histograms), KEEP_S (lifetime of time
-- series in seconds), RUN_MARK (models).
-- A verb's first argument is the prefix of a partition; it touches keys with that prefix only.

local PREFIX -- of the call under way; the server runs one at a time

local function key(name, a, b)
  if b then return PREFIX .. KEY[name] .. a .. ':' .. b end
  return PREFIX .. KEY[name] .. (a or '')
end

local function add(series, field, n)
  if redis.call('HINCRBY', series, field, n) == n then redis.call('EXPIRE', series, KEEP_S, 'NX') end
end

-- One more (or, with n = -1, one less) job that was created, completed, failed, cancelled in that minute.
local function tally(what, at, n)
  local minute = math.floor(at / 60000)
  add(key('flow', math.floor(minute / 60)), (minute % 60) .. ':' .. what, n)
end

local function observe(series, what, ms, n)
  ms = math.max(ms, 0)
  local bucket = ms < 1 and 'zero' or math.ceil(math.log(ms) / math.log(GAMMA))
  add(series, what .. ':' .. bucket, n)
  redis.call('HINCRBY', series, what .. '_sum', ms * n)
  if n > 0 and ms > tonumber(redis.call('HGET', series, what .. '_max') or 0) then
    redis.call('HSET', series, what .. '_max', ms)
  end
end

local function times(rec, at) return key('times', math.floor(at / 3600000), rec.type) end

-- The amounts of a ledger: deliveries, redeliveries, double runs, milliseconds in vain.
local AMOUNTS = { 'deliveries', 'redeliveries', 'double_runs', 'wasted_ms' }
local function chart(series, amounts, n)
  for i = 1, #AMOUNTS do
    if amounts[i] ~= 0 then add(series, AMOUNTS[i], n * amounts[i]) end
  end
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
  local series = times(rec, at)
  add(series, rec.status, n)
  if rec.deliveries ~= 1 or rec.ledger then chart(series, surplus(rec), n) end
  if rec.status == 'cancelled' or not rec.started then return end
  if rec.queued then observe(series, 'wait', rec.started - rec.queued, n) end
  if rec.presumed == 'lose' or rec.presumed == 'quarantine' then return end -- nobody knows when it ended
  observe(series, 'run', at - (rec.began or rec.started), n)
end
