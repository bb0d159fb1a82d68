-- verify_quota: add up what somebody has pending, and mend the total that is kept beside it.
--
-- KEYS[1]  the quota
-- ARGV     prefix, mend it (1, 0), the most jobs that are added up
-- Returns  {total that is kept, what it should be, whether it was mended}; {} where there are too many jobs
--- @include lib/quota
local found = redis.call('HGET', KEYS[1], '')
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) + 1 then return {} end
local wanted = 0
for n, text in ipairs(redis.call('HGETALL', KEYS[1])) do
  local size = n % 2 == 0 and text:match('^(%d+):') -- the total has no colon
  if size then wanted = wanted + tonumber(size) end
end
local is_mended = tonumber(found or 0) ~= wanted and ARGV[2] == '1'
if is_mended then redis.call('HSET', KEYS[1], '', string.format('%d', wanted)) end
return { found or '0', string.format('%d', wanted), is_mended and 1 or 0 }
