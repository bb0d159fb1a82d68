-- commit_draft: decide that the jobs of a draft are recorded, and record its first part, of a tree with its root. From then
-- on anybody may record the rest (bulk_create.lua), even if the process that decided dies.
--
-- KEYS[1]  the draft
-- ARGV     prefix, the job that it is named after, now (ms), how many parts the draft has, of a tree whose root is a unique job
--          its field 'unique', else ''
-- Outcomes applied; duplicate (that job is there), deleted (it must not come back), missing (the draft has expired, as a whole
--          or before its last part), 'taken <id>' (another job has its unique key): then nothing is recorded
--- @include lib/drafts
--- @include lib/unique
if redis.call('EXISTS', key('job', ARGV[2])) == 1 then return 'duplicate' end
if redis.call('EXISTS', key('tombstone', ARGV[2])) == 1 then return 'deleted' end
if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[4]) then return 'missing' end
local holder = ARGV[5] ~= '' and take_unique(ARGV[5], 'pending', ARGV[2])
if holder then
  redis.call('UNLINK', KEYS[1])
  return 'taken ' .. holder
end
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', key('drafts'), ARGV[3], ARGV[2])
record_next_part(KEYS[1], ARGV[2])
return 'applied'
