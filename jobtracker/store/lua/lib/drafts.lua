-- drafts: recording a large tree, or many jobs, part by part.
--- @include lib/hints
--- @include lib/indexes
--- @include lib/metrics
--- @include lib/queue_series
--- @include lib/record

local ARGUMENTS_AT_ONCE = 1000 -- of a command

-- Records the next part of a draft; returns how many parts are left. Parts are as in commands/bulk_create.lua.
local function record_next_part(draft, root)
  local left, next_part = redis.call('HKEYS', draft), math.huge
  for i = 1, #left do next_part = math.min(next_part, tonumber(left[i])) end
  if #left < 2 then redis.call('ZREM', key('drafts'), root) end
  if #left == 0 then return 0 end
  local part = cjson.decode(redis.call('HGET', draft, next_part))
  local now, is_started, is_tree, created = part[1], part[2] == 1, part[3] == 1, 0
  if is_tree and next_part > 1 and redis.call('EXISTS', key('job', root)) == 0 then -- it was deleted meanwhile
    redis.call('UNLINK', draft)
    redis.call('ZREM', key('drafts'), root)
    return 0
  end
  redis.call('HDEL', draft, next_part)

  local records, entries, hints = {}, {}, {}
  local function collect(set, jobs)
    local members = entries[set] or {}
    for i = 1, #jobs do members[#members + 1], members[#members + 2] = now, jobs[i][1] end
    entries[set] = members
  end

  local function attach(id, subs)
    for first = 1, #subs, ARGUMENTS_AT_ONCE do
      redis.call('ZADD', key('subs', id), unpack(subs, first, math.min(first + ARGUMENTS_AT_ONCE - 1, #subs)))
    end
  end

  local function attach_further(id, subs)
    local rec = load_record(id)
    if not rec then return end -- it was deleted meanwhile
    attach(id, subs)
    rec.subs = redis.call('ZCARD', key('subs', id))
    save_record(rec)
  end

  local function add(given, jobs)
    local rec = {}
    for i = 1, #given, 2 do set_field(rec, given[i], given[i + 1]) end
    new_record(rec, nil, now)
    if is_started then rec.run, rec.queued = 1, now end
    local packed = encode_record(rec)
    for i = 1, #jobs do
      local id, data, subs = unpack(jobs[i])
      records[#records + 1], records[#records + 2] = key('job', id), packed
      if #data > 0 then redis.call('HSET', key('data', id), unpack(data)) end
      if rec.expires then redis.call('ZADD', key('expiring'), rec.expires, id) end
      attach(id, subs)
    end
    if is_started and rec.subs == 0 then collect(key('unsent'), jobs) end
    collect(key('type', rec.type), jobs)
    collect(key('entered', 'pending', kind_of(rec)), jobs)
    add_kind(rec)
    if rec.subs == 0 then count_sent(rec, now, #jobs) else expect_at_queue(rec, now) end
    created = created + #jobs
    hints[#hints + 1] = { what = 'created', root = is_tree and root or '', count = #jobs, status = rec.status, type = rec.type }
  end

  for n = 4, #part do
    local given, jobs = unpack(part[n])
    if #given > 0 then add(given, jobs)
    else
      for i = 1, #jobs do attach_further(jobs[i][1], jobs[i][3]) end
    end
  end
  if created == 0 then return #left - 1 end
  redis.call('MSET', unpack(records))
  for set, members in pairs(entries) do redis.call('ZADD', set, unpack(members)) end
  count_flow('created', now, created)
  look_for_viewers()
  if is_watched then write_hints(hints) end
  return #left - 1
end
