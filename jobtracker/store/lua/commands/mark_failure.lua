-- mark_failure: note what somebody says of a group of failures. A partition that does not know the group keeps that too: a
-- job of its own may fail with this error later.
--
-- KEYS[1]  the group
-- ARGV     prefix, id of the group, 'resolved', 'ignored' or 'known', when (ms)
-- Returns  1
--- @include lib/failures
local id, at = ARGV[2], tonumber(ARGV[4])
local group = load_group(id) or new_group(at)
group.mark, group.marked_at, group.regressed_at, group.regressed_in = ARGV[3], at, nil, nil
save_group(id, group)
return 1
