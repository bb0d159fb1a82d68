-- record: the record of a job. Keeps it as one string, MessagePack of a map from the places of its fields (PLACE) to their
-- values: that takes a third less bytes than a hash of the same fields, and a list reads it in a tenth of the time. A place
-- that this release does not know stays as it is, under its number.
--- @include lib/announcements
--- @include lib/hints
--- @include lib/keys

-- An execution's id says when it began and on which incarnation of a worker (executions).
local function began_ms(execution) return tonumber(execution:match('^%d+')) end
local function incarnation_of(execution) return execution:match('^%d+%-(.*)%-') end

local function set_field(rec, name, value)
  if IS_NUMBER[name] then rec[name] = tonumber(value) or value
  else rec[name] = type(value) == 'number' and text_of(value) or value end
end

-- Defaults are not stored: numbers that are 0 (but the run), a normal priority, a name and a task that are the same as the
-- type; of a settled job when it finished (that is when it came to its status) and the lease that its execution names.
local DEFAULTS = { __index = DEFAULT }

local function new_record(id)
  local rec = { id = id, run = nil, status = nil, type = nil, created = nil, status_changed_at = nil, queued = nil, queue = nil,
    started = nil, finished = nil, worker = nil, lease = nil, execution = nil, executing = nil, deliveries = nil,
    origin = nil, packed = nil } -- so many that it has room for the others, and need not grow
  return setmetatable(rec, DEFAULTS)
end

local function decode_record(id, packed)
  local rec = new_record(id)
  for place, value in pairs(cmsgpack.unpack(packed)) do rec[NAME[place] or place] = value end
  rec.packed = packed
  if SETTLED[rec.status] then
    rec.finished = rec.finished or rec.status_changed_at
    rec.lease = rec.lease or rec.execution and incarnation_of(rec.execution)
  end
  return rec.status and rec or nil
end

-- The record of a job, or nil where there is none. What is changed of it is kept by `save`. Also what a further key holds,
-- if one is named.
local function load_record(id, further)
  local found = further and redis.call('MGET', key('job', id), watching_key(), announcements.wanted_key(), further)
    or redis.call('MGET', key('job', id), watching_key(), announcements.wanted_key())
  local packed = found[1] or redis.call('GET', key('job', id)) -- an error where it is no string, but something else
  is_watched, announcements.are_wanted = found[2], found[3]
  return packed and decode_record(id, packed), found[4]
end

-- The record of another job than that of the call.
local function load_other(id)
  local packed = redis.call('GET', key('job', id))
  return packed and decode_record(id, packed)
end

local function encode_record(rec)
  local as_type = rec.type
  local fields = { -- room for twice as many, whichever they are: it need not grow
    [0] = nil, [1] = nil, [2] = nil, [3] = nil, [4] = nil, [5] = nil, [6] = nil, [7] = nil, [8] = nil,
    [9] = nil, [10] = nil, [11] = nil, [12] = nil, [13] = nil, [14] = nil, [15] = nil, [16] = nil }
  for name, value in pairs(rec) do
    local place = PLACE[name] or tonumber(name)
    if place and value ~= 0 then fields[place] = value end
  end
  fields[PLACE.run] = rec.run
  if rec.priority == NORMAL then fields[PLACE.priority] = nil end
  if rec.name == as_type then fields[PLACE.name] = nil end
  if rec.task == as_type then fields[PLACE.task] = nil end
  if SETTLED[rec.status] then
    if rec.finished == rec.status_changed_at then fields[PLACE.finished] = nil end
    if rec.execution and rec.lease == incarnation_of(rec.execution) then fields[PLACE.lease] = nil end
  end
  return cmsgpack.pack(fields)
end

-- `is_noted`: something else that is known of the job has changed.
local function save_record(rec)
  local packed, before = encode_record(rec), rec.packed
  if packed ~= before then
    redis.call('SET', key('job', rec.id), packed)
    rec.packed = packed
  end
  if is_watched and (packed ~= before or rec.is_noted) then hint_at_change(rec.id, before, packed, rec.is_noted) end
  if announcements.are_wanted and packed ~= before then announcements.note(rec, before) end
  rec.is_noted = nil
end

-- What a record holds, by the places of its fields; nothing where there is none.
local function fields_in(packed) return packed and cmsgpack.unpack(packed) or {} end

local function missing_outcome(id)
  if redis.call('EXISTS', key('tombstone', id)) == 1 then return 'deleted' end
  return 'missing'
end

-- As JobRecord.task_id.
local function task_id(rec) return rec.run > 1 and rec.run ~= rec.reused and rec.id .. RUN_MARK .. rec.run or rec.id end

-- The record of a job that is new, with these fields.
local function created_record(id, fields, now)
  local rec = new_record(id)
  rec.status, rec.created, rec.status_changed_at = 'pending', now, now
  if SCHEMA > 1 then rec.schema = SCHEMA end
  for name, value in pairs(fields) do set_field(rec, name, value) end
  return rec
end
