-- report.lua: apply one event to one job, and tell its parent what has become of it, where that lies in this partition.
--
-- KEYS[1]  the record
-- ARGV     as of transition.lua
-- Returns  as transition.lua, behind the next in the chain the verdict, as of settle.lua, where the parent was told; the
--          text alone where nothing follows: the parent was told, and waits, or knows that its sub-jobs run
-- It is not told where the rest of a chain is to be broken off before, or where settle.lua asks for names: the caller
-- sees to that, as to a parent in another partition.
local answer, rec, before, parent_waits = VERB.transition(KEYS, ARGV)
if not rec or not rec.parent then return answer end
if not SETTLED[rec.status] and not SETTLED[before] then
  return rec.status == 'running' and not parent_waits and answer[1] or answer
end
if rec.next and SETTLED[rec.status] and rec.status ~= 'completed' then return answer end
local parent = load(rec.parent)
if not parent then return answer end
local news = { PREFIX, rec.parent, rec.id, rec.run, rec.status, ARGV[4], '0' }
local verdict = VERB.settle(nil, news, parent, rec)
if verdict[1] == 'unnamed' then return answer end
if verdict[1] == 'waiting' and not parent_waits then return answer[1] end
return { answer[1], answer[2], answer[3], unpack(verdict) }
