-- merged_index: a list of jobs is the union of sorted sets, none of which has a job of another, in the order of score and id.
--- @include lib/keys

-- In the order of their bytes, as a sorted set has them; Lua's own < goes by the server's locale.
local function precedes(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Ranks count from the lowest score, ties by id. How many entries of a sorted set stand below (score, id)?
local function entries_below(set, score, id)
  local first = redis.call('ZCOUNT', set, '-inf', '(' .. score)
  local last = first + redis.call('ZCOUNT', set, score, score)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if precedes(redis.call('ZRANGE', set, middle, middle)[1], id) then first = middle + 1 else last = middle end
  end
  return first
end

-- The sets of an index, which is JSON of `list_plan.Index`: their keys, and whether the lowest score does not count there.
local function index_sets(text)
  local index = cjson.decode(text)
  local name = index.name
  if name ~= 'type' and name ~= 'entered' then return { { key = key(name, index.id) } } end
  local sets, is_whole, has_priority, seen = {}, {}, {}, {}
  for _, status in ipairs(index.whole) do is_whole[status] = true end
  for _, priority in ipairs(index.priorities) do has_priority[priority] = true end
  for _, of_type in ipairs(index.without) do seen[of_type] = true end
  local function add(priority, of_type)
    if name == 'entered' then
      for _, status in ipairs(index.statuses) do
        sets[#sets + 1] = { key = key(name, status, priority .. ':' .. of_type), is_whole = is_whole[status] }
      end
    elseif not seen[of_type] then
      seen[of_type] = true
      sets[#sets + 1] = { key = key(name, of_type) }
    end
  end
  if index.types ~= cjson.null then
    for _, of_type in ipairs(index.types) do
      for _, priority in ipairs(index.priorities) do add(priority, of_type) end
    end
    return sets
  end
  local is_without = name == 'entered' and seen or {}
  for _, kind in ipairs(redis.call('SMEMBERS', key('kinds'))) do
    local colon = kind:find(':', 1, true)
    local priority, of_type = kind:sub(1, colon - 1), kind:sub(colon + 1)
    if (name == 'type' or has_priority[priority]) and not is_without[of_type] then add(priority, of_type) end
  end
  return sets
end

-- A list from one end, or behind a place in it, of those that are scored from low to high. Of each set `first` and `last`
-- are the ranks that are left.
local function open_index(sets, is_ascending, low, high, score, id)
  local list = { is_ascending = is_ascending, total = 0, left = 0 }
  for i = 1, #sets do
    local set = sets[i].key
    local first = (low == '-inf' or sets[i].is_whole) and 0 or redis.call('ZCOUNT', set, '-inf', '(' .. low)
    local last = (high == '+inf' and redis.call('ZCARD', set) or redis.call('ZCOUNT', set, '-inf', high)) - 1
    list.total = list.total + math.max(last - first + 1, 0)
    if score and first <= last then
      local rank = entries_below(set, score, id)
      if not is_ascending then last = math.min(last, rank - 1)
      elseif tonumber(redis.call('ZSCORE', set, id) or '') == tonumber(score) then first = math.max(first, rank + 1)
      else first = math.max(first, rank) end
    end
    if first <= last then
      list[#list + 1] = { key = set, first = first, last = last }
      list.left = list.left + last - first + 1
    end
  end
  return list
end

local take_entries, skip_entries
do -- its own names are free again behind it

-- Fetches the next entries of a set that has none at hand, so many at most; false where it has no more.
local function fetch_entries(list, set, most)
  local n = math.min(most, set.last - set.first + 1)
  if n <= 0 then return false end
  local first = list.is_ascending and set.first or set.last - n + 1
  local found = redis.call('ZRANGE', set.key, first, first + n - 1, 'WITHSCORES')
  if list.is_ascending then set.first = set.first + n else set.last = set.last - n end
  set.found, set.n = found, n
  if list.is_ascending then set.at, set.step, set.behind = 1, 2, 2 * n + 1
  else set.at, set.step, set.behind = 2 * n - 1, -2, -1 end
  set.id, set.score = found[set.at], tonumber(found[set.at + 1])
  return true
end

local function comes_before(list, set, other)
  if set.score ~= other.score then return (set.score < other.score) == list.is_ascending end
  return precedes(set.id, other.id) == list.is_ascending
end

-- A list is a heap of its sets from its first entry on: what a set costs does not depend on how many entries are asked for.
local function sift_down(list, at)
  local set = list[at]
  while 2 * at <= #list do
    local below_it = 2 * at
    if below_it < #list and comes_before(list, list[below_it + 1], list[below_it]) then below_it = below_it + 1 end
    if not comes_before(list, list[below_it], set) then break end
    list[at] = list[below_it]
    at = below_it
  end
  list[at] = set
end

-- Takes out the set at a place, and has the last one there.
local function drop_set(list, at)
  list[at] = list[#list]
  table.remove(list)
end

-- Of the next n entries each set has its share, more or less.
local function heapify(list, n)
  for i = #list, 1, -1 do
    local set = list[i]
    local share = n * (set.last - set.first + 1) / list.left
    if not fetch_entries(list, set, math.min(n, math.ceil(1.1 * share) + 2)) then drop_set(list, i) end
  end
  for i = math.floor(#list / 2), 1, -1 do sift_down(list, i) end
  list.is_heap = true
end

-- The next entries, n or as many as there are: their ids, and their scores as texts.
function take_entries(list, n)
  if n > 0 and not list.is_heap then heapify(list, n) end
  local ids, scores, taken = {}, {}, 0
  while taken < n and list[1] do
    local set, rival = list[1], list[2]
    if set.at == set.behind then
      if not fetch_entries(list, set, math.min(2 * set.n, n - taken)) then drop_set(list, 1) end
      sift_down(list, 1)
    else -- it has the next entries as long as they come before those of the two sets below it
      if rival and list[3] and comes_before(list, list[3], rival) then rival = list[3] end
      local found, at, step, behind = set.found, set.at, set.step, set.behind
      repeat
        taken = taken + 1
        ids[taken], scores[taken], at = found[at], found[at + 1], at + step
        if rival and at ~= behind then set.id, set.score = found[at], tonumber(found[at + 1]) end
      until taken == n or at == behind or rival and comes_before(list, rival, set)
      set.at = at
      if rival and at ~= behind then sift_down(list, 1) end
    end
  end
  list.left = list.left - taken
  return ids, scores
end

-- Entries that are stepped over one by one rather than that their place is looked for more closely.
local CLOSE = 40

-- Steps over n entries of a list from which none was taken yet. In several sets it looks for the score up to which there
-- are no more than that; within one score it goes step by step.
function skip_entries(list, n)
  if #list > 1 and n > 0 and n < list.left then
    -- How many entries of each set are stepped over up to a score, between two of which that is known: where they are the
    -- same, there is nothing between them.
    local function stepped(score, near, far)
      local sum, each = 0, {}
      for i = 1, #list do
        local set = list[i]
        if near[i] == far[i] then each[i] = near[i]
        elseif list.is_ascending then
          each[i] = math.min(math.max(redis.call('ZCOUNT', set.key, '-inf', '(' .. score), set.first), set.last + 1) - set.first
        else
          each[i] = set.last - math.max(math.min(redis.call('ZCOUNT', set.key, '-inf', score) - 1, set.last), set.first - 1)
        end
        sum = sum + each[i]
      end
      return sum, each
    end
    local lowest, highest, at_near, at_far = math.huge, -math.huge, {}, {}
    for i = 1, #list do
      at_near[i], at_far[i] = 0, list[i].last - list[i].first + 1
      lowest = math.min(lowest, tonumber(redis.call('ZRANGE', list[i].key, list[i].first, list[i].first, 'WITHSCORES')[2]))
      highest = math.max(highest, tonumber(redis.call('ZRANGE', list[i].key, list[i].last, list[i].last, 'WITHSCORES')[2]))
    end
    -- At `near` no more than n entries are stepped over, beyond `far` more; they are whole milliseconds. Jobs come about
    -- evenly, so the place is looked for where it would be then, a bit short of it, and by halves every other time.
    local near, far = list.is_ascending and lowest or highest, list.is_ascending and highest or lowest
    local up_to_near, up_to_far, by_halves = 0, list.left, false
    while near ~= far and n - up_to_near > CLOSE do
      local share = by_halves and 0.5 or (n - CLOSE / 2 - up_to_near) / math.max(up_to_far - up_to_near, 1)
      local step = math.min(math.max(math.ceil(math.abs(far - near) * share), 1), math.abs(far - near))
      local middle = list.is_ascending and near + step or near - step
      local sum, each = stepped(string.format('%d', middle), at_near, at_far)
      if sum <= n then near, up_to_near, at_near = middle, sum, each
      else far, up_to_far, at_far = list.is_ascending and middle - 1 or middle + 1, sum, each end
      by_halves = not by_halves
    end
    for i = 1, #list do
      local set = list[i]
      if list.is_ascending then set.first = set.first + at_near[i] else set.last = set.last - at_near[i] end
    end
    list.left, n = list.left - up_to_near, n - up_to_near
    take_entries(list, n)
  elseif n > 0 then
    n = math.min(n, list.left)
    if list[1] and #list == 1 then
      if list.is_ascending then list[1].first = list[1].first + n else list[1].last = list[1].last - n end
    else
      for i = #list, 1, -1 do table.remove(list, i) end
    end
    list.left = list.left - n
  end
end

end
