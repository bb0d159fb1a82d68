-- record: the record of a job. Keeps it as one string, MessagePack of a map from the places of its fields (PLACE) to their
-- values: that takes a third less bytes than a hash of the same fields, and a list reads it in a tenth of the time. The loader
-- writes the place of a field for its name: `rec.status` is rec[0], as unpacked, so nothing is copied. A place that this release
-- does not know stays as it is. Under names a record has `id`, `packed` (as it is stored) and what is noted for `save_record`.
--- @include lib/announcements
--- @include lib/hints
--- @include lib/keys

-- An execution's id says when it began and on which incarnation of a worker (executions).
local function began_ms(execution) return tonumber(execution:match('^%d+')) end
local function incarnation_of(execution) return execution:match('^%d+%-(.*)%-') end

local function set_field(rec, name, value)
  local place = PLACE[name]
  if not place then return end -- it is about the report
  if IS_NUMBER[place] then rec[place] = tonumber(value) or value
  else rec[place] = type(value) == 'number' and text_of(value) or value end
end

-- Defaults are not stored: numbers that are 0 (but the run), a normal priority, a name and a task that are the same as the
-- type; of a settled job when it finished (that is when it came to its status) and the lease that its execution names.
local DEFAULTS = { __index = DEFAULT }

local function decode_record(id, packed)
  local rec = setmetatable(cmsgpack.unpack(packed), DEFAULTS)
  if not rec.status then return nil end
  rec.id, rec.packed = id, packed
  if SETTLED[rec.status] then
    rec.finished = rec.finished or rec.status_changed_at
    rec.lease = rec.lease or rec.execution and incarnation_of(rec.execution)
  end
  return rec
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
  local id, packed, is_noted, taken_out, group_is = rec.id, rec.packed, rec.is_noted, rec.taken_out, rec.group_is
  rec.id, rec.packed, rec.is_noted, rec.taken_out, rec.group_is = nil, nil, nil, nil, nil
  for place, value in pairs(rec) do
    if value == 0 and place ~= PLACE.run then rec[place] = nil end
  end
  rec.run = rec.run
  if rec.priority == NORMAL then rec.priority = nil end
  if rec.name == rec.type then rec.name = nil end
  if rec.task == rec.type then rec.task = nil end
  local finished, lease = rec.finished, rec.lease
  if SETTLED[rec.status] then
    if finished == rec.status_changed_at then rec.finished = nil end
    if rec.execution and lease == incarnation_of(rec.execution) then rec.lease = nil end
  end
  local encoded = cmsgpack.pack(rec)
  rec.finished, rec.lease = finished, lease
  rec.id, rec.packed, rec.is_noted, rec.taken_out, rec.group_is = id, packed, is_noted, taken_out, group_is
  return encoded
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

-- Makes the record of a job that is new of its fields, by their places.
local function new_record(rec, id, now)
  setmetatable(rec, DEFAULTS)
  rec.id, rec.status, rec.created, rec.status_changed_at = id, 'pending', now, now
  if SCHEMA > 1 then rec.schema = SCHEMA end
  return rec
end
