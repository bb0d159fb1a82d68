-- counts.lua: how many jobs there are of each status, priority and type. Reads only.
--
-- KEYS[1]  the kinds of jobs
-- ARGV     prefix
-- Returns  '<status>:<priority>:<type>' and a number above 0, in turns
local counts = {}
for _, kind in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  for status in pairs(MATRIX.start) do
    local n = redis.call('ZCARD', key('entered', status, kind))
    if n > 0 then
      counts[#counts + 1] = status .. ':' .. kind
      counts[#counts + 1] = n
    end
  end
end
return counts
