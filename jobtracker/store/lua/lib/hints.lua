-- hints: what tells those who watch that jobs have changed. While nobody watches nothing is written, and whether somebody does
-- is read together with the records: that costs next to nothing.
--
-- There is a stream as long as somebody watches (commands/watch.lua). An entry is a JSON list of hints: `what` (created,
-- status, progress, changed, log, deleted), `id`, `status`, `type`, `parent`, and `before`, the status that the job has left;
-- of the parts of a large tree `root` and `count` in the place of ids. A reader reads the jobs themselves: a hint says that
-- something changed.
--- @include lib/keys

local is_watched = false -- as the call under way has read it
local MOST_ENTRIES = 10000

local WATCHING = {} -- the key of each partition: it is asked for with each call
local function watching_key()
  local found = WATCHING[PREFIX]
  if not found then
    found = key('watching')
    WATCHING[PREFIX] = found
  end
  return found
end

local function look_for_viewers() is_watched = redis.call('EXISTS', watching_key()) == 1 end

local function write_hints(hints)
  redis.call('XADD', key('hints'), 'NOMKSTREAM', 'MAXLEN', '~', MOST_ENTRIES, '*', 'hints', cjson.encode(hints))
end

local function hint_of(what, id, packed)
  local rec = cmsgpack.unpack(packed)
  return { what = what, id = id, status = rec[PLACE.status], type = rec[PLACE.type], parent = rec[PLACE.parent] }
end

local OF_PROGRESS = { [PLACE.progress_done] = true, [PLACE.progress_total] = true, [PLACE.progress_message] = true }
local function difference(was, is)
  local found = nil
  local function compare(some, others)
    for place, value in pairs(some) do
      if others[place] ~= value then found = OF_PROGRESS[place] and found ~= 'changed' and 'progress' or 'changed' end
    end
  end
  compare(was, is)
  compare(is, was)
  return found
end

-- Says that a record has changed from one string to another; `before` is nil where the job is new. `is_noted`: something beside
-- the record has changed.
local function hint_at_change(id, before, packed, is_noted)
  local is, was, what = cmsgpack.unpack(packed), before and cmsgpack.unpack(before), 'created'
  local status, left = is[PLACE.status], nil
  if was and was[PLACE.status] ~= status then
    what, left = 'status', was[PLACE.status]
  elseif was then
    what = is_noted and 'changed' or difference(was, is)
  end
  if not what then return end
  write_hints({ { what = what, id = id, status = status, type = is[PLACE.type], parent = is[PLACE.parent], before = left } })
end
