-- restore_jobs: write jobs of a backup, each with its entries in the indexes.
--
-- KEYS[1]  any key of the partition
-- ARGV     prefix, MessagePack of each as export_jobs has it; what is there of a job is replaced
-- Returns  how many lost their unique key, because another job has it
--- @include lib/restoring
local without_key = 0
for i = 2, #ARGV do
  local told = cmsgpack.unpack(ARGV[i])
  local id = told.id
  if redis.call('EXISTS', key('job', id)) == 1 then forget_restored(id) end
  redis.call('SET', key('job', id), told.job)
  for _, name in ipairs({ 'data', 'executions', 'outcomes', 'bulk' }) do
    if told[name] then call_with('HSET', key(name, id), told[name], 2) end
  end
  if told.history then call_with('RPUSH', key('history', id), told.history, 1) end
  if told.subs then call_with('ZADD', key('subs', id), scores_first(told.subs), 2) end
  if told.log then add_entries(key('log', id), told.log) end
  for n = 1, #(told.duties or {}), 3 do
    redis.call('ZADD', key(told.duties[n]), told.duties[n + 2], told.duties[n + 1])
  end
  local rec = decode_record(id, told.job)
  if rec and rec.type and rec.created and rec.status_changed_at then -- the doctor reports any other one
    redis.call('SADD', key('kinds'), kind_of(rec)) -- which types have names in totals, the keys say
    add_to_index(rec, rec.status_changed_at)
    redis.call('ZADD', key('type', rec.type), rec.created, id)
    if rec.status == 'failed' and rec.failure_group then
      redis.call('ZADD', key('failed_by', rec.failure_group), rec.status_changed_at, id)
    end
    if rec.unique and take_unique(rec.unique, rec.status, id) then
      rec.unique, without_key = nil, without_key + 1
      redis.call('SET', key('job', id), encode_record(rec))
    end
  end
end
return without_key
