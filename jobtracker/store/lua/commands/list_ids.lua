-- list_ids: entries of a list, the lowest scores first. Reads only.
--
-- KEYS[1]  any key of the partition
-- ARGV     prefix, the index as for list_jobs.lua, lowest score, highest score, how many to step over, most to return
-- Returns  {how many there are in all, id and score, in turns}
--- @include lib/merged_index
local list = open_index(index_sets(ARGV[2]), true, ARGV[3], ARGV[4])
local most, found = tonumber(ARGV[6]), { list.total }
skip_entries(list, tonumber(ARGV[5]))
local ids, scores = take_entries(list, most)
for i = 1, #ids do found[2 * i], found[2 * i + 1] = ids[i], tonumber(scores[i]) end
return found
