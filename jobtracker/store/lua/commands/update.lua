-- update: change what people may change of a job: name, tags, priority, policy, payload.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, '1' if only a job that was never sent may be changed so, the caller ('': nobody, or not known),
--          n, n field/value pairs for the record, field/value pairs for the data
-- Outcomes applied, missing, deleted, illegal (it was sent, or has begun)
--- @include lib/history
--- @include lib/indexes
--- @include lib/objects
local id, unsent, by = ARGV[2], ARGV[3] == '1', table.remove(ARGV, 4)
local n = tonumber(ARGV[4])

local rec = load_record(id)
if not rec then
  discard_unwritten(id, ARGV, 5 + 2 * n)
  return missing_outcome(id)
end
if unsent and (rec.run > 0 or rec.status ~= 'pending') then
  discard_unwritten(id, ARGV, 5 + 2 * n)
  return 'illegal'
end
for i = 5, 4 + 2 * n, 2 do
  if ARGV[i] == 'priority' and ARGV[i + 1] ~= rec.priority then
    remove_from_index(rec)
    rec.priority = ARGV[i + 1]
    add_kind(rec)
    add_to_index(rec, rec.status_changed_at)
  elseif ARGV[i] == 'callback_mode' then -- of those who may call a parent's task the first one does
    ARGV[i + 1] = rec.callback_mode or ARGV[i + 1]
  end
  set_field(rec, ARGV[i], ARGV[i + 1])
end
if #ARGV > 4 + 2 * n then
  for i = 5 + 2 * n, rec.large and #ARGV or 0, 2 do
    if VALUE_OF[ARGV[i]] then remove_values(id, { VALUE_OF[ARGV[i]] }, ARGV[i + 1]) end
  end
  redis.call('HSET', key('data', id), unpack(ARGV, 5 + 2 * n))
  rec.is_noted = true
end
local changed, seen = {}, {} -- of what people can change
for i = 5, by ~= '' and #ARGV or 0, 2 do
  local name = ARGV[i]:gsub('_object$', '')
  if (name == 'name' or name == 'tags' or name == 'priority' or name == 'payload') and not seen[name] then
    changed[#changed + 1] = name
    seen[name] = true
  end
end
if #changed > 0 then note_update(rec, by, changed) end
save_record(rec)
return 'applied'
