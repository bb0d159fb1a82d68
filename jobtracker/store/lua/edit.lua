-- edit.lua: change what people may change of a job: name, tags, priority, policy, payload.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, '1' if only a job that was never sent may be changed so, n, n field/value pairs for the
--          record, field/value pairs for the data
-- Outcomes applied, missing, deleted, illegal (it was sent, or has begun)
local id, unsent, n = ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])

local rec = load(id)
if not rec then return missing(id) end
if unsent and (rec.run > 0 or rec.status ~= 'pending') then return 'illegal' end
for i = 5, 4 + 2 * n, 2 do
  if ARGV[i] == 'priority' and ARGV[i + 1] ~= rec.priority then
    unindex(rec)
    rec.priority = ARGV[i + 1]
    introduce(rec)
    index(rec, rec.entered)
  elseif ARGV[i] == 'body' then -- of those who may call a parent's task the first one does
    ARGV[i + 1] = rec.body or ARGV[i + 1]
  end
  set_field(rec, ARGV[i], ARGV[i + 1])
end
save(rec)
if #ARGV > 4 + 2 * n then redis.call('HSET', key('data', id), unpack(ARGV, 5 + 2 * n)) end
return 'applied'
