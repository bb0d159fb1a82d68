-- export_keys: what some keys hold, for a backup. A large one is read in pieces. Reads only.
--
-- KEYS[1]  any key of the partition
-- ARGV     prefix, how many items to read at once, after how many bytes to stop, where to go on in the first of the keys
--          ('0': at its beginning), keys without the prefix
-- Returns  {with how many of the keys it is done, where to go on in the next one ('0': at its beginning), then MessagePack of
--          each key or piece of one that is there}
-- A piece  {name: the key without the prefix, type, expires: when (ms; -1: never), items: as restore_keys takes them}
--- @include lib/keys
local MOST, MOST_BYTES = tonumber(ARGV[2]), tonumber(ARGV[3])
local SCAN = { hash = 'HSCAN', zset = 'ZSCAN', set = 'SSCAN' }

-- Returns some items, and where to go on ('0': it is done).
local function read(kind, name, from)
  if kind == 'string' then return { redis.call('GET', name) }, '0' end
  if SCAN[kind] then
    local cursor, items = unpack(redis.call(SCAN[kind], name, from, 'COUNT', MOST))
    return items, cursor
  end
  if kind == 'list' then
    local items = redis.call('LRANGE', name, from, from + MOST - 1)
    return items, #items == MOST and string.format('%d', from + MOST) or '0'
  end
  local items = redis.call('XRANGE', name, from == '0' and '-' or '(' .. from, '+', 'COUNT', MOST)
  return items, #items == MOST and items[MOST][1] or '0'
end

local done, cursor, size, found = 0, ARGV[4], 0, {}
for i = 5, #ARGV do
  local name = ARGV[i]
  local kind = redis.call('TYPE', PREFIX .. name).ok
  if kind ~= 'none' then
    local items
    items, cursor = read(kind, PREFIX .. name, cursor)
    local blob = cmsgpack.pack({ name = name, type = kind, items = items,
      expires = redis.call('PEXPIRETIME', PREFIX .. name) })
    found[#found + 1], size = blob, size + #blob
  else cursor = '0' end -- it has expired
  if cursor ~= '0' then break end
  done = done + 1
  if size >= MOST_BYTES then break end
end
return { done, cursor, unpack(found) }
