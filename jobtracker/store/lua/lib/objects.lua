-- objects: values that are too large for Redis. The object store has them; a job's data says where, under OBJECT_FIELD.
-- VALUE_OF has the value of either field.
--- @include lib/keys

-- Notes that no job needs an object any more; `text` is what a job's data says of it. Maintenance removes it then.
local function discard_object(text) redis.call('ZADD', key('discarded'), server_ms(), cjson.decode(text).object) end

-- Removes values of a job, from Redis or the object store. `kept`: the text that is written next; its object stays.
local function remove_values(id, values, kept)
  for i = 1, #values do
    local field = OBJECT_FIELD[values[i]]
    local text = redis.call('HGET', key('data', id), field)
    if text and text ~= kept then discard_object(text) end
    redis.call('HDEL', key('data', id), values[i], field)
  end
end

-- Discards the objects of data that was not written. A report may come twice: what it wrote the first time stays.
local function discard_unwritten(id, data)
  for name, value in pairs(data) do
    if VALUE_OF[name] and not OBJECT_FIELD[name] and redis.call('HGET', key('data', id), name) ~= value then
      discard_object(value)
    end
  end
end

-- Writes further data of a job.
local function set_data(id, data)
  local args = {}
  for name, value in pairs(data) do args[#args + 1], args[#args + 2] = name, value end
  if #args > 0 then redis.call('HSET', key('data', id), unpack(args)) end
end
