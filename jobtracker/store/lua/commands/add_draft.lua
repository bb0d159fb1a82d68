-- add_draft: keep a part of jobs that are about to be recorded together. It is no job yet: no index, counter or reader
-- knows it, and it expires where nobody commits it.
--
-- KEYS[1]  the draft
-- ARGV     prefix, the part's number from 1, lifetime (ms), the part as bulk_create.lua reads it, the job that the draft is
--          named after
-- Of a tree parents stand before their sub-jobs, the root first of all. Where that job is there already, or was deleted,
-- nothing is kept.
--- @include lib/keys
if redis.call('EXISTS', key('job', ARGV[5]), key('tombstone', ARGV[5])) > 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
