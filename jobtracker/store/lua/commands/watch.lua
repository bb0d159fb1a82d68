-- watch: have what changes jobs say so for a while.
--
-- KEYS[1]  the stream of hints (lib/hints.lua says what they are)
-- ARGV     prefix, lifetime (ms): to be renewed in time by those who read them
-- Returns  the id of the last entry. An entry that is there is the proof that none behind it is missing.
-- What is read by commands, `watching`, outlives the stream: as long as there is a stream all changes are in it.
--- @include lib/keys
local LONGER_MS = 10000
local watching, lifetime_ms = key('watching'), tonumber(ARGV[2])

if redis.call('EXISTS', watching, KEYS[1]) < 2 then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0) -- its next id is a later one, all the same
  redis.call('XADD', KEYS[1], '*', 'hints', '[]')
end
redis.call('SET', watching, 1, 'PX', lifetime_ms + LONGER_MS)
redis.call('PEXPIRE', KEYS[1], lifetime_ms)
return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
