-- page.lua: one page of an index, with the records on it. Reads only.
--
-- KEYS[1]  the index, a sorted set of job ids
-- ARGV     prefix, 'asc' or 'desc', most records to return, most entries to look at, lowest score, highest score,
--          matches to skip, cursor's score ('' for the first page), cursor's id, filters (JSON)
-- Filters  a list of {operator, field, value}: eq; contains (case is ignored); tag; between (value = [low, high])
-- Returns  {1 if the index may go on, score and id of the last entry looked at, matches that are still to be skipped,
--          matches in all or -1 where they are not counted, records as lines of JSON: flat field/value lists}
-- As one text the records cost the server less than as lists, and who reads them less than half.
-- The cursor's entry need not be there any more: the page goes on where it would have stood.
local order, most, budget = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local low, high, skip = ARGV[5], ARGV[6], tonumber(ARGV[7])
local cursor_score, cursor_id = ARGV[8], ARGV[9]
local filters = cjson.decode(ARGV[10])
local set, ascending = KEYS[1], order == 'asc'

local bottom = redis.call('ZCOUNT', set, '-inf', '(' .. low)
local top = redis.call('ZCOUNT', set, '-inf', high) - 1
local total = #filters == 0 and math.max(top + 1 - bottom, 0) or -1
if cursor_score ~= '' then
  local rank = below(set, cursor_score, cursor_id)
  if ascending then
    if tonumber(redis.call('ZSCORE', set, cursor_id) or '') == tonumber(cursor_score) then rank = rank + 1 end
    bottom = math.max(bottom, rank)
  else
    top = math.min(top, rank - 1)
  end
end

local function matches(id)
  for _, filter in ipairs(filters) do
    local op, wanted = filter[1], filter[3]
    local value = redis.call('HGET', PREFIX .. KEY.job .. id, filter[2])
    if not value then return false end
    if op == 'eq' and value ~= wanted then return false end
    if op == 'contains' and not value:lower():find(wanted:lower(), 1, true) then return false end
    if op == 'between' and (tonumber(value) < wanted[1] or tonumber(value) > wanted[2]) then return false end
    if op == 'tag' then
      local found = false
      for _, tag in ipairs(cjson.decode(value)) do found = found or tag == wanted end
      if not found then return false end
    end
  end
  return true
end

if #filters == 0 and skip > 0 then -- every entry matches: step over them at once
  if ascending then bottom = bottom + skip else top = top - skip end
  skip = 0
end

local records, last_id, looked = {}, nil, 0
while bottom <= top and #records < most and looked < budget do
  local n = math.min(top - bottom + 1, #filters == 0 and most - #records or 200, budget - looked)
  local ids
  if ascending then ids = redis.call('ZRANGE', set, bottom, bottom + n - 1)
  else ids = redis.call('ZRANGE', set, top - n + 1, top) end
  for i = 1, #ids do
    local id = ids[ascending and i or #ids + 1 - i]
    looked = looked + 1
    last_id = id
    if ascending then bottom = bottom + 1 else top = top - 1 end
    if #filters == 0 or matches(id) then
      if skip > 0 then skip = skip - 1
      else
        local record = redis.call('HGETALL', PREFIX .. KEY.job .. id)
        if #record > 0 then -- a sub-job may be announced before it is recorded
          record[#record + 1] = 'id'
          record[#record + 1] = id
          records[#records + 1] = cjson.encode(record)
        end
        if #records == most then break end
      end
    end
  end
  if #ids == 0 then break end
end
local last_score = last_id and redis.call('ZSCORE', set, last_id) or ''
return { bottom <= top and 1 or 0, last_score, last_id or '', skip, total, table.concat(records, '\n') }
