-- failures: groups of jobs that have failed in the same way.
--
-- What a partition knows of a group is one string, MessagePack of a map:
--   type, message, frames  the failure as people know it; not there where only a mark is known
--   first, last            when (ms) a job of it failed, as was reported; `since`: the first one that this partition knows of;
--                          `first_in`: the release in which the first one ran
--   count                  how many times, all runs together; a failure that was inferred and taken back does not count. In a
--                          partition to which such a failure was moved, without its count, it may be below 0
--   types, queues, workers, releases  how many times by each: MOST_NAMES of them, and '' for the others
--   hours                  how many times in each hour since 1970, of the last HOURS of them
--   mark, marked_at        'resolved', 'ignored' or 'known', and when (ms) somebody said so
--   regressed_at, regressed_in  when (ms) and in which release one of its jobs first failed after it was marked as resolved
-- The group's jobs that have failed and did nothing since are in an index of their own. Groups beyond MOST_GROUPS go, those that
-- were seen the longest ago first: their jobs stay as they are.
--- @include lib/keys

local load_group, save_group, new_group, enter_group, leave_group
do -- its own names are free again behind it

local MOST_GROUPS, MOST_NAMES, HOURS, LONGEST_NAME = 10000, 20, 168, 100

function load_group(id)
  local packed = redis.call('GET', key('failure', id))
  return packed and cmsgpack.unpack(packed)
end

local function forget_group(id)
  redis.call('ZREM', key('failures'), id)
  redis.call('ZREM', key('failure_counts'), id)
  redis.call('UNLINK', key('failure', id), key('failed_by', id))
end

function save_group(id, group)
  redis.call('SET', key('failure', id), cmsgpack.pack(group))
  redis.call('ZADD', key('failure_counts'), group.count, id)
  if redis.call('ZADD', key('failures'), 'GT', group.last, id) == 1 then
    local too_many = redis.call('ZCARD', key('failures')) - MOST_GROUPS
    local oldest = too_many > 0 and redis.call('ZRANGE', key('failures'), 0, math.min(too_many, 10) - 1) or {}
    for i = 1, #oldest do forget_group(oldest[i]) end
  end
end

function new_group(at) return { first = at, last = at, since = at, count = 0 } end

local function count_name(group, what, name, n)
  if not name then return end
  local names, size = group[what] or {}, 0
  if #name > LONGEST_NAME then name = name:sub(1, LONGEST_NAME):gsub('[\194-\244][\128-\191]*$', '') end
  if not names[name] then
    for _ in pairs(names) do size = size + 1 end
    if n < 0 or size >= MOST_NAMES then name = '' end
  end
  local left = (names[name] or 0) + n
  names[name] = left > 0 and left or nil
  group[what] = names
end

local function count_hour(group, at, n)
  local hours, hour = group.hours or {}, math.floor(at / 3600000)
  local newest = math.floor(group.last / 3600000)
  if hour <= newest - HOURS then return end
  if not hours[hour] then
    for each in pairs(hours) do
      if each <= newest - HOURS then hours[each] = nil end
    end
  end
  local left = (hours[hour] or 0) + n
  hours[hour] = left > 0 and left or nil
  group.hours = hours
end

-- Counts a job that failed in its group, or takes it back (n = -1).
local function count_failure(group, rec, n)
  local at = rec.status_changed_at
  group.count = group.count + n
  if n > 0 then
    if at < group.first or group.count == 1 and at == group.first then group.first, group.first_in = at, rec.release end
    group.last = math.max(group.last, at)
  end
  count_name(group, 'types', rec.type, n)
  count_name(group, 'queues', rec.actual_queue or rec.queue, n)
  count_name(group, 'workers', rec.worker, n)
  count_name(group, 'releases', rec.release, n)
  count_hour(group, at, n)
end

-- A job has failed. Of a failure whose report does not say its group only the type is known, or what has happened.
local KINDS = { lose = 'WorkerLost', quarantine = 'JobQuarantinedError', subs_failed = 'SubJobsFailed' }
function enter_group(rec, event, shape)
  if not rec.failure_group then
    rec.error_type = rec.error_type or KINDS[event] or 'Failed'
    rec.failure_group = redis.sha1hex(rec.error_type):sub(1, 12)
  end
  local id, at = rec.failure_group, rec.status_changed_at
  local group = load_group(id) or new_group(at)
  if not group.type then
    local is_json, told = pcall(cjson.decode, shape or '{}') -- an error here would leave half a transition
    if not is_json or type(told) ~= 'table' then told = {} end
    group.type, group.message, group.frames = rec.error_type, told.message or '', told.frames or {}
  end
  count_failure(group, rec, 1)
  if group.count == 1 and not group.mark then rec.group_is = 'new' end -- for announcements
  if group.mark == 'resolved' and not group.regressed_at and at > group.marked_at then
    group.regressed_at, group.regressed_in = at, rec.release
    rec.group_is = 'regressed'
  end
  redis.call('ZADD', key('failed_by', id), at, rec.id)
  save_group(id, group) -- which may forget it, and its index
end

-- A job that had failed goes on, or (`takes_back`) has not failed with this error: that was inferred. What is listed was counted.
function leave_group(rec, takes_back)
  local id = rec.failure_group
  if not id or redis.call('ZREM', key('failed_by', id), rec.id) == 0 or not takes_back then return end
  local group = load_group(id)
  if not group then return end
  count_failure(group, rec, -1)
  if group.regressed_at == rec.status_changed_at then group.regressed_at, group.regressed_in = nil, nil end
  local is_over = group.count == 0 and not group.mark and redis.call('EXISTS', key('failed_by', id)) == 0
  if is_over then forget_group(id) else save_group(id, group) end
end

end
