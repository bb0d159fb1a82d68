-- hold_bulk: work at a bulk run, alone, and write down how far it is.
--
-- KEYS[1]  the bulk run
-- ARGV     prefix, the holder, how long it holds it (ms; 0: it lets go), field/value pairs of the bulk run
-- Returns  {1, its state, the status of its job or ''}; {0} where another one holds it: then nothing is written; {-1} where
--          there is no such bulk run. Nobody writes fields who does not hold it any more: a step took too long, and another
--          one has gone on since
--- @include lib/keys
local id, holder, lasts = KEYS[1]:sub(#key('bulk') + 1), ARGV[2], tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 0 then return { -1 } end
local now, found = tonumber(server_ms()), redis.call('HMGET', KEYS[1], 'holder', 'held_until')
if found[1] and found[1] ~= holder and tonumber(found[2]) > now then return { 0 } end
if #ARGV > 3 and found[1] ~= holder then return { 0 } end
redis.call('HSET', KEYS[1], 'holder', holder, 'held_until', now + lasts, unpack(ARGV, 4))
local packed = redis.call('GET', key('job', id))
if packed then redis.call('PERSIST', KEYS[1]) end -- it goes with its job
return { 1, redis.call('HGET', KEYS[1], 'state'), packed and cmsgpack.unpack(packed)[PLACE.status] or '' }
