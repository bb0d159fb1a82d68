-- report.lua: apply one event to one job, and tell its parent what has become of it, where that lies in this partition.
--
-- KEYS[1]  the record
-- ARGV     as of transition.lua
-- Returns  as transition.lua; where the parent was told, behind the next in the chain the verdict, as of settle.lua
-- It is not told where the rest of a chain is to be broken off before, or where settle.lua asks for names: the caller
-- sees to that, as to a parent in another partition.
local answer = VERB.transition(KEYS, ARGV)
if type(answer) == 'string' or answer[2] == '' then return answer end
local parent, following = answer[2], answer[3]
local before, after, run = answer[1]:match('^applied (%S+) (%S+) (%S+)')
if not after then return answer end
if SETTLED[after] then
  if following ~= '' and after ~= 'completed' then return answer end
elseif not SETTLED[before] then return answer end
if redis.call('EXISTS', key('job', parent)) == 0 then return answer end
local verdict = VERB.settle({ key('job', parent) }, { ARGV[1], parent, ARGV[2], run, after, ARGV[4], '0' })
if verdict[1] == 'unnamed' then return answer end
return { answer[1], parent, following, unpack(verdict) }
