-- get_history: what there is to tell of the course of a job, in one moment. Reads only.
--
-- KEYS[1]  the record
-- ARGV     prefix, id
-- Returns  MessagePack of [the record or false, the entries of its history, oldest first]
--- @include lib/keys
return cmsgpack.pack({ redis.call('GET', KEYS[1]), redis.call('LRANGE', key('history', ARGV[2]), 0, -1) })
