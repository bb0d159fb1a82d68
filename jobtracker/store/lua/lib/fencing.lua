-- fencing: the commands for a leader, beside those for everybody. A leader may have been paused since it decided something, and
-- another one may lead by now: then its command is rejected, with an error that begins with FENCED.
--
-- ARGV     as the command's own, and behind them the fence: what the lock of this partition holds while this leader holds it;
--          '' for other partitions, whose writes are not fenced
--- @include lib/keys

local function fenced(command)
  return function(KEYS, ARGV)
    if not redis_call then find_globals() end
    local fence = table.remove(ARGV)
    PREFIX = ARGV[1]
    if fence ~= '' and redis.call('GET', key('leader')) ~= fence then
      return redis.error_reply('FENCED Another leader has taken over.')
    end
    return command(KEYS, ARGV)
  end
end
