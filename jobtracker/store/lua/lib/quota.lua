-- quota: what somebody has pending, as one hash: id -> "<bytes>:<since when (ms)>", and "" -> all these bytes together, which
-- changes in the same step. So what a limit is compared with does not have to be added up.
--- @include lib/keys
local held_of, count_held
do
  local AT_ONCE = 500 -- values that one call of Redis takes

  -- What is counted of some jobs, nil of those that are not, by their place in `ids`; and what that is together.
  function held_of(quota, ids)
    local sizes, bytes = {}, 0
    for first = 1, #ids, AT_ONCE do
      local last = math.min(first + AT_ONCE - 1, #ids)
      for n, text in ipairs(redis.call('HMGET', quota, unpack(ids, first, last))) do
        local size = text and tonumber(text:match('^%d+'))
        if size then
          sizes[first + n - 1], bytes = size, bytes + size
        end
      end
    end
    return sizes, bytes
  end

  -- Call a command of Redis for a hash, with a list that may be longer than what one call takes.
  function count_held(command, quota, arguments)
    for first = 1, #arguments, AT_ONCE do
      redis.call(command, quota, unpack(arguments, first, math.min(first + AT_ONCE - 1, #arguments)))
    end
  end
end
