-- add_draft: keep a part of jobs that are about to be recorded together. It is no job yet: no index, counter or reader
-- knows it, and it expires where nobody commits it.
--
-- KEYS[1]  the draft
-- ARGV     prefix, the part's number from 1, lifetime (ms), the part as bulk_create.lua reads it
-- Of a tree parents stand before their sub-jobs, the root first of all.
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
