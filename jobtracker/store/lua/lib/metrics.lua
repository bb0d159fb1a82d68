-- metrics: the time series of jobs that settle.
--- @include lib/keys
--- @include lib/totals

-- One more (or, with n = -1, one less) job that was created, completed, failed, cancelled in that minute.
local function count_flow(what, at, n)
  local minute = math.floor(at / 60000)
  local flow, place = key('flow', text_of(math.floor(minute / 60))), 32 * (4 * (minute % 60) + FLOW[what])
  if redis.call('BITFIELD', flow, 'INCRBY', 'i32', place, n)[1] == n then redis.call('EXPIRE', flow, KEEP_S, 'NX') end
end

-- The counters of an hour and a type are one string (histograms.py). An entry is what is to be done to them, the arguments
-- of one BITFIELD; it asks for the longest times and whether the totals have them first, and knows of longer ones.
local WAIT_TIMES = { sum = TOTAL.wait_sum, max = TOTAL.wait_max, buckets = 32 * BUCKETS.wait }
local RUN_TIMES = { sum = TOTAL.run_sum, max = TOTAL.run_max, buckets = 32 * BUCKETS.run }
local function new_counters()
  return { 'GET', 'i64', WAIT_TIMES.max, 'GET', 'i64', RUN_TIMES.max, 'GET', 'i64', TOTAL.folded, nil, nil, nil, nil, nil, nil,
    nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, [WAIT_TIMES] = 0, [RUN_TIMES] = 0 } -- it need not grow
end

local function add_total(entry, name, n)
  local at = #entry
  if n < 0 then entry.takes_out = true end
  if n ~= 0 then entry[at + 1], entry[at + 2], entry[at + 3], entry[at + 4] = 'INCRBY', 'i64', TOTAL[name], n end
end

local function bucket_of(ms) return ms < 1 and 0 or math.ceil(math.log(ms) / LOG_GAMMA) + 1 end

local function add_duration(entry, times, ms, n)
  ms = math.max(ms, 0)
  local at, bucket = #entry, bucket_of(ms)
  entry[at + 1], entry[at + 2], entry[at + 3], entry[at + 4] = 'INCRBY', 'i64', times.sum, ms * n
  entry[at + 5], entry[at + 6], entry[at + 7], entry[at + 8] = 'INCRBY', 'u32', times.buckets + 64 * bucket, n
  if n > 0 then entry[times] = ms end
end

-- The counters are those of the job's type and the hour.
local function write_counters(rec, at, entry)
  local first = 10 -- of what is done
  if #entry < first then return end
  local hour = text_of(math.floor(at / 3600000))
  local series = key('settled', hour, rec.type)
  local found = redis.call('BITFIELD', series, 'OVERFLOW', 'SAT', unpack(entry))
  if entry[WAIT_TIMES] > found[1] then redis.call('BITFIELD', series, 'SET', 'i64', WAIT_TIMES.max, entry[WAIT_TIMES]) end
  if entry[RUN_TIMES] > found[2] then redis.call('BITFIELD', series, 'SET', 'i64', RUN_TIMES.max, entry[RUN_TIMES]) end
  if found[3] == 1 then totals.note(rec.type, entry, first, true)
  elseif found[4] == entry[first + 3] then redis.call('SADD', key('unfolded'), hour .. ':' .. rec.type) end -- the first of it
  if found[3] == 0 and entry.takes_out then totals.note(rec.type, entry, first, false) end
end

local function counters_key(rec, at) return key('settled', text_of(math.floor(at / 3600000)), rec.type) end

-- The amounts of a ledger: deliveries, redeliveries, double runs, milliseconds in vain.
local AMOUNTS = { 'deliveries', 'redeliveries', 'double_runs', 'wasted_ms' }
local function add_ledger(entry, amounts, n)
  for i = 1, #AMOUNTS do add_total(entry, AMOUNTS[i], n * amounts[i]) end
end

local function ledger_amounts(text)
  local amounts = {}
  for amount in text:gmatch('%d+') do amounts[#amounts + 1] = tonumber(amount) end
  return amounts
end

-- What a settled job has in the time series: of its ledger what is new since an earlier run had settled, and of its
-- deliveries those beyond one, so that the simple course enters nothing.
local function uncounted_ledger(rec)
  local amounts = rec.ledger and ledger_amounts(rec.ledger) or { 0, 0, 0 }
  table.insert(amounts, 1, rec.deliveries)
  local before = rec.ledger and rec.ledger_before
  if before then
    for i, amount in ipairs(ledger_amounts(before)) do amounts[i] = amounts[i] - amount end
  end
  amounts[1] = amounts[1] - 1
  return amounts
end

-- The counters of a day, a release and a type, with the same places as above: only the outcomes and the run times. Which of
-- them there are stands in an index, by day. The oldest go when there are more than MOST_RELEASE_SERIES.
local count_release
do -- Lua lets a library have 200 local names; those in a block are free again behind it
local SERIES_DAY_MS = 86400000
local function remember_series(name, day)
  local index = key('release_index')
  redis.call('ZADD', index, 'NX', day, name)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', day - math.ceil(KEEP_S / 86400) - 1)
  if redis.call('ZCARD', index) > MOST_RELEASE_SERIES then
    redis.call('UNLINK', key('released', redis.call('ZPOPMIN', index)[1]))
  end
end

function count_release(rec, at, n, run_ms)
  local day = math.floor(at / SERIES_DAY_MS)
  local name = text_of(day) .. ':' .. text_of(#rec.release) .. ':' .. rec.release .. ':' .. rec.type
  local series, outcome = key('released', name), TOTAL[rec.status]
  local found
  if run_ms then
    run_ms = math.max(run_ms, 0)
    local bucket = bucket_of(run_ms)
    found = redis.call('BITFIELD', series, 'OVERFLOW', 'SAT', 'INCRBY', 'i64', outcome, n, 'INCRBY', 'i64', RUN_TIMES.sum,
      run_ms * n, 'INCRBY', 'u32', RUN_TIMES.buckets + 64 * bucket, n)
  else
    found = redis.call('BITFIELD', series, 'OVERFLOW', 'SAT', 'INCRBY', 'i64', outcome, n)
  end
  if found[1] == n then -- the first with this outcome
    redis.call('EXPIRE', series, KEEP_S, 'NX')
    remember_series(name, day)
  end
end

end

-- Enters a settled job into the time series, or takes it out again (n = -1).
local function count_settled(rec, at, n)
  count_flow(rec.status, at, n)
  local entry, run_ms = new_counters(), nil
  entry.verdicts = n
  add_total(entry, rec.status, n)
  if rec.deliveries ~= 1 or rec.ledger then add_ledger(entry, uncounted_ledger(rec), n) end
  if rec.status ~= 'cancelled' and rec.started then
    if rec.queued then add_duration(entry, WAIT_TIMES, rec.started - math.max(rec.queued, rec.due or 0), n) end
    local is_known = rec.inferred ~= 'lose' and rec.inferred ~= 'quarantine' -- else nobody knows when it ended
    if is_known then
      run_ms = at - (rec.began or rec.started)
      add_duration(entry, RUN_TIMES, run_ms, n)
    end
  end
  if n > 0 or redis.call('EXISTS', counters_key(rec, at)) == 1 then write_counters(rec, at, entry) end -- else it has expired
  if rec.release then count_release(rec, at, n, run_ms) end
end
