-- read_totals: what was counted of jobs of all time, in one moment. Reads only.
--
-- KEYS[1]  the names of the series that the totals do not have yet
-- ARGV     prefix, most of these series
-- Returns  MessagePack of [labels, their totals, names of series that these do not have, these series, fields and values of
--          "counted" in turns, how many jobs of each label are there, types that are named]; the number of such series alone
--          if there are too many
-- The first label is '', that of all types without a name.
--- @include lib/keys
local names, labels = redis.call('SMEMBERS', KEYS[1]), redis.call('SMEMBERS', key('labels'))
if #names > tonumber(ARGV[2]) then return cmsgpack.pack({ #names }) end
table.insert(labels, 1, '')
local named, number, there, seen = redis.call('SMEMBERS', key('named')), {}, {}, {}
for i = 1, #labels do there[i] = 0 end
for _, job_type in ipairs(named) do number[job_type] = 0 end
for i, label in ipairs(labels) do number[label] = number[label] and i end -- those that had been named are counted as others
for _, kind in ipairs(redis.call('SMEMBERS', key('kinds'))) do
  local job_type = kind:match('^[^:]*:(.*)$')
  if job_type and not seen[job_type] then
    seen[job_type] = true
    local i = number[job_type] or 1
    there[i] = there[i] + redis.call('ZCARD', key('type', job_type))
  end
end
local function strings(name, of)
  local keys, found = {}, {}
  for i = 1, #of do keys[i] = key(name, of[i]) end
  for first = 1, #keys, 1000 do
    for _, text in ipairs(redis.call('MGET', unpack(keys, first, math.min(first + 999, #keys)))) do
      found[#found + 1] = text or ''
    end
  end
  return found
end
return cmsgpack.pack({ labels, strings('total', labels), names, strings('settled', names), redis.call('HGETALL', key('counted')),
  there, named })
