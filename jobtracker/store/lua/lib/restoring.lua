-- restoring: what the commands of a restore have in common.
--- @include lib/indexes
--- @include lib/record
--- @include lib/unique

local OF_ONE_JOB = { 'job', 'data', 'log', 'history', 'executions', 'subs', 'outcomes', 'bulk' }

-- Calls a command with many arguments, some at a time; they belong together in twos, say.
local function call_with(command, name, items, together)
  local most = 1000 * together
  for first = 1, #items, most do
    redis.call(command, name, unpack(items, first, math.min(first + most - 1, #items)))
  end
end

-- Member and score in turns, as ZADD wants them.
local function scores_first(items)
  local turned = {}
  for i = 1, #items, 2 do turned[i], turned[i + 1] = items[i + 1], items[i] end
  return turned
end

-- Adds entries of a stream, {id, {field, value …}}, behind those that it has; those that it has may come again.
local function add_entries(name, entries)
  local last = redis.call('XREVRANGE', name, '+', '-', 'COUNT', 1)[1]
  local last_ms, last_n = (last and last[1] or '-1-0'):match('^(%-?%d+)%-(%d+)$')
  last_ms, last_n = tonumber(last_ms), tonumber(last_n)
  for _, entry in ipairs(entries) do
    local ms, n = entry[1]:match('^(%d+)%-(%d+)$')
    ms, n = tonumber(ms), tonumber(n)
    if ms > last_ms or ms == last_ms and n > last_n then redis.call('XADD', name, entry[1], unpack(entry[2])) end
  end
end

-- Removes a job that was restored, with its index entries. Its objects stay: the same job, or another store, may name them.
local function forget_restored(id)
  local rec = load_record(id)
  if rec then
    remove_from_index(rec)
    redis.call('ZREM', key('type', rec.type), id)
    if rec.failure_group then redis.call('ZREM', key('failed_by', rec.failure_group), id) end
    if rec.unique then release_unique(rec.unique, id) end
    for _, name in ipairs({ 'unsent', 'unconfirmed' }) do redis.call('ZREM', key(name), task_id(rec)) end
  end
  for _, name in ipairs({ 'unnotified', 'expiring', 'unanswered' }) do redis.call('ZREM', key(name), id) end
  for _, name in ipairs(OF_ONE_JOB) do redis.call('UNLINK', key(name, id)) end
end
