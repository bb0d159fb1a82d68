-- claim: take on the sending of runs that wait for somebody to do it.
--
-- KEYS[1]  the index of such runs
-- ARGV     prefix, now (ms), task ids
-- Returns  those of them that nobody else has taken on; until their sender says that they were sent, they are unconfirmed
--- @include lib/record
local now, claimed = ARGV[2], {}
for i = 3, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('ZADD', key('unconfirmed'), now, ARGV[i])
    claimed[#claimed + 1] = ARGV[i]
  end
end
look_for_viewers()
for i = 1, is_watched and #claimed or 0 do
  local id = claimed[i]:match('^(.*)' .. RUN_MARK .. '%d+$') or claimed[i]
  local packed = redis.call('GET', key('job', id))
  if packed then write_hints({ hint_of('changed', id, packed) }) end
end
return claimed
