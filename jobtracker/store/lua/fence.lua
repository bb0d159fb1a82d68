-- fence.lua: the verbs for a reaper, behind those for everybody. It may have been paused since it decided something, and
-- another one may reap by now: then it is refused, with an error that begins with FENCED.
--
-- ARGV     as the verb's own, and behind them the fence: what the lock of this partition holds while this reaper holds
--          it; '' where it does not: what it has decided of a job in its own partition is carried on here, as by anybody
local function fenced(verb)
  return function(KEYS, ARGV)
    local fence = table.remove(ARGV)
    PREFIX = ARGV[1]
    if fence ~= '' and redis.call('GET', key('reaper')) ~= fence then
      return redis.error_reply('FENCED Another reaper has taken over.')
    end
    return verb(KEYS, ARGV)
  end
end
