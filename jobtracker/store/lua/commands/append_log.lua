-- append_log: append lines to a job's own log, if the job is still there.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, most lines to keep, then time (ms), level, message of each line
-- Outcomes applied, missing, deleted
--- @include lib/record
local id, most = ARGV[2], ARGV[3]

if redis.call('EXISTS', KEYS[1]) == 0 then return missing_outcome(id) end
for i = 4, #ARGV, 3 do
  redis.call('XADD', key('log', id), 'MAXLEN', '~', most, '*', 'at', ARGV[i], 'level', ARGV[i + 1], 'message', ARGV[i + 2])
end
look_for_viewers()
if is_watched then write_hints({ hint_of('log', id, redis.call('GET', KEYS[1])) }) end
return 'applied'
