-- audit_counts.lua: go on with a recount of the counters by one piece. With the last one it is compared with them.
-- Whatever is counted meanwhile of a job that has been passed is counted there as well (`count` in record.lua): what is
-- compared is of one moment.
--
-- KEYS[1]  the recount under way
-- ARGV     prefix, '1' to repair, token of whoever recounts, '1' for the first piece, how many jobs to look at, after so
--          many seconds without a piece it is forgotten
-- Returns  {state, differences}
-- States   more, done, taken (somebody else recounts), lost (it was forgotten: begin anew)
-- Differences  {counter, what is there, what should be there ('': nothing), 1 if it was repaired}
local repair, token, is_first, size, keep_s = ARGV[2] == '1', ARGV[3], ARGV[4] == '1', tonumber(ARGV[5]), ARGV[6]
local owner, at = unpack(redis.call('HMGET', KEYS[1], 'token', 'at'))
if owner and owner ~= token then return { 'taken', {} } end
if not owner and not is_first then return { 'lost', {} } end
if not owner then redis.call('HSET', KEYS[1], 'token', token) end

local rank = 0
if at then
  local score, last = at:match('^(%S+) (.*)$')
  rank = below(key('all'), score, last)
  if redis.call('ZSCORE', key('all'), last) == score then rank = rank + 1 end
end
local entries = redis.call('ZRANGE', key('all'), rank, rank + size - 1, 'WITHSCORES')
local seen = {}
for i = 1, #entries, 2 do
  local own = redis.call('HMGET', key('job', entries[i]), 'status', 'priority', 'type')
  if own[1] and own[2] and own[3] then
    local field = own[1] .. ':' .. own[2] .. ':' .. own[3]
    seen[field] = (seen[field] or 0) + 1
  end
end
for field, n in pairs(seen) do shift(KEYS[1], field, n) end
if #entries > 0 then redis.call('HSET', KEYS[1], 'at', entries[#entries] .. ' ' .. entries[#entries - 1]) end
if #entries == 2 * size then
  redis.call('EXPIRE', KEYS[1], keep_s)
  return { 'more', {} }
end

local function pairs_of(counters)
  local list, found = redis.call('HGETALL', counters), {}
  for i = 1, #list, 2 do found[list[i]] = list[i + 1] end
  found.token, found.at = nil, nil
  return found
end
local is, wanted, differences = pairs_of(key('counts')), pairs_of(KEYS[1]), {}
local function compare(field)
  if is[field] == wanted[field] then return end
  differences[#differences + 1] = { field, is[field] or '', wanted[field] or '', repair and 1 or 0 }
  if not repair then return end
  if wanted[field] then redis.call('HSET', key('counts'), field, wanted[field])
  else redis.call('HDEL', key('counts'), field) end
end
for field in pairs(is) do compare(field) end
for field in pairs(wanted) do if not is[field] then compare(field) end end
redis.call('DEL', KEYS[1])
return { 'done', differences }
