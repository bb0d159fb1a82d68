-- list_checks: whether a job is what a list filters by. `list_checks.py` makes the checks, and does the same for records that
-- it has at hand.
--
-- A check is {what is looked at, a field or '', what is wanted, whether it must not be so}. A record is looked at as it is
-- packed, by the places of its fields: to rename them costs more than all the rest.
--
-- What a call costs is counted in records that are looked at: time can't be, for it stands still within a call. Most that
-- a check costs is searching for texts. At worst each byte is compared with the whole text.
--- @include lib/keys
local CHECK = {}
local COST_OF_VALUE = 1 / 200 -- that a check compares
local COST_OF_ASKING = 1 / 2 -- for what is not in the record
local COST_OF_BYTE, COST_OF_TWO_BYTES = 1 / 10000, 1 / 80000 -- that is searched; of each in it and in the text
local spent = 0
local lowered = {} -- texts of one record in lower case

-- Whether a text has a part.
local function has(text, part)
  spent = spent + #text * (COST_OF_BYTE + #part * COST_OF_TWO_BYTES)
  return text:find(part, 1, true) ~= nil
end

-- The same if upper and lower case of ASCII letters do not differ; the part is in lower case.
local function has_lower(text, part)
  if not text then return false end
  local low = lowered[text]
  if not low then
    low = text:lower()
    lowered[text] = low
  end
  return has(low, part)
end

local function stored(fields, name)
  if name == 'finished' then
    return fields[PLACE.finished] or SETTLED[fields[PLACE.status]] and fields[PLACE.status_changed_at] or nil
  end
  if name == 'name' then return fields[PLACE.name] or fields[PLACE.type] end
  return fields[PLACE[name]] or DEFAULT[PLACE[name]]
end

local function is_between(value, wanted) return value and value >= wanted[1] and value <= wanted[2] or false end

local function is_one_of(value, wanted)
  for i = 1, #wanted do
    if value == wanted[i] then return true end
  end
  return false
end

local function has_one_of(text, wanted)
  for i = 1, #wanted do
    if has_lower(text, wanted[i]) then return true end
  end
  return false
end

function CHECK.eq(fields, wanted, field) return is_one_of(stored(fields, field), wanted) end

function CHECK.between(fields, wanted, field) return is_between(tonumber(stored(fields, field) or ''), wanted) end

function CHECK.contains(fields, wanted, field) return has_one_of(stored(fields, field), wanted) end

-- "" is wanted with the default queue: that of a job which names none, and was sent.
function CHECK.queue(fields, wanted)
  local named = fields[PLACE.actual_queue] or fields[PLACE.queue]
  if named and named ~= '' then return is_one_of(named, wanted) end
  return tonumber(fields[PLACE.queued] or '') and is_one_of('', wanted) or false
end

function CHECK.tag(fields, wanted)
  local tags = fields[PLACE.tags]
  for _, tag in ipairs(tags and tags ~= '' and cjson.decode(tags) or {}) do
    if is_one_of(tag, wanted) then return true end
  end
  return false
end

-- Each text stands somewhere.
function CHECK.text(fields, wanted)
  for i = 1, #wanted do
    local text, name = wanted[i], stored(fields, 'name')
    if not (has_lower(name, text) or has_lower(fields[PLACE.type], text) or has_lower(fields[PLACE.reason], text)) then
      return false
    end
  end
  return true
end

function CHECK.origin(fields, wanted)
  local origin = fields[PLACE.origin]
  if origin ~= 'api' and origin ~= 'beat' then origin = fields[PLACE.sent_by] and 'task' or 'plain' end
  return is_one_of(origin, wanted)
end

function CHECK.schedule(fields, wanted, _, id)
  if fields[PLACE.origin] ~= 'beat' then return false end
  return is_one_of(redis.call('HGET', key('data', id), 'schedule'), wanted)
end

function CHECK.has_log(_, wanted, _, id) return (redis.call('EXISTS', key('log', id)) == 1) == wanted end

-- `wanted` ends with the time as it is now.
function CHECK.run_ms(fields, wanted)
  local started = tonumber(fields[PLACE.began] or fields[PLACE.started] or '')
  local ended = tonumber(stored(fields, 'finished') or fields[PLACE.status] == 'running' and wanted[3] or '')
  return started and ended and is_between(math.max(ended - started, 0), wanted) or false
end

-- A countdown or an ETA is no wait (schema.py, waits_from).
function CHECK.wait_ms(fields, wanted)
  local since = tonumber(fields[PLACE.queued] or '')
  if not since then return false end
  local started = tonumber(fields[PLACE.started] or '')
  local ended = started or tonumber(stored(fields, 'finished') or '') or wanted[3]
  since = math.max(since, tonumber(fields[started and PLACE.due or PLACE.eta] or '') or 0)
  return is_between(math.max(ended - since, 0), wanted)
end

-- It has begun by then, and has changed its status since or runs still.
function CHECK.running_at(fields, at)
  local started = tonumber(fields[PLACE.started] or '')
  if not started or started > at then return false end
  return fields[PLACE.status] == 'running' or tonumber(fields[PLACE.status_changed_at]) > at
end

-- What is looked for stands in the record somewhere, or it need not be unpacked.
local function may_match(packed, check)
  local what, wanted, is_negated = check[1], check[3], check[4]
  if is_negated then return true end
  if what == 'eq' or what == 'queue' then
    for i = 1, #wanted do
      if wanted[i] == NORMAL or has(packed, wanted[i]) then return true end
    end
    return false
  end
  if what == 'contains' then return has_one_of(packed, wanted) end
  if what == 'text' then
    for i = 1, #wanted do
      if not has_lower(packed, wanted[i]) then return false end
    end
  end
  if what == 'tag' then
    for i = 1, #wanted do -- JSON may have written other letters in another way
      if wanted[i]:find('[^%w_. -]') or has(packed, wanted[i]) then return true end
    end
    return false
  end
  if what == 'schedule' then return has(packed, 'beat') end
  return true
end

-- What each record costs at least.
local function least_cost(checks)
  local cost = 1
  for i = 1, #checks do
    local what, wanted = checks[i][1], checks[i][3]
    if what == 'schedule' or what == 'has_log' then cost = cost + COST_OF_ASKING end
    cost = cost + COST_OF_VALUE * (type(wanted) == 'table' and #wanted or 1)
  end
  return cost
end

local function passes(id, packed, checks)
  lowered = {}
  for i = 1, #checks do
    if not may_match(packed, checks[i]) then return false end
  end
  local fields = cmsgpack.unpack(packed)
  if not fields[PLACE.status] then return false end
  for i = 1, #checks do
    local check = checks[i]
    if CHECK[check[1]](fields, check[3], check[2], id) == check[4] then return false end
  end
  return true
end
