-- mark_parent_notified: note that the parent of a job, in another partition, knows what has become of it.
--
-- KEYS[1]  the job's record
-- ARGV     prefix, id, how often it had left a terminal status when the parent was told ('' where that does not matter),
--          '1' if it had settled
-- Returns  1; 0 where it has moved on since: who moved it tells the parent, or is about to
--- @include lib/indexes
local id, left, had_settled = ARGV[2], ARGV[3], ARGV[4] == '1'
local rec = load_record(id)
if rec then
  local has_settled = SETTLED[rec.status] or false
  if has_settled ~= had_settled or left ~= '' and tonumber(left) ~= rec.reopen_count then return 0 end
end
drop_notification(id)
return 1
