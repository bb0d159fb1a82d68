-- release_pending: count jobs no more that are not pending, or were not recorded.
--
-- KEYS[1]  the quota
-- ARGV     prefix, ids of the jobs
-- Returns  how many of them were counted
--- @include lib/quota
local seen, ids, held_ids = {}, {}, {}
for n = 2, #ARGV do
  if not seen[ARGV[n]] then ids[#ids + 1] = ARGV[n] end
  seen[ARGV[n]] = true
end
local held, freed = held_of(KEYS[1], ids)
for n, id in ipairs(ids) do
  if held[n] then held_ids[#held_ids + 1] = id end
end
if #held_ids == 0 then return 0 end
count_held('HDEL', KEYS[1], held_ids)
redis.call('HINCRBY', KEYS[1], '', string.format('%d', -freed))
return #held_ids
