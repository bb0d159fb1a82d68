-- verify_index: compare entries of an index with the records.
--
-- KEYS[1]  the index
-- ARGV     prefix, '1' to repair, the status, the priority, the type and the group of failures whose jobs belong there ('' for
--          any), ids
-- Returns  {the ids that do not belong there, 1 if they were removed}
--- @include lib/record
--- @include lib/totals
local repair, status, priority, kind = ARGV[2] == '1', ARGV[3], ARGV[4], ARGV[5]
local group, strays = ARGV[6], {}
local is_known = group == '' or redis.call('EXISTS', key('failure', group)) == 1
for i = 7, #ARGV do
  local rec = load_record(ARGV[i])
  local belongs = rec and (status == '' or rec.status == status) and (priority == '' or rec.priority == priority)
    and (kind == '' or rec.type == kind) and (group == '' or rec.failure_group == group) and is_known
  if not belongs and redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    strays[#strays + 1] = ARGV[i]
    if repair and redis.call('ZREM', KEYS[1], ARGV[i]) == 1 and KEYS[1] == key('type', kind) then
      totals.note_removed(kind, 1)
    end
  end
end
return { strays, repair and 1 or 0 }
