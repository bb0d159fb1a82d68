-- page.lua: one page of a list, with the records on it. Reads only.
--
-- KEYS[1]  any of its keys
-- ARGV     prefix, the index: name and up to three parts of it ('': any, or none), 'asc' or 'desc', most records to
--          return, most entries to look at, lowest score, highest score, matches to skip, cursor's score ('' for the first
--          page), cursor's id, filters (JSON), '1' for the places of the records too
-- Filters  a list of {operator, field, value}: eq; contains (case is ignored); tag; between (value = [low, high])
-- Returns  {1 if the list may go on, score and id of the last entry looked at, matches that are still to be skipped,
--          matches in all or -1 where they are not counted, records as lines of JSON: flat field/value lists;
--          where they are asked for, id and score of each record, in turns}
-- As one text the records cost the server less than as lists, and who reads them less than half.
-- The cursor's entry need not be there any more: the page goes on where it would have stood.
local is_ascending, most, budget = ARGV[6] == 'asc', tonumber(ARGV[7]), tonumber(ARGV[8])
local to_skip, cursor_score, cursor_id = tonumber(ARGV[11]), ARGV[12], ARGV[13]
local filters, places = cjson.decode(ARGV[14]), ARGV[15] == '1' and {}
local list = open_list(sets_of(ARGV[2], ARGV[3], ARGV[4], ARGV[5]), is_ascending, ARGV[9], ARGV[10],
  cursor_score ~= '' and cursor_score or nil, cursor_id)
local total = #filters == 0 and list.total or -1

local function matches(id)
  for _, filter in ipairs(filters) do
    local op, wanted = filter[1], filter[3]
    local value = redis.call('HGET', PREFIX .. KEY.job .. id, filter[2])
    if not value and filter[2] == 'name' then value = redis.call('HGET', PREFIX .. KEY.job .. id, 'type') end
    if not value and filter[2] == 'priority' then value = NORMAL end
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

if #filters == 0 and to_skip > 0 then -- every entry matches: step over them at once
  skip(list, to_skip)
  to_skip = 0
end

local records, last_id, last_score, looked = {}, nil, nil, 0
while #records < most and looked < budget do
  local id, score = next_of(list, #filters == 0 and most or 200)
  if not id then break end
  looked, last_id, last_score = looked + 1, id, score
  if #filters == 0 or matches(id) then
    if to_skip > 0 then to_skip = to_skip - 1
    else
      local record = redis.call('HGETALL', PREFIX .. KEY.job .. id)
      if #record > 0 then -- a sub-job may be announced before it is recorded
        record[#record + 1] = 'id'
        record[#record + 1] = id
        records[#records + 1] = cjson.encode(record)
        if places then
          places[#places + 1] = id
          places[#places + 1] = score
        end
      end
    end
  end
end
return { list.left > 0 and 1 or 0, last_score and string.format('%d', last_score) or '', last_id or '', to_skip, total,
  table.concat(records, '\n'), places or {} }
