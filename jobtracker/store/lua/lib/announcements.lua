-- announcements: jobs that have settled, for webhooks. While no endpoint wants them nothing is written, and whether one does
-- is read together with the records, as for hints.
--
-- An entry of the stream is a JSON object with fields of the record (FIELDS), `id`, `was` (the status before), `lost` where its
-- worker or process was lost, and `group_is`: new or regressed, where it is the failure that made its group so.
--- @include lib/keys

local announcements = { are_wanted = false } -- as the call under way has read it
do
  local MOST = 50000
  local FIELDS = { 'type', 'name', 'status', 'queue', 'actual_queue', 'tags', 'priority', 'run', 'attempt', 'created', 'queued',
    'started', 'finished', 'worker', 'release', 'reason', 'error_type', 'failure_group', 'parent' }
  local LOST = { lose = true, quarantine = true, fail = true }
  local keys = {} -- that of each partition: it is asked for with each call

  function announcements.wanted_key()
    local found = keys[PREFIX]
    if not found then
      found = key('announcing')
      keys[PREFIX] = found
    end
    return found
  end

  -- A record was saved; `before` is what it was. It is announced where it has come to a terminal status, also where that
  -- corrects another one.
  function announcements.note(rec, before)
    if not SETTLED[rec.status] then return end
    local was = before and cmsgpack.unpack(before) or {}
    if was[PLACE.status] == rec.status and was[PLACE.inferred] == rec.inferred and was[PLACE.run] == rec.run
      and was[PLACE.status_changed_at] == rec.status_changed_at then return end
    if redis.call('XLEN', key('announcements')) >= MOST then
      redis.call('INCR', key('unannounced'))
      return
    end
    local entry = { id = rec.id, was = was[PLACE.status], lost = rec.inferred and LOST[rec.inferred], group_is = rec.group_is }
    for i = 1, #FIELDS do entry[FIELDS[i]] = rec[PLACE[FIELDS[i]]] end
    redis.call('XADD', key('announcements'), '*', 'job', cjson.encode(entry))
  end
end
