-- list_jobs: one page of a list, with the records on it. Reads only.
--
-- KEYS[1]  any of its keys
-- ARGV     prefix, the index: name and up to three parts of it ('': any, or none), 'asc' or 'desc', most records to
--          return, most entries to look at, lowest score, highest score, matches to skip, cursor's score ('' for the first
--          page), cursor's id, filters (JSON)
-- Filters  a list of {operator, field, value}: eq; contains (case is ignored); tag; between (value = [low, high])
-- Returns  MessagePack of [whether the list may go on, score and id of the last entry looked at, matches that are still to
--          be skipped, matches in all or -1 where they are not counted, the ids, the scores, the records]
-- As one string the records cost the server less than as lists, and who reads them a small part.
-- The cursor's entry need not be there any more: the page goes on where it would have stood.
--- @include lib/merged_index
--- @include lib/record
local is_ascending, most, budget = ARGV[6] == 'asc', tonumber(ARGV[7]), tonumber(ARGV[8])
local to_skip, cursor_score, cursor_id = tonumber(ARGV[11]), ARGV[12], ARGV[13]
local filters = cjson.decode(ARGV[14])
local list = open_index(index_sets(ARGV[2], ARGV[3], ARGV[4], ARGV[5]), is_ascending, ARGV[9], ARGV[10],
  cursor_score ~= '' and cursor_score or nil, cursor_id)
local total = #filters == 0 and list.total or -1

-- What is looked for stands in the record somewhere, or it need not be looked at more closely.
local function may_match(packed, filter)
  local op, wanted = filter[1], filter[3]
  if op == 'eq' and wanted ~= NORMAL then return packed:find(wanted, 1, true) end
  if op == 'contains' then return packed:lower():find(wanted:lower(), 1, true) end
  return true
end

local function matches(id, packed)
  for i = 1, #filters do
    if not may_match(packed, filters[i]) then return false end
  end
  local rec = decode_record(id, packed)
  if not rec then return false end
  for _, filter in ipairs(filters) do
    local op, wanted = filter[1], filter[3]
    local value = rec[filter[2]]
    if not value and filter[2] == 'name' then value = rec.type end
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
  skip_entries(list, to_skip)
  to_skip = 0
end

local of_job, takes_all = key('job'), #filters == 0
local ids, scores, records, n = {}, {}, {}, 0
local last_id, last_score, looked, untaken = '', -1, 0, 0
while n < most and looked < budget do
  local some, their_scores = take_entries(list, math.min(takes_all and most - n or 100, budget - looked))
  if #some == 0 then break end
  local keys, at = {}, 0
  for i = 1, #some do keys[i] = of_job .. some[i] end
  local found = redis.call('MGET', unpack(keys))
  while at < #some and n < most do
    at = at + 1
    local packed = found[at]
    if packed and (takes_all or matches(some[at], packed)) then -- a sub-job may be announced before it is recorded
      if to_skip > 0 then to_skip = to_skip - 1
      else
        n = n + 1
        ids[n], scores[n], records[n] = some[at], their_scores[at], packed
      end
    end
  end
  looked, last_id, last_score, untaken = looked + at, some[at], tonumber(their_scores[at]), #some - at
end
return cmsgpack.pack({ list.left + untaken > 0, last_score, last_id, to_skip, total, ids, scores, records })
