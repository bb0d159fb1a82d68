-- totals: what was counted of jobs of all time. They never go back and never expire; those of "settled" may do both.
--
-- The series of an hour and a type are what is counted first. They are entered into the totals later, once (`fold`), and say
-- then that they are: "folded". So what was counted ever is the total and the series that are not folded, and to count a job
-- costs nothing more. What comes too late for that is entered into both. What is taken out of a series again, because a
-- verdict was corrected or the job runs once more, stays in the total: it did happen.
-- A label is a type that has a name of its own, or '' for all others. A type that is moved from one to the other takes nothing
-- along: each label keeps what was counted under it.
--- @include lib/keys
local totals = {}

do -- its own names are free again behind it

-- In a total all counters have 64 bits.
local HEAD = 32 * BUCKETS.wait
local function place_in_total(at) return at < HEAD and at or 2 * at - HEAD end

function totals.label_of(job_type) return redis.call('SISMEMBER', key('named'), job_type) == 1 and job_type or '' end

local MOST_PLACES = 400 -- of one command
local function add_to_total(label, places, amounts)
  for first = 1, #places, MOST_PLACES do
    local args = { key('total', label), 'OVERFLOW', 'SAT' }
    for i = first, math.min(first + MOST_PLACES - 1, #places) do
      local n = #args
      args[n + 1], args[n + 2], args[n + 3], args[n + 4] = 'INCRBY', 'i64', text_of(places[i]), amounts[i]
    end
    redis.call('BITFIELD', unpack(args))
  end
end

-- Enters into the total what was done to a series and what the series does not tell it: more, where it is folded, and less,
-- where it is not. `entry` is that of metrics, from an argument on. Deliveries are those beyond one of each verdict, so a
-- verdict without any has one less: they go with it.
function totals.note(job_type, entry, from, is_folded)
  local places, amounts, verdicts = {}, {}, entry.verdicts or 0
  for i = from, #entry, 4 do
    local amount = is_folded and entry[i + 3] or -entry[i + 3]
    local counts = amount > 0
    if verdicts ~= 0 and entry[i + 2] == TOTAL.deliveries then counts = (verdicts > 0) == is_folded end
    if counts then
      places[#places + 1], amounts[#amounts + 1] = place_in_total(tonumber(entry[i + 2])), amount
    end
  end
  if #places > 0 then add_to_total(totals.label_of(job_type), places, amounts) end
end

-- Enters a series into the total, and lets it expire.
function totals.fold(name, label)
  if redis.call('SREM', key('unfolded'), name) == 0 then return 0 end
  local series, heads, places, amounts = key('settled', name), {}, {}, {}
  local text = redis.call('GET', series)
  if not text then return 0 end
  for i = 1, SUMMED do heads[#heads + 1] = 'GET'; heads[#heads + 1] = 'i64'; heads[#heads + 1] = text_of(64 * (i - 1)) end
  for i, amount in ipairs(redis.call('BITFIELD_RO', series, unpack(heads))) do
    if amount ~= 0 then places[#places + 1], amounts[#amounts + 1] = 64 * (i - 1), amount end
  end
  local at = text:find('[^%z]', HEAD / 8 + 1)
  while at do
    local first = at - (at - 1) % 4
    local a, b, c, d = text:byte(first, first + 3)
    places[#places + 1] = place_in_total(8 * (first - 1))
    amounts[#amounts + 1] = ((a * 256 + (b or 0)) * 256 + (c or 0)) * 256 + (d or 0)
    at = text:find('[^%z]', first + 4)
  end
  if #places > 0 then add_to_total(label, places, amounts) end
  redis.call('BITFIELD', series, 'SET', 'i64', TOTAL.folded, 1)
  redis.call('EXPIRE', series, KEEP_S)
  return 1
end

-- Counts something; what has too many names is counted without.
function totals.count(what, label, n)
  local field = what .. ':' .. label
  local is_new = redis.call('HINCRBY', key('counted'), field, n) == n
  if is_new and what:find('^failed:.') and redis.call('HLEN', key('counted')) > MOST_COUNTED then
    redis.call('HDEL', key('counted'), field)
    redis.call('HINCRBY', key('counted'), 'failed::' .. label, n)
  end
end

function totals.count_failure(rec)
  local error_type = (rec.error_type or ''):gsub(':', '.'):sub(1, 200)
  totals.count('failed:' .. error_type, totals.label_of(rec.type), 1)
end

-- Jobs are gone, or have got another type. Those that were created are those that are there, and these.
function totals.note_removed(job_type, n) totals.count('created', totals.label_of(job_type), n) end

-- From now on a type is counted under its own name, if there is room, or not. The series that are not folded go to where they
-- were counted.
function totals.set_named(job_type, is_named)
  local from = totals.label_of(job_type)
  local to = is_named and job_type or ''
  if from == to then return 0 end
  if is_named then
    if redis.call('SCARD', key('named')) >= MOST_NAMED then return 0 end
    if redis.call('SADD', key('labels'), job_type) == 1 and redis.call('SCARD', key('labels')) > MOST_LABELS then
      redis.call('SREM', key('labels'), job_type) -- the names have changed hands often enough
      return 0
    end
  end
  for _, name in ipairs(redis.call('SMEMBERS', key('unfolded'))) do
    if name:match('^%d+:(.*)$') == job_type then totals.fold(name, from) end
  end
  local there = redis.call('ZCARD', key('type', job_type))
  if there > 0 then
    totals.count('created', from, there)
    totals.count('created', to, -there)
  end
  redis.call(is_named and 'SADD' or 'SREM', key('named'), job_type)
  return 1
end

end
