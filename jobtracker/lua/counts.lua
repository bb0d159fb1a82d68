-- counts.lua: how many jobs of some priorities and types there are of each status. Reads only.
--
-- KEYS[1]  the kinds of jobs
-- ARGV     prefix, then '<priority>:<type>' of each kind
-- Returns  '<status>:<priority>:<type>' and a number above 0, in turns
local counts = {}
for i = 2, #ARGV do
  local kind = ARGV[i]
  for status in pairs(MATRIX.start) do
    local n = redis.call('ZCARD', key('entered', status, kind))
    if n > 0 then
      counts[#counts + 1] = status .. ':' .. kind
      counts[#counts + 1] = n
    end
  end
end
return counts
