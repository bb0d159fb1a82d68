-- count_jobs: how many jobs of each priority and type there are of each status. Reads only.
--
-- KEYS[1]  the kinds of jobs
-- ARGV     prefix, most kinds to count, then '<priority>:<type>' of each; of none: all there are
-- Returns  MessagePack of [a list of '<status>:<priority>:<type>' and a number above 0, in turns, kinds that are left]
--- @include lib/keys
local most, counts, left = tonumber(ARGV[2]), {}, {}
local kinds = #ARGV > 2 and { unpack(ARGV, 3) } or redis.call('SMEMBERS', key('kinds'))
for i, kind in ipairs(kinds) do
  if i > most then left[#left + 1] = kind
  else
    for status in pairs(MATRIX.start) do
      local n = redis.call('ZCARD', key('entered', status, kind))
      if n > 0 then
        counts[#counts + 1] = status .. ':' .. kind
        counts[#counts + 1] = n
      end
    end
  end
end
return cmsgpack.pack({ counts, left })
