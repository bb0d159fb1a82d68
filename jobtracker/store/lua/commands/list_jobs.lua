-- list_jobs: one page of a list, with the records on it. Reads only.
--
-- KEYS[1]  any of its keys
-- ARGV     prefix, the index (JSON: lib/merged_index), 'asc' or 'desc', most records to return, most entries to look at
--          (fewer where their checks cost more: lib/list_checks), lowest score, highest score, matches to skip, cursor's
--          score ('' for the first page), cursor's id, checks (JSON: lib/list_checks)
-- Returns  MessagePack of [whether the list may go on, score and id of the last entry looked at, matches that are still to
--          be skipped, matches in all or -1 where they are not counted, how many entries were looked at, what that cost,
--          the ids, the scores, the records]
-- As one string the records cost the server less than as lists, and who reads them a small part.
-- The cursor's entry need not be there any more: the page goes on where it would have stood.
--- @include lib/merged_index
--- @include lib/list_checks
local is_ascending, most, budget = ARGV[3] == 'asc', tonumber(ARGV[4]), tonumber(ARGV[5])
local to_skip, cursor_score, cursor_id = tonumber(ARGV[8]), ARGV[9], ARGV[10]
local checks = cjson.decode(ARGV[11])
local list = open_index(index_sets(ARGV[2]), is_ascending, ARGV[6], ARGV[7],
  cursor_score ~= '' and cursor_score or nil, cursor_id)
local total = #checks == 0 and list.total or -1

if #checks == 0 and to_skip > 0 then -- every entry matches: step over them at once
  skip_entries(list, to_skip)
  to_skip = 0
end

local of_job, takes_all = key('job'), #checks == 0
local ids, scores, records, n = {}, {}, {}, 0
local last_id, last_score, looked, untaken = '', -1, 0, 0
local least = least_cost(checks)
spent = 0
while n < most and spent < budget do
  local affordable = math.ceil(budget - spent)
  local some, their_scores = take_entries(list, math.min(takes_all and most - n or 100, affordable))
  if #some == 0 then break end
  local keys, at = {}, 0
  for i = 1, #some do keys[i] = of_job .. some[i] end
  local found = redis.call('MGET', unpack(keys))
  while at < #some and n < most and spent < budget do
    at, spent = at + 1, spent + least
    local packed = found[at]
    if packed and (takes_all or passes(some[at], packed, checks)) then -- a sub-job may be announced before it is recorded
      if to_skip > 0 then to_skip = to_skip - 1
      else
        n = n + 1
        ids[n], scores[n], records[n] = some[at], their_scores[at], packed
      end
    end
  end
  looked, last_id, last_score, untaken = looked + at, some[at], tonumber(their_scores[at]), #some - at
end
return cmsgpack.pack({ list.left + untaken > 0, last_score, last_id, to_skip, total, looked,
  math.ceil(spent), ids, scores, records })
