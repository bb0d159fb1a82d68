-- oldest.lua: who has been in a status since before a time, the oldest first. Reads only.
--
-- KEYS[1]  any key of the partition
-- ARGV     prefix, status, time (ms), how many to step over, most to return
-- Returns  id and time, in turns
local status, before, offset, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local list, found = open_list(sets_of('entered', status, '', ''), true, '-inf', '(' .. before), {}
skip(list, offset)
for _ = 1, most do
  local id, score = next_of(list, most)
  if not id then break end
  found[#found + 1] = id
  found[#found + 1] = score
end
return found
