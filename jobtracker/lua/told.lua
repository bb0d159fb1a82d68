-- told.lua: note that the parent of a job, in another partition, knows what has become of it.
--
-- KEYS[1]  the job's record
-- ARGV     prefix, id, how often it had left a terminal status when the parent was told ('' where that does not matter),
--          '1' if it had settled
-- Returns  1; 0 where it has moved on since: who moved it tells the parent, or is about to
local id, left, had_settled = ARGV[2], ARGV[3], ARGV[4] == '1'
local own = redis.call('HMGET', KEYS[1], 'left', 'status')
local has_settled = SETTLED[own[2]] or false
if own[2] and (has_settled ~= had_settled or left ~= '' and left ~= (own[1] or '0')) then return 0 end
all_told(id)
return 1
