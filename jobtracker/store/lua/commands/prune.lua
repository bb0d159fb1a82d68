-- prune: remove jobs whose time is over from a few indexes of those that have settled, the oldest of each first.
--
-- KEYS[1]  any key of their partition
-- ARGV     prefix, finished before (ms), most jobs to look at, '1' where the others of a tree may lie in other
--          partitions, then of each index status, '<priority>:<type>', score and id of the last entry that was looked at
--          and stays ('' for none)
-- Returns  {how many have gone, how many of the indexes have been looked through, 1 if there is trash, ids of those that
--          are to be looked at with their trees, and of each index in which something stays its number, from 0, and score
--          and id of the last such entry}
-- An index from which all of them go begins with others the next time, so it needs no place to go on at.
--- @include lib/merged_index
--- @include lib/removal
local before, left, mode = ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1' and 'alone' or 'expire'
local removed, through, apart, places = 0, 0, {}, {}
for i = 5, #ARGV, 4 do
  local set, score, id = key('entered', ARGV[i], ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local first, last = 0, redis.call('ZCOUNT', set, '-inf', '(' .. before) - 1
  if last >= 0 and id ~= '' then
    first = entries_below(set, score, id)
    if redis.call('ZSCORE', set, id) == score then first = first + 1 end
  end
  if first <= last then
    local found = redis.call('ZRANGE', set, first, math.min(last, first + left - 1))
    local outcomes, stays = remove_jobs(mode, tonumber(before), '', found), nil
    for n = 1, #found do
      if outcomes[n] == 'applied' then removed = removed + 1 else stays = found[n] end
      if outcomes[n] == 'apart' then apart[#apart + 1] = found[n] end
    end
    if stays then
      local at = #places
      places[at + 1], places[at + 2], places[at + 3] = (i - 5) / 4, redis.call('ZSCORE', set, stays), stays
    end
    left = left - #found
    if last - first + 1 > #found then break end
  end
  through = through + 1
  if left == 0 then break end
end
return { removed, through, redis.call('EXISTS', key('trash')), apart, places }
