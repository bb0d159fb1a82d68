-- transition_and_notify: apply one event to one job, and tell its parent what has become of it, where that lies in this
-- partition.
--
-- KEYS[1]  the record
-- ARGV     as of transition.lua
-- Returns  as transition.lua, behind the next in the chain the verdict, as of notify_parent.lua, where the parent was notified;
--          the text alone where nothing follows: the parent was notified, and waits, or knows that its sub-jobs run
-- The parent is not notified where the rest of a chain is to be broken off before, or where notify_parent.lua asks for names:
-- the caller sees to that, as to a parent in another partition.
--- @include lib/parents
--- @include lib/transition
local answer, rec, before, parent_waits, at = transition(ARGV[2])
if not rec or not rec.parent then return answer end
if not SETTLED[rec.status] and not SETTLED[before] then
  return rec.status == 'running' and not parent_waits and answer[1] or answer
end
if rec.next and SETTLED[rec.status] and rec.status ~= 'completed' then return answer end
local parent = load_other(rec.parent)
if not parent then return answer end
local notice = { sub = rec.id, record = rec, at = at, has_partitions = true, named_elsewhere = {} }
local verdict = notify_parent(parent, notice)
if verdict[1] == 'unnamed' then return answer end
if verdict[1] == 'waiting' and not parent_waits then return answer[1] end
return { answer[1], answer[2], answer[3], unpack(verdict) }
