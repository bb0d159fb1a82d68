-- create: record a job, unless it is there; attach sub-jobs to it, unless they are.
--
-- KEYS[1]  the record
-- ARGV     prefix, packed: id, now (ms), who records it: 1 if that process sends its first run next, 2 if a message of Celery
--          code with its own id is on its way, 3 as 2, if the job that sends it for its chain was itself sent again, else 0;
--          fields of the record, by their places, of the data, and a list of positions and ids of sub-jobs
-- Outcomes applied (created), duplicate (was there), sent_again (had settled: the message is that of a new run), deleted
--          (must not come back), missing (no fields, and it is not there), 'taken <id>' (another job has its unique key)
-- A parent whose failure was inferred, and that gets another sub-job, is open again.
-- A job that was announced ahead (the next of a chain, a chord's body) gets from its own message what it lacks, and
-- the next of a chain its arguments, with the result of the job before it.
-- A worker may have recorded it first, where its publisher could not reach the store: it does not know the family.
--- @include lib/state_machine
local id, now, by, new, data, all_subs = cmsgpack.unpack(ARGV[2])

local sent = by > 1 and tonumber(new.queued)
local outcome = 'duplicate'
local is_large = new.large
local rec, deleted_at = load_record(id, key('tombstone', id))
if not rec then
  if deleted_at and not (sent and sent > (tonumber(deleted_at) or sent)) then
    if is_large then discard_unwritten(id, data) end
    return 'deleted'
  end
  if next(new) == nil then return 'missing' end
  if not (new.type and new.priority) then
    return redis.error_reply('ERR A job needs a type and a priority.')
  end
  rec = new_record(new, id, now)
  local holder = rec.unique and take_unique(rec.unique, 'pending', id)
  if holder and by > 1 then rec.unique = nil -- its message is on its way
  elseif holder then
    if is_large then discard_unwritten(id, data) end
    return 'taken ' .. holder
  end
  if deleted_at then redis.call('DEL', key('tombstone', id)) end -- its id is used anew
  if by == 1 then
    rec.run, rec.queued = 1, now
    await_confirmation(rec, now)
  end
  set_data(id, data)
  add_kind(rec)
  redis.call('ZADD', key('type', rec.type), now, id)
  add_to_index(rec, now)
  if rec.parent and not redis.call('ZSCORE', key('subs', rec.parent), id) then await_notification(id, now) end
  count_flow('created', now, 1)
  outcome = 'applied'
end
local is_changed = outcome == 'applied'
if outcome == 'duplicate' then
  -- A message under the id of a job that is there. It may be told of late, or twice: of one that its worker has recorded,
  -- or begun, this says no more than what it bears.
  local function retell()
    if rec.link and rec.link ~= 'body' then
      rec.link = new.sent_by == rec.sent_by and 'sent' or nil -- else it was sent by itself
    end
    for _, name in ipairs(OF_A_MESSAGE) do
      rec[PLACE[name]] = new[PLACE[name]]
    end
    for _, name in ipairs(rec.large and { 'payload', 'args' } or {}) do
      remove_values(id, { name }, data[OBJECT_FIELD[name]])
    end
    rec.large = rec.large or is_large
    redis.call('HDEL', key('data', id), unpack(DATA_OF_A_MESSAGE))
    set_data(id, data)
    is_changed = true
  end
  if sent and tonumber(new.run) == 1 then
    -- What was announced, has settled before it was sent, and was not called off. The next of a chain stays as it is where
    -- that sends it after all, but for one that was sent again.
    local announced = not rec.queued and rec.deliveries == 0 and not rec.inferred
    local is_next = rec.link and rec.link ~= 'body'
    if not is_next or new.sent_by == rec.sent_by then
      announced = announced and not rec.cancel and (not is_next or by == 3)
    end
    local is_repeated = is_sent_by_job(rec) and new.sent_by == rec.sent_by and by ~= 3
    local is_new = not is_repeated and is_another_message(rec, sent) and not is_also_sent(rec, sent)
    if SETTLED[rec.status] and (announced or is_new) then
      apply_event(rec, { event = 'send_again', at = now, fields = { queued = sent } })
      retell()
      outcome = 'sent_again'
    elseif rec.reused == rec.run and rec.queued == sent then -- and its worker has told that it began
      local known = redis.call('HMGET', key('data', id), 'payload', 'args', 'arguments_repr', 'payload_object', 'args_object')
      if not (known[1] or known[2] or known[3] or known[4] or known[5]) then retell() end
    elseif not SETTLED[rec.status] and is_new then
      note_sent(rec, sent)
      append_history(rec, { event = 'send_again', at = now }, false)
    end
  end
  local function add(name)
    local place = PLACE[name]
    if not new[place] or rec[place] then return false end
    rec[place] = new[place]
    is_changed = true
    return true
  end
  local run = tonumber(new.run)
  local is_of_its_run = not run or run == rec.run or run == 1 and rec.reused == rec.run
  -- Its worker may have recorded it, and its start be on its way.
  local is_its_message = rec.deliveries > 0 or not rec.queued or rec.queued == sent
  if outcome == 'duplicate' and is_its_message then
    for _, name in ipairs({ 'chain', 'options' }) do
      local value = data[name]
      if value then redis.call('HSETNX', key('data', id), name, value) end
    end
    for _, name in ipairs({ 'parent', 'next', 'request_id' }) do
      if add(name) and name ~= 'request_id' and SETTLED[rec.status] then await_notification(id, now) end
    end
  end
  if outcome == 'duplicate' and is_of_its_run and not rec.executing and not SETTLED[rec.status] then
    for _, name in ipairs({ 'queued', 'queue', 'eta', 'expires' }) do
      if add(name) and name == 'queued' and rec.subs == 0 then -- its arguments were not known without those results
        if rec.large then remove_values(id, { 'payload', 'args', 'result' }) end
        rec.large = rec.large or is_large
        redis.call('DEL', key('data', id))
        set_data(id, data)
        rec.masked = new.masked
        if rec.link == 'announced' or rec.link == 'outdated' then rec.link = 'sent' end
      end
    end
  end
end

if is_changed and rec.queued and outcome ~= 'duplicate' then count_sent(rec, now)
elseif is_changed then expect_at_queue(rec, now) end

local attached = 0
if #all_subs > 0 then
  local is_settled = {} -- by what a record holds: many are alike
  local function tell_of(subs)
    local keys, waiting = {}, {}
    for i = 1, #subs do keys[i] = key('job', subs[i]) end
    local records = #keys > 0 and redis.call('MGET', unpack(keys))
    for i = 1, #subs do
      local packed = records[i]
      if is_settled[packed] == nil then is_settled[packed] = SETTLED[fields_in(packed)[PLACE.status]] or false end
      if is_settled[packed] then await_notification(subs[i], now) else waiting[#waiting + 1] = subs[i] end
    end
    if #waiting > 0 then redis.call('ZREM', key('unnotified'), unpack(waiting)) end
    attached = attached + #subs
  end

  local AT_ONCE = 1000 -- of a command's arguments
  local is_new = redis.call('EXISTS', key('subs', id)) == 0
  for first = 1, #all_subs, AT_ONCE do
    local last, subs = math.min(first + AT_ONCE - 1, #all_subs), {}
    if is_new then redis.call('ZADD', key('subs', id), unpack(all_subs, first, last)) end
    for i = first, last, 2 do
      local sub = all_subs[i + 1]
      if is_new or redis.call('ZADD', key('subs', id), 'NX', all_subs[i], sub) == 1 then subs[#subs + 1] = sub end
    end
    tell_of(subs)
  end
end
if rec.link and data.chain then redis.call('HDEL', key('data', id), 'chain') end -- its first job keeps it
if attached > 0 then
  rec.subs = redis.call('ZCARD', key('subs', id))
  if follows_from_sub_jobs(rec) then apply_event(rec, { event = 'reopen', at = now }) end
end
if is_large and outcome ~= 'applied' then discard_unwritten(id, data) end
if rec.expires and not SETTLED[rec.status] then redis.call('ZADD', key('expiring'), rec.expires, id) end
save_record(rec)
return outcome
