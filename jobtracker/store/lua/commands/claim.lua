-- claim: take on the sending of runs that wait for somebody to do it.
--
-- KEYS[1]  the index of such runs
-- ARGV     prefix, now (ms), task ids
-- Returns  those of them that nobody else has taken on; until their sender says that they were sent, they are unconfirmed
--- @include lib/keys
local now, claimed = ARGV[2], {}
for i = 3, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('ZADD', key('unconfirmed'), now, ARGV[i])
    claimed[#claimed + 1] = ARGV[i]
  end
end
return claimed
