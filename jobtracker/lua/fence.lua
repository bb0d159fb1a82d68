-- fence.lua: the verbs for a reaper, behind those for everybody. It may have been paused since it decided something, and
-- another one may reap by now: then it is refused, with an error that begins with FENCED.
--
-- ARGV     as the verb's own, and behind them the fence: what the lock holds while this reaper holds it
local function fenced(verb)
  return function(KEYS, ARGV)
    local fence = table.remove(ARGV)
    PREFIX = ARGV[1]
    if redis.call('GET', key('reaper')) ~= fence then
      return redis.error_reply('FENCED Another reaper has taken over.')
    end
    return verb(KEYS, ARGV)
  end
end
