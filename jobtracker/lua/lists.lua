-- lists.lua: a list of jobs is the union of sorted sets, none of which has a job of another, in the order of score and id.
-- The loader puts it in front of the verbs, behind record.lua.

-- The keys of the sets of an index: 'type' has one for each type, 'entered' one for each status, priority and type. Of
-- these types and priorities '' stands for any.
local function sets_of(name, a, b, c)
  if name == 'type' and a ~= '' or name ~= 'type' and name ~= 'entered' then return { key(name, a) } end
  if name == 'entered' and b ~= '' and c ~= '' then return { key(name, a, b .. ':' .. c) } end
  local sets, seen = {}, {}
  for _, kind in ipairs(redis.call('SMEMBERS', key('kinds'))) do
    local priority, of_type = kind:match('^(.-):(.*)$')
    if name == 'entered' then
      if (b == '' or b == priority) and (c == '' or c == of_type) then sets[#sets + 1] = key(name, a, kind) end
    elseif not seen[of_type] then
      seen[of_type] = true
      sets[#sets + 1] = key(name, of_type)
    end
  end
  return sets
end

-- A list from one end, or behind a place in it, of those that are scored from low to high. Of each set `first` and `last`
-- are the ranks that are left.
local function open_list(sets, is_ascending, low, high, score, id)
  local list = { is_ascending = is_ascending, total = 0, left = 0 }
  for i = 1, #sets do
    local set = sets[i]
    local first = low == '-inf' and 0 or redis.call('ZCOUNT', set, '-inf', '(' .. low)
    local last = (high == '+inf' and redis.call('ZCARD', set) or redis.call('ZCOUNT', set, '-inf', high)) - 1
    list.total = list.total + math.max(last - first + 1, 0)
    if score and first <= last then
      local rank = below(set, score, id)
      if not is_ascending then last = math.min(last, rank - 1)
      elseif tonumber(redis.call('ZSCORE', set, id) or '') == tonumber(score) then first = math.max(first, rank + 1)
      else first = math.max(first, rank) end
    end
    if first <= last then
      list[#list + 1] = { key = set, first = first, last = last, at = 1, ids = {}, scores = {} }
      list.left = list.left + last - first + 1
    end
  end
  return list
end

-- Fetches the next entries of a set that has none at hand; false where it has no more.
local function fetch(list, set, most)
  local n = math.min(most, set.last - set.first + 1)
  if n <= 0 then return false end
  local first = list.is_ascending and set.first or set.last - n + 1
  local found = redis.call('ZRANGE', set.key, first, first + n - 1, 'WITHSCORES')
  if list.is_ascending then set.first = set.first + n else set.last = set.last - n end
  for i = 1, n do
    local from = 2 * (list.is_ascending and i or n + 1 - i) - 1
    set.ids[i], set.scores[i] = found[from], tonumber(found[from + 1])
  end
  set.at, set.n = 1, n
  return true
end

-- The next entry: its id and score, or nil. `most` is how many will be asked for, about.
local function next_of(list, most)
  local best
  for i = #list, 1, -1 do
    local set = list[i]
    if set.at > (set.n or 0) and not fetch(list, set, math.ceil(most / #list) + 1) then table.remove(list, i)
    elseif not best then best = set
    else
      local a, b = set.scores[set.at], best.scores[best.at]
      local is_before = a < b or a == b and precedes(set.ids[set.at], best.ids[best.at])
      if is_before == list.is_ascending then best = set end
    end
  end
  if not best then return nil end
  best.at, list.left = best.at + 1, list.left - 1
  return best.ids[best.at - 1], best.scores[best.at - 1]
end

-- Entries that are stepped over one by one rather than that their place is looked for more closely.
local CLOSE = 40

-- Steps over n entries of a list from which none was taken yet. In several sets it looks for the score up to which there
-- are no more than that; within one score it goes step by step.
local function skip(list, n)
  if #list > 1 and n > 0 and n < list.left then
    local function stepped(score)
      local sum, ends = 0, {}
      for i = 1, #list do
        local set = list[i]
        if list.is_ascending then
          ends[i] = math.min(math.max(redis.call('ZCOUNT', set.key, '-inf', '(' .. score), set.first), set.last + 1)
          sum = sum + ends[i] - set.first
        else
          ends[i] = math.max(math.min(redis.call('ZCOUNT', set.key, '-inf', score) - 1, set.last), set.first - 1)
          sum = sum + set.last - ends[i]
        end
      end
      return sum, ends
    end
    local lowest, highest = math.huge, -math.huge
    for i = 1, #list do
      lowest = math.min(lowest, tonumber(redis.call('ZRANGE', list[i].key, list[i].first, list[i].first, 'WITHSCORES')[2]))
      highest = math.max(highest, tonumber(redis.call('ZRANGE', list[i].key, list[i].last, list[i].last, 'WITHSCORES')[2]))
    end
    -- At `near` no more than n entries are stepped over, beyond `far` more; they are whole milliseconds. Jobs come about
    -- evenly, so the place is looked for where it would be then, a bit short of it, and by halves every other time.
    local near, far = list.is_ascending and lowest or highest, list.is_ascending and highest or lowest
    local at_near, at_far, by_halves = 0, list.left, false
    while near ~= far and n - at_near > CLOSE do
      local share = by_halves and 0.5 or (n - CLOSE / 2 - at_near) / math.max(at_far - at_near, 1)
      local step = math.min(math.max(math.ceil(math.abs(far - near) * share), 1), math.abs(far - near))
      local middle = list.is_ascending and near + step or near - step
      local sum = stepped(string.format('%d', middle))
      if sum <= n then near, at_near = middle, sum
      else far, at_far = list.is_ascending and middle - 1 or middle + 1, sum end
      by_halves = not by_halves
    end
    local sum, ends = stepped(string.format('%d', near))
    for i = 1, #list do
      if list.is_ascending then list[i].first = ends[i] else list[i].last = ends[i] end
    end
    list.left, n = list.left - sum, n - sum
    for _ = 1, n do next_of(list, n) end
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
