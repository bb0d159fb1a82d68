-- transition.lua: apply one event to one job.
--
-- KEYS[1]  the record
-- ARGV     prefix, id, event, now (ms), run, attempt (each '' where the reporter does not know it), the lease that must
--          still hold the job ('' for any), n, n field/value pairs for the record, field/value pairs for the data
-- A start that names a lease may have been told before: where that worker is at that very attempt it is a duplicate.
-- Returns  {outcome, status before, status after, run, attempt, parent or '', cancel asked for (0 or 1), next in chain or '',
--          how often its worker or process was lost with it}
-- The pairs are written only where the event was applied as it came. Among those of the data, arguments take the place
-- of what is stored of them and add nothing; and not where the same ones are masked already (the record's "masked").
local ARGUMENTS = { payload = true, args = true, arguments_repr = true }
local id, event, now = ARGV[2], ARGV[3], tonumber(ARGV[4])
local run, attempt, lease, n = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])

local rec = load(id, FEW)
if not rec then return { missing(id), '', '', 0, 0, '', 0, '', 0 } end
local before, masked, outcome, applied = rec.status, rec.masked, 'stale', event
for i = 9, 8 + 2 * n, 2 do
  if ARGV[i] == 'masked' and ARGV[i + 1] == masked then masked = true end
end
local is_held = lease ~= '' and lease == redis.call('HGET', KEYS[1], 'lease')
if event == 'start' and is_held and rec.executing and rec.run == run and rec.attempt == attempt then
  outcome = 'duplicate'
elseif lease == '' or is_held or event == 'start' then
  outcome, applied = apply(rec, event, now, run, attempt, { unpack(ARGV, 9, 8 + 2 * n) })
end
if outcome == 'applied' and applied == event then
  for i = 9 + 2 * n, #ARGV, 2 do
    local name, bulk = ARGV[i], key('data', id)
    if not ARGUMENTS[name] or (masked ~= true and redis.call('HEXISTS', bulk, name) == 1) then
      redis.call('HSET', bulk, name, ARGV[i + 1])
    end
  end
end
return { outcome, before, rec.status, rec.run, rec.attempt, rec.parent or '', rec.cancel and 1 or 0, rec.next or '', rec.losses or 0 }
