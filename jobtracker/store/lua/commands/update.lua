-- update: change what people may change of a job: name, tags, priority, policy, payload.
--
-- KEYS[1]  the record
-- ARGV     prefix, packed: id, whether only a job that was never sent may be changed so, the caller ('': nobody, or not known),
--          fields of the record, and of the data
-- Outcomes applied, missing, deleted, illegal (it was sent, or has begun)
--- @include lib/history
--- @include lib/indexes
--- @include lib/objects
local id, is_for_unsent, by, fields, data = cmsgpack.unpack(ARGV[2])

local rec = load_record(id)
if not rec then
  discard_unwritten(id, data)
  return missing_outcome(id)
end
if is_for_unsent and (rec.run > 0 or rec.status ~= 'pending') then
  discard_unwritten(id, data)
  return 'illegal'
end
for name, value in pairs(fields) do
  if name == 'priority' and value ~= rec.priority then
    remove_from_index(rec)
    rec.priority = value
    add_kind(rec)
    add_to_index(rec, rec.status_changed_at)
  elseif name == 'callback_mode' then -- of those who may call a parent's task the first one does
    value = rec.callback_mode or value
  end
  set_field(rec, name, value)
end
if next(data) then
  for name, value in pairs(data) do
    if rec.large and VALUE_OF[name] then remove_values(id, { VALUE_OF[name] }, value) end
  end
  set_data(id, data)
  rec.is_noted = true
end
local changed = {} -- of what people can change
for _, name in ipairs(by ~= '' and { 'name', 'tags', 'priority', 'payload' } or {}) do
  if fields[name] or data[name] or data[OBJECT_FIELD[name]] then changed[#changed + 1] = name end
end
if #changed > 0 then note_update(rec, by, changed) end
save_record(rec)
return 'applied'
