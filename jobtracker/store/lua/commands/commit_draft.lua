-- commit_draft: decide that the jobs of a draft are recorded, and record its first part, of a tree with its root. From then
-- on anybody may record the rest (bulk_create.lua), even if the process that decided dies.
--
-- KEYS[1]  the draft
-- ARGV     prefix, the job that it is named after, now (ms), how many parts the draft has
-- Outcomes applied; duplicate (that job is there), deleted (it must not come back), missing (the draft has expired, as a whole
--          or before its last part): then nothing is recorded
--- @include lib/drafts
if redis.call('EXISTS', key('job', ARGV[2])) == 1 then return 'duplicate' end
if redis.call('EXISTS', key('tombstone', ARGV[2])) == 1 then return 'deleted' end
if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[4]) then return 'missing' end
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', key('drafts'), ARGV[3], ARGV[2])
record_next_part(KEYS[1], ARGV[2])
return 'applied'
