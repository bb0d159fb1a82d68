-- acquire_leadership: take the reaper's lock, or keep it; say how long the store has been looked after; forget what is of no use
-- to anybody.
--
-- KEYS[1]  the lock
-- ARGV     prefix, reaper, lifetime of the lock (ms), lifetime of the mark that one was here (ms)
-- Returns  {the fence while the reaper holds the lock, else ''; for how many ms they have come by without a gap}
-- The fence is '<turn>:<reaper>'. Each turn has a number of its own, so that a reaper which was paused can't take
-- another's turn, or a later one of its own, for the one in which it decided.
--- @include lib/keys
local reaper, lock_ms, mark_ms = ARGV[2], ARGV[3], ARGV[4]
local now = tonumber(server_ms())

local since = redis.call('SET', key('watched'), now, 'NX', 'GET') or now
redis.call('PEXPIRE', key('watched'), mark_ms)

local fence = redis.call('GET', KEYS[1])
if not fence then
  fence = redis.call('INCR', key('turns')) .. ':' .. reaper
  redis.call('SET', KEYS[1], fence)
elseif fence:match(':(.*)$') ~= reaper then
  return { '', now - since }
end
redis.call('PEXPIRE', KEYS[1], lock_ms)
redis.call('ZREMRANGEBYSCORE', key('leases'), '-inf', now - 3600000)
return { fence, now - since }
