-- acquire_leadership: take the leader's lock, or keep it; say how long leaders have been there; remove leases that ended long
-- ago.
--
-- KEYS[1]  the lock
-- ARGV     prefix, who asks, lifetime of the lock (ms), lifetime of the mark that a leader was here (ms)
-- Returns  {the fence while the caller leads, else ''; for how many ms leaders have come by without a gap}
-- The fence is '<term>:<leader>'. Each term has a number of its own: a leader that was paused can't mistake another's term, or
-- a later one of its own, for the one in which it decided.
--- @include lib/keys
local leader, lock_ms, mark_ms = ARGV[2], ARGV[3], ARGV[4]
local now = tonumber(server_ms())

local since = redis.call('SET', key('watched'), now, 'NX', 'GET') or now
redis.call('PEXPIRE', key('watched'), mark_ms)

local fence = redis.call('GET', KEYS[1])
if not fence then
  fence = redis.call('INCR', key('terms')) .. ':' .. leader
  redis.call('SET', KEYS[1], fence)
elseif fence:match(':(.*)$') ~= leader then
  return { '', now - since }
end
redis.call('PEXPIRE', KEYS[1], lock_ms)
redis.call('ZREMRANGEBYSCORE', key('leases'), '-inf', now - 3600000)
return { fence, now - since }
