-- restore_keys: write keys of a backup, or pieces of them.
--
-- KEYS[1]  any key of the partition
-- ARGV     prefix, MessagePack of each piece as export_keys has it
-- Returns  how many were written; those that have expired meanwhile are not
-- Items    a string's value; field and value, or member and score, in turns; members; entries; {id, {field, value …}} of a
--          stream. What indexes say of groups of failures is written with them. A tombstone removes its job.
--- @include lib/restoring
local now, written = tonumber(server_ms()), 0

local WRITE = {
  string = function(name, items) redis.call('SET', name, items[1]) end,
  hash = function(name, items) call_with('HSET', name, items, 2) end,
  set = function(name, items) call_with('SADD', name, items, 1) end,
  list = function(name, items) call_with('RPUSH', name, items, 1) end,
  zset = function(name, items) call_with('ZADD', name, scores_first(items), 2) end,
  stream = add_entries,
}

local function rest_of(name, prefix) return name:sub(1, #prefix) == prefix and name:sub(#prefix + 1) end

for i = 2, #ARGV do
  local piece = cmsgpack.unpack(ARGV[i])
  if piece.expires < 0 or piece.expires > now then
    local group, gone = rest_of(piece.name, KEY.failure), rest_of(piece.name, KEY.tombstone)
    WRITE[piece.type](PREFIX .. piece.name, piece.items)
    if piece.expires > 0 then redis.call('PEXPIREAT', PREFIX .. piece.name, piece.expires) end
    if gone then forget_restored(gone) end
    local hour = piece.expires < 0 and rest_of(piece.name, KEY.settled)
    if hour then redis.call('SADD', key('unfolded'), hour) end -- one that began while the store was read
    if group then
      local known = cmsgpack.unpack(piece.items[1])
      redis.call('ZADD', key('failures'), known.last, group)
      redis.call('ZADD', key('failure_counts'), known.count, group)
    end
    written = written + 1
  end
end
return written
