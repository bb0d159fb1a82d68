-- let_go_unique: let go of the lock of a unique key that was reserved for a job, unless that was recorded, or another one has it.
--
-- KEYS[1]  the lock
-- ARGV     prefix, digest of the key, the job
-- Returns  how many locks were let go
--- @include lib/keys
if redis.call('GET', KEYS[1]) ~= ARGV[3] or redis.call('EXISTS', key('job', ARGV[3])) == 1 then return 0 end
return redis.call('DEL', KEYS[1])
