-- keys: the names of keys. A command's first argument is the prefix of a partition; it touches keys with that prefix only.
-- The loader (functions.py) puts tables in front that Python renders: KEY (keys.PREFIXES), PLACE, IS_NUMBER, DEFAULT (by places),
-- OF_A_RUN, IN_SNAPSHOT, OF_A_MESSAGE, DATA_OF_A_MESSAGE, OF_AN_ENTRY, OBJECT_FIELD, VALUE_OF, SCHEMA (schema), MATRIX, REPORTED,
-- MIDWAY, INFERENCE, SETTLED, NORMAL (lifecycle), LOG_GAMMA, TOTAL, BUCKETS, SUMMED (histograms), FLOW (flow_series), LET_GO,
-- NOBODY, MOST_QUEUES, MOST_RELEASE_SERIES, MOST_NAMED, MOST_LABELS, MOST_COUNTED (keys), AT_QUEUE, QUEUE_SLOT_MS,
-- QUEUE_KEEP_S (queue_series), KEEP_S (how long time series live, in seconds), RUN_MARK (job).

local PREFIX -- of the call under way; the server runs one at a time

local function key(name, a, b)
  if b then return PREFIX .. KEY[name] .. a .. ':' .. b end
  return PREFIX .. KEY[name] .. (a or '')
end

-- A whole number as text. Lua makes one in the time of a small command, so those that come again and again are kept.
local text_of
do -- Lua lets a library have 200 local names; those in a block are free again behind it
  local MOST, kept, size = 2000, {}, 0
  function text_of(number)
    local text = kept[number]
    if text then return text end
    if size == MOST then kept, size = {}, 0 end
    text = string.format('%d', number)
    kept[number], size = text, size + 1
    return text
  end
end

local function server_ms()
  local seconds, micros = unpack(redis.call('TIME'))
  return string.format('%d', seconds * 1000 + math.floor(micros / 1000))
end
